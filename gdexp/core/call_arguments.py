"""The arguments that an object was made with, so that a config can name it."""

from __future__ import annotations

import inspect
from collections.abc import Mapping
from typing import Any

ATTRIBUTE = "_gdexp_arguments"


class CallArguments:
    """The arguments of a constructor; a copy of the object shares them, and a pickle drops them.

    Args:
        positional: in their order.
        named: by name.
    """

    def __init__(
        self, positional: tuple[Any, ...] = (), named: Mapping[str, Any] | None = None
    ) -> None:
        self.positional, self.named = positional, named

    def __deepcopy__(self, memo: object) -> CallArguments:
        return self

    def __reduce__(self) -> tuple[type[CallArguments], tuple[()]]:
        return CallArguments, ()


def keep_arguments(made: object, positional: tuple[Any, ...], named: Mapping[str, Any]) -> None:
    """Note what an object is made with; `__new__` of a base class calls it."""
    vars(made)[ATTRIBUTE] = CallArguments(positional, named)


def arguments_of(made: object) -> dict[str, Any] | None:
    """Return the arguments that an object was made with, by name; None if they are not known."""
    known = vars(made).get(ATTRIBUTE)
    if not isinstance(known, CallArguments) or known.named is None:
        return None
    signature = inspect.signature(type(made))
    kinds = {each.name: each.kind for each in signature.parameters.values()}
    found: dict[str, Any] = {}
    for name, value in signature.bind(*known.positional, **known.named).arguments.items():
        if kinds[name] is inspect.Parameter.VAR_POSITIONAL:
            return None  # they have no names
        found |= value if kinds[name] is inspect.Parameter.VAR_KEYWORD else {name: value}
    return found
