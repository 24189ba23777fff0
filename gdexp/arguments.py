"""What a person types, as Hydra reads it."""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path

from gdexp.errors import BadInput, nearest

BARE_COMMAND = re.compile(r"\+[A-Za-z_][A-Za-z0-9_]*")
TAKES_RUNS = {"compare": "runs"}
"""Commands whose value names tracked runs, with the key under the command that holds them.

A key in the plural takes a list of them.
"""

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
    names no sweep takes its space from the command line alone. A command that takes runs gets
    them as text under a key: `+compare=1e10` as `+compare=default compare.runs=['1e10']`.
    Overrides come first, because Hydra wants them together.

    Raises:
        BadInput: an option that there is not, a command without the runs that it takes.
    """
    overrides, options = _parted(arguments)
    overrides = [f"{a}=default" if BARE_COMMAND.fullmatch(a) else a for a in overrides]
    folders = config_dirs(options)
    overrides = [part for a in overrides for part in _with_runs(a, folders)]
    sweeps = any(a.startswith("+sweep=") for a in overrides)
    multirun = any(a in MULTIRUN for a in options)
    if multirun and not sweeps:
        overrides.append("+sweep=manual")
    elif sweeps and not multirun and not any(a.partition("=")[0] in NOT_RUNS for a in options):
        options.append("--multirun")
    return [*overrides, *options]


def config_dirs(arguments: Sequence[str]) -> list[Path]:
    """The folders that `--config-dir` names."""
    folders = []
    for option, following in zip(arguments, [*arguments[1:], ""], strict=False):
        name, given, value = option.partition("=")
        if name in ("--config-dir", "-cd") and (value or following):
            folders.append(Path(value if given else following))
    return folders


def _with_runs(override: str, folders: Sequence[Path]) -> list[str]:
    """A command's runs apart from the command; any other override as it is."""
    name, _, value = override.partition("=")
    command = name.removeprefix("+")
    if command == name or command not in TAKES_RUNS or value == "default":
        return [override]
    if re.fullmatch(r"[\w-]+", value) and any(
        (folder / command / f"{value}.yaml").is_file() for folder in folders
    ):
        return [override]  # a choice of the user's own
    key = TAKES_RUNS[command]
    many = key.endswith("s")
    listed = value[1:-1] if many and value[:1] == "[" and value[-1:] == "]" else value
    runs = [word.strip().strip("'\"") for word in (listed.split(",") if many else [listed])]
    if not all(runs) or any("${" in run for run in runs):
        ways = f"+{command}=RUN_ID" + (f" or '+{command}=[A,B]'" if many else "")
        raise BadInput(f"+{command}", value, f"must name tracked runs: {ways}")
    quoted = ",".join(map(_quoted, runs))
    return [f"+{command}=default", f"{command}.{key}={f'[{quoted}]' if many else quoted}"]


def _quoted(text: str) -> str:
    """A text that Hydra reads as text, whatever it looks like."""
    from hydra.core.override_parser.types import Quote, QuotedString

    return str(QuotedString(text, Quote.single).with_quotes())


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
