"""The table of ATen operations that have a portable form."""

from __future__ import annotations

from collections.abc import Callable
from importlib import import_module
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

_HANDLERS: dict[str, Handler] = {}


def lowers(*names: str) -> Callable[[Entered], Entered]:
    """Enter a function into the table.

    Args:
        names: of ATen operations, with or without the overload: `mul`, `max.dim`.
    """

    def enter(handler: Entered) -> Entered:
        for name in names:
            _HANDLERS[name if "::" in name else f"aten::{name}"] = handler
        return handler

    return enter


def handler_of(name: str) -> Handler | None:
    """Return the function that lowers an operation, such as `aten::max.dim`; None: it has none."""
    _load()
    return _HANDLERS.get(name) or _HANDLERS.get(name.partition(".")[0])


def described() -> dict[str, str]:
    """Return for every operation what is computed, and in which order."""
    _load()
    return {
        name: " ".join((handler.__doc__ or "").split())
        for name, handler in sorted(_HANDLERS.items())
    }


def _load() -> None:
    if not _HANDLERS:
        for topic in TOPICS:
            import_module(f"gdexp.engine.lowering.{topic}")
