"""The table of ATen operations that have a portable form."""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from importlib import import_module
from types import FunctionType
from typing import Any, TypeVar

Handler = Callable[..., Any]
"""`handler(builder, *args, **kwargs)` with the arguments of the ATen operation.

Tensors that depend on x are of type `Value`, others numpy arrays. It returns a Value, or a tuple
of Values; None in a tuple stands for a result that has no portable form.
"""

Entered = TypeVar("Entered", bound=Handler)

TOPICS = (
    "elementwise",
    "comparisons",
    "activations",
    "views",
    "joining",
    "reductions",
    "scans",
    "softmax",
    "losses",
    "products",
    "indexing",
    "normalization",
)

_NAMES = "gdexp_lowers"
"""The attribute of a function with the names of the operations that it lowers."""


def lowers(*names: str) -> Callable[[Entered], Entered]:
    """Mark a function of a topic: it stands in the table.

    Args:
        names: of ATen operations, with or without the overload: `mul`, `max.dim`.
    """

    def mark(handler: Entered) -> Entered:
        setattr(handler, _NAMES, (*getattr(handler, _NAMES, ()), *names))
        return handler

    return mark


def handler_of(name: str) -> Handler | None:
    """Return the function that lowers an operation, such as `aten::max.dim`; None: it has none."""
    handlers = _handlers()
    return handlers.get(name) or handlers.get(name.partition(".")[0])


def described() -> dict[str, str]:
    """Return for every operation what is computed, and in which order."""
    return {
        name: " ".join((handler.__doc__ or "").split())
        for name, handler in sorted(_handlers().items())
    }


@cache
def _handlers() -> dict[str, Handler]:
    """Return the marked functions of all topics by the names of their operations."""
    found: dict[str, Handler] = {}
    for topic in TOPICS:
        for value in vars(import_module(f"gdexp.engine.lowering.{topic}")).values():
            for handler in value if isinstance(value, tuple) else (value,):
                names = vars(handler).get(_NAMES, ()) if isinstance(handler, FunctionType) else ()
                for name in names:
                    found[name if "::" in name else f"aten::{name}"] = handler
    return found
