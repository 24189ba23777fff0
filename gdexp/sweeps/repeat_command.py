"""The command that runs one trial of a sweep alone."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from gdexp.config import shortest_command


def repeat_commands(configs: Sequence[Mapping[str, Any]], seeds: int) -> str:
    """Return the commands that run one trial alone, one line for each problem."""
    return "\n".join(repeat_command(each, seeds) for each in configs)


def repeat_command(config: Mapping[str, Any], seeds: int) -> str:
    """Return the command that runs one trial alone, with all of its seeds.

    Args:
        config: of the trial.
        seeds: how many it has.
    """
    command = shortest_command(config)
    if seeds == 1 or command.startswith("#"):
        return command
    first = int(config["seed"])
    words = [word for word in command.split() if not word.startswith("seed=")]
    return " ".join([*words, "-m", f"seed='range({first},{first + seeds})'"])
