"""What an application's function returned, as numbers."""

from __future__ import annotations

import math
from collections.abc import Sequence

from gdexp.core import GdexpError


def numbers_of(returned: object, count: int) -> tuple[float, ...]:
    """Return the numbers that a function returned.

    Args:
        returned: a number or a tensor of one element; of several directions a sequence of them.
        count: how many are wanted.

    Raises:
        GdexpError: it is something else, or no number.
    """
    if count == 1:
        if isinstance(returned, list | tuple) and len(returned) == 1:
            (returned,) = returned
        return (_number(returned),)
    try:
        listed = list(returned)  # type: ignore[call-overload]
    except TypeError:
        listed = None
    if listed is None or isinstance(returned, str) or len(listed) != count:
        shown = _shown(returned)
        raise GdexpError(f"it returned {shown}; hydra.sweeper.direction wants {count} numbers")
    return tuple(map(_number, listed))


def _number(value: object) -> float:
    """Return anything that Python can make a number of, such as a tensor of one element."""
    detach = getattr(value, "detach", None)  # torch warns where a tensor has a gradient
    try:
        number = float(detach() if callable(detach) else value)  # type: ignore[arg-type]
    except (TypeError, ValueError, RuntimeError):
        raise GdexpError(f"it returned {_shown(value)}; it must return a number") from None
    if math.isnan(number):
        raise GdexpError("it returned nan")
    return number


def _shown(value: object) -> str:
    if isinstance(value, Sequence) and not isinstance(value, str):
        return f"{len(value)} values"
    text = " ".join(repr(value).split())
    return text if len(text) <= 60 else f"{type(value).__name__}"
