"""What a key allows, as the program's own errors say it: wrong values are tried."""

from __future__ import annotations

import inspect
import re
from collections.abc import Callable, Mapping
from typing import Any

from gdexp.core import BadInput

TRIED: tuple[Any, ...] = ("no such value ☃", -1, 0, 0.5, [], {})
"""Values that most keys refuse; none is large, for some are sizes."""

KINDS = {
    "float": "a number",
    "int": "an integer",
    "bool": "true or false",
    "str": "a text",
    "Sequence[str]": "a list of texts",
}

VAGUE = ("must be a number", "must be a text that is not empty")


def allowed(build: Callable[..., object], key: str, given: Mapping[str, Any] | None = None) -> str:
    """Return what an argument of a class or function may be, in the words of its errors.

    Args:
        build: raises `BadInput` for a value that it refuses.
        key: the argument.
        given: other arguments, without which `build` does not come to this one.

    Returns:
        One line; empty where nothing is refused and the type says nothing.
    """
    found: dict[str, None] = {}
    for value in TRIED:
        try:
            build(**{**(given or {}), key: value})
        except BadInput as error:
            if error.key == key:
                found[error.allowed] = None
        except Exception:  # only what is refused on purpose says what is allowed
            continue
    exact = [each for each in found if each not in VAGUE] or list(found)
    told = "; ".join(each.removeprefix("must be ").removeprefix("must ") for each in exact)
    told = re.sub(r"\b\d{5,}\b", lambda number: f"{int(number[0]):,}", told)
    annotation = _annotation(build, key)
    kind = next((KINDS[each] for each in annotation.split(" | ") if each in KINDS), "")
    may_be_null = "None" in annotation.split(" | ") and "null" not in told
    optional = " or null" if may_be_null else ""
    if told.startswith("choose from "):
        return told.removeprefix("choose from ") + optional
    if told.startswith(("> ", ">= ", "at least ")):
        told = f"{kind or 'a number'} {told}"
    return (told or kind) + (optional if told or kind else "")


def _annotation(build: Callable[..., object], key: str) -> str:
    parameter = inspect.signature(build).parameters.get(key)
    return "" if parameter is None else str(parameter.annotation)
