"""Pilots: a descent is begun, to know what an iteration costs and how many it will make.

Nothing of a pilot is kept or recorded.
"""

from __future__ import annotations

import math
import time
from array import array
from contextlib import suppress
from dataclasses import dataclass, replace

import numpy as np

from gdexp.core import WorkEnded
from gdexp.descent import Result, Status, projected_time
from gdexp.experiment import Experiment

SLOPE_SECONDS = 0.2
"""The time of the second half of a pilot's iterations, from which the time of one is taken."""

LEAST_SECONDS = 0.01
"""The same where iterations are so quick that it does not matter how quick they are."""

MOST_SECONDS = 2.0
"""A pilot ends after this time, however few iterations it made."""


@dataclass(frozen=True)
class Pilot:
    """What the beginning of a descent says of the whole.

    Attributes:
        threshold: the descent's own.
        iterations: that the whole descent is expected to make.
        converges: whether it is expected to reach its threshold.
        fixed: seconds that do not depend on the iterations.
        each: seconds of one iteration.
        limit: seconds after which the descent ends in any case.
    """

    threshold: float
    iterations: float
    converges: bool
    fixed: float
    each: float
    limit: float = math.inf

    def cost(self, most: float = math.inf) -> float:
        """Return the seconds of the descent with at most so many iterations."""
        return min(self.fixed + self.each * min(self.iterations, most), self.limit)


def pilot(experiment: Experiment, negligible: float = 0.0) -> Pilot:
    """Begin a descent and end it after a moment.

    Of a descent on a function the iterations are projected from its losses, as those of a capped
    trial are. Of a training nothing is known of them before its end: all that it may make count.

    Args:
        experiment: what is begun.
        negligible: seconds of an iteration that need no exact measurement.

    Raises:
        GdexpError: the problem's own code failed.
    """
    watch, result = _Stopwatch(negligible), None
    with suppress(_Enough):
        result = experiment.run(watch)
    seconds = time.perf_counter() - watch.began
    each, made = watch.each, watch.made
    if result is not None:
        made = result.updates
        each = seconds / made if made and not each else each
    most = float(experiment.stopping.limit)
    needed = _needed(experiment, watch.trace, result)
    limit = experiment.stopping.max_seconds
    return Pilot(
        threshold=experiment.stopping.threshold,
        iterations=min(needed, most) if result is None else float(made),
        converges=result.converged if result is not None else needed <= most,
        fixed=max(seconds - each * made, 0.0),
        each=each,
        limit=math.inf if limit is None else limit,
    )


def _needed(experiment: Experiment, trace: array[float], result: Result | None) -> float:
    """Return the iterations that a descent needs that was not ended by itself."""
    stopping = experiment.stopping
    if result is not None or experiment.function is None or not trace:
        return math.inf
    if stopping.continue_to is not None:
        stopping = replace(stopping, threshold=min(stopping.threshold, stopping.continue_to))
    f_star = experiment.problem.reference
    return projected_time(np.array(trace), stopping, Status.MAX_ITERATIONS, f_star)


class _Enough(WorkEnded):
    """Ends a pilot."""


class _Stopwatch:
    """The watch of a descent: it notes the time at iterations 0, 1, 2, 4, … and ends the descent.

    Args:
        negligible: see `pilot`.

    Attributes:
        began: when the descent was begun.
        trace: the losses so far.
    """

    def __init__(self, negligible: float) -> None:
        self._negligible = negligible
        self.began = time.perf_counter()
        self.trace: array[float] = array("d")
        self._noted: list[tuple[int, float]] = []

    def __call__(self, iteration: int, trace: array[float]) -> int:
        """Note the time; return the iteration of the next call."""
        now = time.perf_counter() - self.began
        self._noted.append((iteration, now))
        self.trace = trace
        iterations, seconds = self._last_half()
        wanted = LEAST_SECONDS if self.each <= self._negligible else SLOPE_SECONDS
        if seconds >= wanted or now >= MOST_SECONDS:
            raise _Enough
        in_time = SLOPE_SECONDS * iterations / seconds if seconds > 0 else 1
        return iteration + max(1, min(iteration, int(in_time)))

    @property
    def made(self) -> int:
        """The iterations until the last look."""
        return self._noted[-1][0] if self._noted else 0

    @property
    def each(self) -> float:
        """The seconds of one iteration, over the last half; 0 where that is not known."""
        iterations, seconds = self._last_half()
        return seconds / iterations if iterations else 0.0

    def _last_half(self) -> tuple[int, float]:
        """Return the iterations and the seconds of the last half of what was noted."""
        if not self._noted:
            return 0, 0.0
        last, end = self._noted[-1]
        first, began = next(each for each in self._noted if 2 * each[0] >= last)
        return last - first, end - began
