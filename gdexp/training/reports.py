"""`gdexp.report`: the metrics of code that cannot yield them, such as callbacks."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from numbers import Real
from typing import Any

from gdexp.core import BadInput

Receiver = Callable[[int, Mapping[str, Any]], bool]

RECEIVER: ContextVar[Receiver | None] = ContextVar("RECEIVER", default=None)
"""What takes the reports of the loop that runs here; None outside of one."""


class Stopped(BaseException):
    """Ends a loop whose run is over; raised by `gdexp.report`.

    It is no `Exception`, so that code which catches those lets it pass.
    """


def report(step: int, *, raises: bool = True, **metrics: Any) -> bool:  # noqa: ANN401
    """Give the metrics of one step to the run that gdexp makes of this code.

    Outside of such a run it does nothing, so code that calls it also works without gdexp.

    Args:
        step: the iteration; it must not be lower than the last one.
        raises: whether the end of the run raises `Stopped` here; else True is returned.
        metrics: numbers by name.

    Returns:
        Whether the run is over, and the code should end.

    Raises:
        Stopped: the run is over.
        BadInput: the step is no whole number, or a metric is no number.
    """
    receiver = RECEIVER.get()
    if receiver is None:
        return False
    if not _is_whole(step) or step < 0:
        raise BadInput("report", step, "the step must be a whole number, 0 or more")
    is_over = receiver(int(step), metrics)
    if is_over and raises:
        raise Stopped
    return is_over


def _is_whole(step: Any) -> bool:  # noqa: ANN401
    """Return whether a step is a whole number, one of numpy included."""
    is_number = isinstance(step, Real) and not isinstance(step, bool)
    return is_number and float(step).is_integer()


@contextmanager
def receiving(receiver: Receiver) -> Iterator[None]:
    """Let a function take the reports inside the block."""
    token = RECEIVER.set(receiver)
    try:
        yield
    finally:
        RECEIVER.reset(token)
