"""Objects built from a section of the config, with errors that name the key in full."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping
from functools import cache
from typing import Any, TypeVar

from gdexp.core import BadInput, nearest

T = TypeVar("T")


def construct(section: str, build: Callable[..., T], given: Mapping[str, Any]) -> T:
    """Call `build` with a config section as keyword arguments.

    Raises:
        BadInput: a key that `build` does not take (the nearest is offered), or a value that
            it refuses; the key is named in full.
    """
    allowed = _keywords(build)
    for key, value in given.items():
        if key not in allowed:
            raise BadInput(f"{section}.{key}", value, f"unknown key; {nearest(str(key), allowed)}")
    try:
        return build(**given)
    except BadInput as error:
        raise error.in_section(section) from None


@cache
def _keywords(build: Callable[..., object]) -> list[str]:
    """Return the keyword arguments of a function; cached, for there may be many trials."""
    return [
        parameter.name
        for parameter in inspect.signature(build).parameters.values()
        if parameter.kind in (parameter.POSITIONAL_OR_KEYWORD, parameter.KEYWORD_ONLY)
    ]


def choose(section: str, registry: Mapping[str, Callable[..., T]], given: object) -> T:
    """Build the object that a section's `name` chooses; its other keys are the arguments."""
    if not isinstance(given, Mapping):
        raise BadInput(section, given, f"must be a group; {nearest(str(given), registry)}")
    name = given.get("name")
    if not isinstance(name, str) or name not in registry:
        raise BadInput(f"{section}.name", name, nearest(str(name), registry))
    return construct(section, registry[name], {k: v for k, v in given.items() if k != "name"})
