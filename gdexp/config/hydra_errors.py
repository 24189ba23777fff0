"""Hydra's errors about the command line, each as one line with the nearest valid name."""

from __future__ import annotations

import difflib
import re
from collections.abc import Sequence
from typing import Any

from gdexp.config import slips
from gdexp.config.arguments import rewrite
from gdexp.config.composed import shipped
from gdexp.config.keys import COMMANDS, ONLY_WITH, Config
from gdexp.config.nested import flatten, has
from gdexp.core import BadInput, GdexpError, nearest

SPACE = "sweep.space."
"""Before a key that a sweep's file searches; on the command line the key stands alone."""


def as_gdexp_error(error: BaseException, arguments: Sequence[str], composing: bool) -> GdexpError:
    """Return an error as one of gdexp's.

    Args:
        error: any error that is not one of gdexp's.
        arguments: as the user typed them.
        composing: whether it came from composing the config: then any error is about the input.
            Otherwise only Hydra's errors are, and any other is a failure of the work.
    """
    from hydra.errors import HydraException

    if not composing and not isinstance(error, HydraException):
        return GdexpError(f"{type(error).__name__}: {_first_line(error)}")
    text = str(error)
    for explain in (
        *(_unknown_key, _unknown_choice, _no_choice, _taken, _no_group, _ambiguous),
        _unreadable,
    ):
        found = explain(text, error, arguments)
        if found is not None:
            return found
    return BadInput("config", " ".join(arguments), _reason(error))


def _unknown_key(text: str, error: BaseException, arguments: Sequence[str]) -> BadInput | None:
    found = re.search(r"Could not override '([^']+)'", text)
    if found is None:
        return None
    key = found[1]
    command = key.partition(".")[0]
    asked = any(re.match(rf"\+{command}(=|$)", argument) for argument in arguments)
    if command in COMMANDS and not asked:
        written = f"+{key}={_typed_value(key, arguments)}" if key == command else f"+{command}"
        return BadInput(key, _typed_value(key, arguments), f"is a command's; write {written}")
    if key.startswith("hydra."):
        return BadInput(
            key, _typed_value(key, arguments), "unknown key; --cfg hydra shows all there are"
        )
    if key in ONLY_WITH:
        return BadInput(
            key, _typed_value(key, arguments), f"is only read with +{ONLY_WITH[key][0]}=RUN_ID"
        )
    if key.startswith(SPACE):
        value = _typed_value(key, arguments)
        return BadInput(
            key, value, f"is typed without sweep.space; write {key[len(SPACE) :]}={value}"
        )
    return BadInput(key, _typed_value(key, arguments), f"unknown key; {_like(key, arguments)}")


def _like(key: str, arguments: Sequence[str]) -> str:
    """Return a clause with a key of another choice, of the same last part, or a near one."""
    group, _, rest = key.partition(".")
    having = [name for name in _choices(group) if rest and has(_file(group, name), rest)]
    if having:
        return "it belongs to " + ", ".join(f"{group}={name}" for name in sorted(having))
    known = _known_keys(arguments)
    whole_key = slips.full_key(key)
    if whole_key is not None:
        needs = whole_key.startswith("sweep.") and whole_key not in known
        return f"did you mean {'+sweep ' if needs else ''}{whole_key}?"
    if "." not in key and not [name for name in known if name.endswith(f".{key}")]:
        meant = slips.group(key)
        if meant is not None:
            return meant
    whole = [name for name in known if name.endswith(f".{key}")]
    if "." not in key and len(whole) > 1:
        return f"did you mean {' or '.join(whole)}?"
    inside = {
        name.partition(".")[2].lower(): name for name in known if name.startswith(f"{group}.")
    }
    near = whole or [inside[tail] for tail in difflib.get_close_matches(rest.lower(), inside, n=1)]
    if len(near) == 1:
        return f"did you mean {near[0]}?"
    if rest and inside:
        return nearest("", inside.values())
    close = difflib.get_close_matches(key.lower(), known, n=1, cutoff=0.6)
    return f"did you mean {close[0]}?" if close else "python -m gdexp --cfg job shows all keys"


LAUNCHERS = {"joblib": "local", "submitit_local": "slurm", "submitit_slurm": "slurm", "ray": "ray"}
"""Launchers that come with extras of gdexp."""


def _unknown_choice(text: str, error: BaseException, arguments: Sequence[str]) -> BadInput | None:
    found = re.search(r"Could not find '([^']+?)/([^'/]*/?)'", text)
    if found is None:
        return None
    group, name = found[1].removeprefix("/"), found[2]
    for argument in arguments:
        typed, _, value = argument.partition("=")
        place = f"{typed.lstrip('+')}/{value}"
        if "/" in value and place.replace("//", "/") == f"{group}/{name}".replace("//", "/"):
            group, name = typed.lstrip("+"), value  # a path instead of a name
    if group == "hydra/launcher" and name in LAUNCHERS:
        alone = ", in an environment of its own; scripts/ray makes one" if name == "ray" else ""
        words = f"is not installed; install gdexp[{LAUNCHERS[name]}]{alone}"
        return BadInput(group, name, words)
    options = text.partition("Available options")[2].partition("\nConfig search path")[0]
    names = [line.strip() for line in options.splitlines() if line.startswith("\t")]
    return BadInput(group, name, f"no such choice; {nearest(name, names or _choices(group))}")


def _no_choice(text: str, error: BaseException, arguments: Sequence[str]) -> BadInput | None:
    if "Config group override must be a string or a list" not in text:
        return None
    for argument in arguments:
        name, _, value = argument.partition("=")
        group = name.lstrip("+")
        if _choices(group) and not re.fullmatch(r"[A-Za-z_./-]+", value.replace("null", "0")):
            return BadInput(group, value, f"must be a name; {nearest(value, _choices(group))}")
    return None


TAKEN = {
    r"Multiple values for ([\w/]+)": "is chosen already",
    r"An item is already at '([^']+)'": "is there already",
}
"""Hydra's messages about a needless `+`."""


def _taken(text: str, error: BaseException, arguments: Sequence[str]) -> BadInput | None:
    for pattern, words in TAKEN.items():
        if found := re.search(pattern, text):
            value = _typed_value(found[1], arguments)
            return BadInput(f"+{found[1]}", value, f"{words}; write {found[1]}={value}")
    return None


def _no_group(text: str, error: BaseException, arguments: Sequence[str]) -> BadInput | None:
    """Explain a value instead of a group, or a list instead of a name."""
    merged = re.search(r"Error merging override \+*([\w.@/]+)=", text)
    if merged is not None:
        wanted = re.search(r"could not be converted to (\w+)", str(error.__cause__))
        if wanted is not None:
            return BadInput(
                merged[1], _typed_value(merged[1], arguments), f"must be {_kind(wanted[1])}"
            )
        return BadInput(
            merged[1], _typed_value(merged[1], arguments), "must be a group: {key: value}"
        )
    loaded = re.search(r"Could not load '([\w/]+)/([^'/]*)'", text)
    if loaded is None or not _choices(loaded[1]):
        return None
    given = _typed_value(loaded[1], arguments) or loaded[2]
    return BadInput(loaded[1], given, f"must be a name; {nearest(loaded[2], _choices(loaded[1]))}")


def _kind(name: str) -> str:
    """Return OmegaConf's name of a type in words."""
    words = {"Integer": "an integer", "Float": "a number", "Boolean": "true or false"}
    return words.get(name, f"of type {name.lower()}")


def _ambiguous(text: str, error: BaseException, arguments: Sequence[str]) -> BadInput | None:
    found = re.search(r"Ambiguous value for argument '([^=']+)=(.*?)'", text)
    if found is None:
        return None
    key, value = found[1], found[2]
    return BadInput(key, value, f"a list is written [{value}]; to try several, add -m or +sweep")


def _unreadable(text: str, error: BaseException, arguments: Sequence[str]) -> BadInput | None:
    from hydra.errors import OverrideParseException

    cause: BaseException | None = error
    while cause is not None and not isinstance(cause, OverrideParseException):
        cause = cause.__cause__
    if cause is None:
        return None
    key, _, value = str(cause.override).partition("=")
    if re.search(r"\w\s*\(", value):
        ways = "interval(a,b), tag(log,interval(a,b)), range(a,b,step) or choice(a,b)"
        return BadInput(key, value, f"cannot be read; a range is {ways}, a text 'quoted'")
    return BadInput(
        "argument",
        cause.override,
        "cannot be read; write KEY=VALUE, and a value with spaces or other signs in quotes of its "
        "own: \"KEY='VALUE'\"",
    )


def _choices(group: str) -> list[str]:
    """Return the shipped files of a config group; none if there is no such group."""
    return [path.stem for path in (shipped() / group).glob("*.yaml")] if group else []


def _file(group: str, name: str) -> Config:
    """Return the content of a shipped file."""
    from omegaconf import OmegaConf

    loaded: Any = OmegaConf.to_container(OmegaConf.load(shipped() / group / f"{name}.yaml"))
    return dict(loaded)


def _known_keys(arguments: Sequence[str]) -> list[str]:
    """Return the keys of the config that the choices alone, without other values, compose to."""
    from hydra import compose, initialize_config_dir
    from hydra.core.global_hydra import GlobalHydra
    from hydra.errors import HydraException
    from omegaconf import OmegaConf

    choices = []
    for argument in rewrite(arguments):
        group, _, name = argument.lstrip("+").partition("=")
        if (shipped() / group / f"{name}.yaml").is_file():
            choices.append(argument)
    GlobalHydra.instance().clear()
    with initialize_config_dir(str(shipped()), version_base="1.3"):
        try:
            composed: Any = OmegaConf.to_container(compose("config", choices))
        except HydraException:  # a choice that cannot be composed itself
            composed = OmegaConf.to_container(compose("config"))
    return [*flatten(composed)]


def _typed_value(key: str, arguments: Sequence[str]) -> str:
    for argument in arguments:
        name, _, value = argument.partition("=")
        if name.lstrip("+~") == key:
            return value
    return ""


def _reason(error: BaseException) -> str:
    """Return Hydra's first line, and that of the cause if it says more."""
    lines = [_first_line(error)]
    if error.__cause__ is not None:
        lines.append(_first_line(error.__cause__))
    return ": ".join(dict.fromkeys(line for line in lines if line)) or type(error).__name__


def _first_line(error: BaseException) -> str:
    return next(
        (line.strip() for line in str(error).splitlines() if line.strip()), type(error).__name__
    )
