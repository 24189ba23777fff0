"""The command line: arguments as a person types them, rewritten for Hydra."""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path

from gdexp.config import slips
from gdexp.config.keys import COMMANDS, FREE
from gdexp.core import BadInput, mask_value, nearest

BARE_COMMAND = re.compile(r"\+[A-Za-z_][A-Za-z0-9_]*")
TAKES_RUNS = {
    "compare": "runs",
    **dict.fromkeys(("rerun", "export", "resume", "delete"), "run"),
}
"""Commands whose value names tracked runs, with the key under the command that holds them.

A key in the plural takes a list of them.
"""

MULTIRUN = {"-m", "--multirun"}
NOT_RUNS = {"--cfg", "-c", "--info", "-i", "--hydra-help", "--shell-completion", "-sc"}
ASKING = ("output", "rerun.format")
"""The keys that ask for JSON; the second one is the earlier spelling for `+rerun`."""

WITH_VALUE = {
    *("--cfg", "-c", "--package", "-p", "--config-path", "-cp"),
    *("--config-name", "-cn", "--config-dir", "-cd"),
}
VALUES = {
    "--cfg": ("job", "hydra", "all"),
    "--info": ("all", "config", "defaults", "defaults-tree", "plugins", "searchpath"),
}
"""The options that print something, with their values."""

SHORT = {"-c": "--cfg", "-i": "--info"}
OPTIONS = {
    *WITH_VALUE,
    *MULTIRUN,
    *("--info", "-i", "--hydra-help", "--shell-completion", "-sc", "--resolve", "--run", "-r"),
    *("--help", "-h", "--version"),
}


def rewrite(arguments: Sequence[str]) -> list[str]:
    """Return the arguments for Hydra.

    A bare `+name` becomes `+name=default`; a sweep is a Hydra multirun, and a multirun that
    names no sweep takes its space from the command line alone. A command that takes runs gets
    them as text under a key: `+compare=1e10` as `+compare=default compare.runs=['1e10']`. A key
    that may be new is set or added, `++key=value`.
    Overrides come first, because Hydra reads them together.

    Raises:
        BadInput: an unknown option, a key that is given twice, a command without the runs that it
            takes, a setting of Hydra that gdexp makes itself.
    """
    overrides, options = _split(arguments)
    folders = config_dirs(options)
    for override in overrides:
        if "=" not in override and (meant := slips.bare_word(override)) is not None:
            if override.removeprefix("+") not in COMMANDS:
                raise BadInput("argument", override, f"no such command; {meant}")
            if not override.startswith("+"):
                raise BadInput("argument", override, f"a command begins with +; {meant}")
        if BARE_COMMAND.fullmatch(override) and not _is_group(override[1:], folders):
            commands = ", ".join(f"+{name}" for name in COMMANDS)
            raise BadInput("argument", override, f"no such command; choose from {commands}")
        if re.fullmatch(r"[\w.]+:?", override):
            raise BadInput("argument", override, slips.no_value(override.rstrip(":")))
        if not re.match(r"[+~]*[^+~=]", override):
            raise BadInput("argument", override, "cannot be read; write KEY=VALUE")
    overrides = [f"{a}=default" if BARE_COMMAND.fullmatch(a) else a for a in overrides]
    overrides = [f"++{a}" if a.startswith(FREE) else a for a in overrides]
    _check_twice(overrides)
    _check_hydra(overrides)
    # In other applications `gdexp` is the sweeper of any function.
    overrides = ["hydra/sweeper=gdexp_own" if a == "hydra/sweeper=gdexp" else a for a in overrides]
    overrides = [part for a in overrides for part in _with_runs(a, folders)]
    sweeps = any(a.startswith("+sweep=") for a in overrides)
    multirun = any(a in MULTIRUN for a in options)
    if multirun and not sweeps:
        overrides.append("+sweep=manual")
    elif sweeps and not multirun and not any(a.partition("=")[0] in NOT_RUNS for a in options):
        options.append("--multirun")
    return [*overrides, *options]


def _is_group(name: str, folders: Sequence[Path]) -> bool:
    """Return whether a word after `+` is a command or a group of the user's own."""
    return name in COMMANDS or any((folder / name).is_dir() for folder in folders)


def only_shows(arguments: Sequence[str]) -> bool:
    """Return whether the arguments only print a config or Hydra's own information."""
    names = {argument.partition("=")[0] for argument in arguments}
    return bool(names & {"--cfg", "-c", "--info", "-i", "--hydra-help"})


def asks_for_json(arguments: Sequence[str]) -> bool:
    """Return whether one of the arguments is `output=json`, and a command is to run at all.

    It reads no config: what is typed may be none.
    """
    if any(argument.partition("=")[0] in NOT_RUNS for argument in arguments):
        return False
    pairs = [argument.lstrip("+").partition("=") for argument in arguments]
    return any(key in ASKING and value.strip("'\"") == "json" for key, _, value in pairs)


def typed_command(arguments: Sequence[str]) -> str:
    """Return the command that the arguments name; `run` for none, `sweep` for a bare `-m`."""
    for argument in arguments:
        name = argument.removeprefix("+").partition("=")[0]
        if argument.startswith("+") and name in COMMANDS:
            return name
    return "sweep" if MULTIRUN & {*arguments} else "run"


def config_dirs(arguments: Sequence[str]) -> list[Path]:
    """Return the folders that `--config-dir` names."""
    folders = []
    for option, following in zip(arguments, [*arguments[1:], ""], strict=False):
        name, given, value = option.partition("=")
        if name in ("--config-dir", "-cd") and (value or following):
            folders.append(Path(value if given else following))
    return folders


def _with_runs(override: str, folders: Sequence[Path]) -> list[str]:
    """Return a command and its runs as two overrides; any other override unchanged."""
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
    """Return the text in quotes, so that Hydra reads it as text."""
    from hydra.core.override_parser.types import Quote, QuotedString

    return str(QuotedString(text, Quote.single).with_quotes())


def _split(arguments: Sequence[str]) -> tuple[list[str], list[str]]:
    """Return the overrides, and the options with their values."""
    overrides: list[str] = []
    options: list[str] = []
    rest = list(arguments)
    while rest:
        argument = rest.pop(0)
        name, given, value = argument.partition("=")
        if not name.startswith("-"):
            overrides.append(argument)
            continue
        if name not in OPTIONS:
            known = [each for each in OPTIONS if each.startswith("--")]
            raise BadInput(name, value, f"no such option; {slips.option(name, value, known)}")
        options.append(argument)
        allowed = VALUES.get(SHORT.get(name, name), ())
        if name in WITH_VALUE or allowed:
            if not given and rest and (name in WITH_VALUE or re.fullmatch(r"[a-z-]+", rest[0])):
                value = rest.pop(0)
                options.append(value)
            needed = name in WITH_VALUE or given
            if (needed and not value) or (value and allowed and value not in allowed):
                ways = nearest(value, allowed) if allowed else "must be followed by a value"
                raise BadInput(name, value, ways)
        elif given:
            raise BadInput(name, value, "takes no value")
    names = {option.partition("=")[0] for option in options}
    if names & {"--package", "-p"} and not names & {"--cfg", "-c"}:
        raise BadInput("--package", "", "only says what --cfg shows; add --cfg job")
    return overrides, options


def _check_twice(overrides: Sequence[str]) -> None:
    """Refuse a key that is given twice, before Hydra does it in its own words."""
    seen: dict[str, str] = {}
    for override in overrides:
        name, _, value = override.partition("=")
        key = name.lstrip("+~")
        if key in seen:
            shown = mask_value(key, seen[key]) or "nothing"
            raise BadInput(key, value, f"was given twice, first as {shown}")
        seen[key] = value


def _check_hydra(overrides: Sequence[str]) -> None:
    """Refuse settings of Hydra that gdexp makes itself."""
    for override in overrides:
        name, _, value = override.partition("=")
        key = name.lstrip("+~")
        if key == "hydra/sweeper" and value != "gdexp":
            raise BadInput(key, value, "must be gdexp: another one cannot run its sweeps")
        if key == "hydra.mode":
            raise BadInput(key, value, "follows from the command; +sweep or -m sweeps")
