"""Callbacks of running descents: signals, the progress line, and runs that become visible."""

from __future__ import annotations

import math
import time
from array import array
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import NamedTuple

from gdexp.core import signals
from gdexp.descent import LOSS, Monitor, Monitors, Watch
from gdexp.experiment import Experiment
from gdexp.sweeps.display import Progress
from gdexp.sweeps.trial import AskedTrial
from gdexp.tracking import LiveCurves

CALLS_PER_SECOND = 10
"""How often a descent calls back."""

SHOW_AFTER_SECONDS = 1.0
"""How long a descent runs before MLflow shows its run as RUNNING."""

MAX_ITERATIONS = 100_000
"""Iterations between two calls. Without a limit one fast interval could delay the next call."""


class Observer(NamedTuple):
    """What sees one descent.

    Attributes:
        watch: its callback.
        monitor: hears its readings; None: nothing does.
    """

    watch: Watch
    monitor: Monitor | None = None


class DescentWatch:
    """Makes the callbacks of descents.

    Args:
        progress: the line in the terminal.
        show: makes the runs of trials visible in MLflow.
        curves: returns what writes the curves of a training while it runs; None where it has no
            run.
    """

    def __init__(
        self,
        progress: Progress,
        show: Callable[[Sequence[AskedTrial]], None],
        curves: Callable[[AskedTrial, Experiment], LiveCurves | None],
    ) -> None:
        self._progress = progress
        self._show = show
        self._curves = curves

    @contextmanager
    def observed(
        self, asked: AskedTrial, experiment: Experiment, monitor: Monitor | None = None
    ) -> Iterator[Observer]:
        """Give what sees a descent that runs alone, inside the block.

        Args:
            asked: its trial.
            experiment: one of the trial's.
            monitor: hears its readings too.
        """
        watch = self.alone(asked, experiment)
        curves = self._curves(asked, experiment) if experiment.function is None else None
        if curves is None:
            yield Observer(watch, monitor)
            return
        with curves:
            together = curves if monitor is None else Monitors([monitor, curves])
            yield Observer(curves.watching(watch), together)

    def alone(self, asked: AskedTrial, experiment: Experiment) -> Watch:
        """Return the callback of a descent that runs alone."""
        start = time.monotonic()
        last = (0, start)
        shown = False
        f_star, threshold = experiment.problem.reference, experiment.stopping.threshold
        if experiment.stopping.metric != LOSS or experiment.stopping.of_norm:
            threshold = -math.inf  # it says nothing of the loss
        label = f"trial {asked.number}"
        name = experiment.watched_name or ("loss" if f_star == 0 else "loss - f*")
        most = experiment.stopping.limit if len(asked.experiments) == 1 else None

        def watch(iteration: int, trace: array[float]) -> int:
            """Show the iteration and return the one to be called at next."""
            nonlocal last, shown
            signals.check()
            now = time.monotonic()
            gap = trace[-1] - f_star
            self._progress.show_descent(label, iteration, gap, threshold, name=name, most=most)
            if not shown and now - start > SHOW_AFTER_SECONDS:
                shown = True
                self._show([asked])
            # Nothing is known of the first iterations: they may take a second each.
            per_second = (iteration - last[0]) / max(now - last[1], 1e-6)
            last = (iteration, now)
            step = int(per_second / CALLS_PER_SECOND)
            return iteration + max(1, min(step, MAX_ITERATIONS))

        return watch

    def together(self, trials: Sequence[AskedTrial]) -> Callable[[int, int], None]:
        """Return the callback of descents that are rows of a batch."""
        start = last = time.monotonic()
        shown = False

        def watch(iteration: int, running: int) -> None:
            """Show the iteration and how many rows go on."""
            nonlocal last, shown
            now = time.monotonic()
            if now - last < 1 / CALLS_PER_SECOND:
                return
            last = now
            signals.check()
            label = f"{len(trials)} trials at once"
            self._progress.show_descent(label, iteration, math.nan, math.nan, running)
            if not shown and now - start > SHOW_AFTER_SECONDS:
                shown = True
                self._show(trials)

        return watch
