"""What a person types, as Hydra reads it."""

from __future__ import annotations

import re
from collections.abc import Sequence

BARE_COMMAND = re.compile(r"\+[A-Za-z_][A-Za-z0-9_]*")
MULTIRUN = {"-m", "--multirun"}
NOT_RUNS = ("--cfg", "-c", "--info", "-i", "--hydra-help", "--shell-completion", "-sc")


def rewrite(arguments: Sequence[str]) -> list[str]:
    """The arguments as Hydra reads them.

    A bare `+name` becomes `+name=default`; a sweep is a Hydra multirun, and a multirun that
    names no sweep takes its space from the command line alone.
    """
    rewritten = [f"{a}=default" if BARE_COMMAND.fullmatch(a) else a for a in arguments]
    sweeps = any(a.startswith("+sweep=") for a in rewritten)
    multirun = any(a in MULTIRUN for a in rewritten)
    if multirun and not sweeps:
        rewritten.append("+sweep=manual")
    elif sweeps and not multirun and not any(a.startswith(NOT_RUNS) for a in rewritten):
        rewritten.append("--multirun")
    return rewritten
