"""`gdexp.report`: the metrics of code that cannot yield them, such as callbacks."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any

from gdexp.core import BadInput

Receiver = Callable[[int, Mapping[str, Any]], bool]

_receivers: list[Receiver] = []
"""What takes reports, of the loop that runs in this process; none outside of one."""


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
    if not _receivers:
        return False
    is_whole = isinstance(step, int | float) and not isinstance(step, bool) and step == int(step)
    if not is_whole or step < 0:
        raise BadInput("report", step, "the step must be a whole number, 0 or more")
    is_over = _receivers[-1](int(step), metrics)
    if is_over and raises:
        raise Stopped
    return is_over


@contextmanager
def receiving(receiver: Receiver) -> Iterator[None]:
    """Let a function take the reports inside the block."""
    _receivers.append(receiver)
    try:
        yield
    finally:
        _receivers.remove(receiver)
