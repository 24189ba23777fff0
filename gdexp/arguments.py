"""What a person types, as Hydra reads it."""

from __future__ import annotations

import re
from collections.abc import Sequence

from gdexp.errors import BadInput, nearest

BARE_COMMAND = re.compile(r"\+[A-Za-z_][A-Za-z0-9_]*")
MULTIRUN = {"-m", "--multirun"}
NOT_RUNS = {"--cfg", "-c", "--info", "-i", "--hydra-help", "--shell-completion", "-sc"}
WITH_VALUE = {
    *("--cfg", "-c", "--package", "-p", "--config-path", "-cp"),
    *("--config-name", "-cn", "--config-dir", "-cd"),
}
OPTIONS = {
    *WITH_VALUE,
    *MULTIRUN,
    *("--info", "-i", "--hydra-help", "--shell-completion", "-sc", "--resolve", "--run", "-r"),
    *("--help", "-h", "--version"),
}


def rewrite(arguments: Sequence[str]) -> list[str]:
    """The arguments as Hydra reads them.

    A bare `+name` becomes `+name=default`; a sweep is a Hydra multirun, and a multirun that
    names no sweep takes its space from the command line alone. Overrides come first, because
    Hydra wants them together.

    Raises:
        BadInput: an option that there is not.
    """
    overrides, options = _parted(arguments)
    overrides = [f"{a}=default" if BARE_COMMAND.fullmatch(a) else a for a in overrides]
    sweeps = any(a.startswith("+sweep=") for a in overrides)
    multirun = any(a in MULTIRUN for a in options)
    if multirun and not sweeps:
        overrides.append("+sweep=manual")
    elif sweeps and not multirun and not any(a.partition("=")[0] in NOT_RUNS for a in options):
        options.append("--multirun")
    return [*overrides, *options]


def _parted(arguments: Sequence[str]) -> tuple[list[str], list[str]]:
    """Overrides, and options with their values."""
    overrides: list[str] = []
    options: list[str] = []
    rest = list(arguments)
    while rest:
        argument = rest.pop(0)
        name = argument.partition("=")[0]
        if not name.startswith("-"):
            overrides.append(argument)
            continue
        if name not in OPTIONS:
            raise BadInput(name, argument.partition("=")[2], f"no such option; {_closest(name)}")
        options.append(argument)
        shown = name in ("--info", "-i") and rest and re.fullmatch(r"[a-z-]+", rest[0])
        if shown or (name in WITH_VALUE and "=" not in argument and rest):
            options.append(rest.pop(0))
    return overrides, options


def _closest(name: str) -> str:
    return nearest(name, [option for option in OPTIONS if option.startswith("--")])
