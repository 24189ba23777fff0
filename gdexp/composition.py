"""Hydra's complaints about what was typed, each put in one line with the nearest valid name."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any

from gdexp.arguments import rewrite
from gdexp.config import COMMANDS, flatten, shipped
from gdexp.errors import BadInput, GdexpError, nearest


def explained(error: BaseException, arguments: Sequence[str], composing: bool) -> GdexpError:
    """The same error as one of gdexp's.

    Args:
        error: not yet one of gdexp's.
        arguments: as the user typed them.
        composing: whether it came from composing the config, so that any error is about the
            input; otherwise only Hydra's own errors are, and the rest is a failure of the work.
    """
    from hydra.errors import HydraException

    if not composing and not isinstance(error, HydraException):
        return GdexpError(f"{type(error).__name__}: {_first_line(error)}")
    text = str(error)
    for explain in (_unknown_key, _unknown_choice, _no_choice, _chosen, _ambiguous, _unreadable):
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
        written = f"+{key}={_given(key, arguments)}" if key == command else f"+{command}"
        return BadInput(key, _given(key, arguments), f"is a command's; write {written}")
    return BadInput(
        key, _given(key, arguments), f"unknown key; {nearest(key, _known_keys(arguments))}"
    )


def _unknown_choice(text: str, error: BaseException, arguments: Sequence[str]) -> BadInput | None:
    found = re.search(r"Could not find '([^']+?)/([^'/]*/?)'", text)
    if found is None:
        return None
    group, name = found[1].removeprefix("/"), found[2]
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


def _chosen(text: str, error: BaseException, arguments: Sequence[str]) -> BadInput | None:
    found = re.search(r"Multiple values for ([\w/]+)", text)
    if found is None:
        return None
    value = _given(found[1], arguments)
    return BadInput(f"+{found[1]}", value, f"is chosen already; write {found[1]}={value}")


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
    return BadInput(
        "argument", cause.override, "cannot be read; write KEY=VALUE, quoting what holds spaces"
    )


def _choices(group: str) -> list[str]:
    """The shipped files of a config group; none where it is no group."""
    return [path.stem for path in (shipped() / group).glob("*.yaml")] if group else []


def _known_keys(arguments: Sequence[str]) -> list[str]:
    """Every key there would be without the values that were given, but with the choices."""
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


def _given(key: str, arguments: Sequence[str]) -> str:
    for argument in arguments:
        name, _, value = argument.partition("=")
        if name.lstrip("+~") == key:
            return value
    return ""


def _reason(error: BaseException) -> str:
    """Hydra's first line, with that of the cause when it says more."""
    lines = [_first_line(error)]
    if error.__cause__ is not None:
        lines.append(_first_line(error.__cause__))
    return ": ".join(dict.fromkeys(line for line in lines if line)) or type(error).__name__


def _first_line(error: BaseException) -> str:
    return next(
        (line.strip() for line in str(error).splitlines() if line.strip()), type(error).__name__
    )
