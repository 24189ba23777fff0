"""What is looked at while descents go on: signals, the progress line, runs that take long."""

from __future__ import annotations

import math
import time
from array import array
from collections.abc import Callable, Sequence

from gdexp.core import signals
from gdexp.descent import Watch
from gdexp.experiment import Experiment
from gdexp.sweeps.display import Progress
from gdexp.sweeps.trial import Asked

LOOKS_PER_SECOND = 10
SHOW_AFTER_SECONDS = 1.0
"""A run is in MLflow as RUNNING once its descent has taken this long."""

MOST_ITERATIONS = 100_000
"""Between two looks, so that one that comes too fast is not the last for a long time."""


class DescentWatch:
    """Makes the callbacks that look at descents.

    Args:
        progress: the line in the terminal.
        show: makes the runs of these trials visible in MLflow.
    """

    def __init__(self, progress: Progress, show: Callable[[Sequence[Asked]], None]) -> None:
        self._progress = progress
        self._show = show

    def alone(self, asked: Asked, experiment: Experiment) -> Watch:
        """For a descent by itself: about ten looks a second, whatever an iteration costs."""
        began = time.monotonic()
        last = (0, began)
        shown = False
        f_star, threshold = experiment.problem.reference, experiment.stopping.threshold
        label, name = f"trial {asked.number}", "loss" if f_star == 0 else "loss - f*"

        def watch(iteration: int, trace: array[float]) -> int:
            nonlocal last, shown
            signals.check()
            now = time.monotonic()
            if iteration:
                gap = trace[-1] - f_star
                self._progress.descending(label, iteration, gap, threshold, name=name)
            if not shown and now - began > SHOW_AFTER_SECONDS:
                shown = True
                self._show([asked])
            rate = (iteration - last[0]) / max(now - last[1], 1e-6)
            last = (iteration, now)
            ahead = 100 if iteration == 0 else int(rate / LOOKS_PER_SECOND)
            return iteration + max(1, min(ahead, MOST_ITERATIONS))

        return watch

    def together(self, trials: Sequence[Asked]) -> Callable[[int, int], None]:
        """For descents that are rows of a batch."""
        began = last = time.monotonic()
        shown = False

        def watch(iteration: int, going: int) -> None:
            nonlocal last, shown
            now = time.monotonic()
            if now - last < 1 / LOOKS_PER_SECOND:
                return
            last = now
            signals.check()
            label = f"{len(trials)} trials at once"
            self._progress.descending(label, iteration, math.nan, math.nan, going)
            if not shown and now - began > SHOW_AFTER_SECONDS:
                shown = True
                self._show(trials)

        return watch
