"""Curves in MLflow while a training runs: its losses and metrics, in batches."""

from __future__ import annotations

import time
from array import array
from collections.abc import Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import AbstractContextManager
from typing import Protocol

import numpy as np
import numpy.typing as npt

from gdexp.core import StorageFailed, submit_in_context
from gdexp.descent import LOSS, Status, Watch
from gdexp.tracking.record import PlannedRun
from gdexp.tracking.settings import TrackingSettings

SECONDS = 2.0
"""The shortest time between two writes."""

SHARE = 0.01
"""The largest share of the time that writes may take; a slow store gets fewer of them."""

Points = Mapping[str, npt.NDArray[np.float64]]
"""Metrics with their updates and values, each of shape (points, 2)."""


SPARSE = 100
"""The distance in updates of the losses that are written where MLflow is to keep only some."""


class PointStore(Protocol):
    """What is needed of the store."""

    @property
    def settings(self) -> TrackingSettings:
        """Where the store is."""

    def log_points(self, run: PlannedRun, points: Points) -> None:
        """Write points of metrics."""


class LiveCurves(AbstractContextManager["LiveCurves"]):
    """Writes the curves of one training while it runs.

    A write that fails is repeated with the next one: the record at the end holds all points, so
    nothing is lost. It is a monitor that never ends a training.

    Args:
        store: of the run.
        run: its run; nothing is written before the store shows it.
        of_losses: whether the callback sees the losses; else they are among the readings.
    """

    def __init__(self, store: PointStore, run: PlannedRun, of_losses: bool = True) -> None:
        self._store, self._run, self._of_losses = store, run, of_losses
        self._step = 1 if store.settings.max_points is None else SPARSE
        self._metrics: dict[str, tuple[array[float], array[float]]] = {}
        self._losses: array[float] = array("d")
        self._sent = 0
        self._due = time.monotonic() + SECONDS
        remote = store.settings.is_server  # a call takes long, so a thread makes it
        self._thread = ThreadPoolExecutor(1, "gdexp-curves") if remote else None
        self._in_progress: Future[tuple[float, Points]] | None = None
        self.failures = 0

    def __exit__(self, *ended: object) -> None:
        if self._thread is not None:
            self._thread.shutdown(wait=True, cancel_futures=True)

    def watching(self, watch: Watch) -> Watch:
        """Return a callback of a training that also writes the losses that are due.

        Args:
            watch: the callback that decides when it is called next.
        """

        def both(iteration: int, losses: array[float]) -> int:
            following = watch(iteration, losses)
            if self._of_losses:
                self._losses = losses
            self._write_if_due()
            return following

        return both

    def reading(
        self, iteration: int, metrics: Mapping[str, float], seconds: float
    ) -> Status | None:
        """Hear the metrics of an evaluation; see `Monitor`."""
        for name, value in metrics.items():
            if name != LOSS or not self._of_losses:
                updates, values = self._metrics.setdefault(name, (array("d"), array("d")))
                updates.append(iteration)
                values.append(value)
        return None

    def _write_if_due(self) -> None:
        """Write what is new, if the last write is long enough ago."""
        if not self._run.shown:
            return
        if self._in_progress is not None:
            if self._in_progress.done():
                self._finished(*self._in_progress.result())
                self._in_progress = None
        elif time.monotonic() >= self._due:
            points = self._new_points()
            if self._thread is not None:
                self._in_progress = submit_in_context(self._thread, self._written, points)
            else:
                self._finished(*self._written(points))

    def _written(self, points: Points) -> tuple[float, Points]:
        """Write points; return how long it took, and the points if it failed."""
        began = time.monotonic()
        try:
            self._store.log_points(self._run, points)
        except StorageFailed:
            return time.monotonic() - began, points
        return time.monotonic() - began, {}

    def _finished(self, seconds: float, failed: Points) -> None:
        """Set the time of the next write, which makes up for a failed one."""
        self._due = time.monotonic() + max(SECONDS, seconds / SHARE)
        self.failures += bool(failed)
        for name, rows in failed.items():
            if name == LOSS and self._of_losses:
                self._sent = min(self._sent, int(rows[0, 0]))
            else:
                self._put_back(name, rows)

    def _new_points(self) -> Points:
        """Take out the points that were not written yet."""
        found: dict[str, npt.NDArray[np.float64]] = {}
        end = len(self._losses)
        steps = np.arange(-(-self._sent // self._step) * self._step, end, self._step)
        if steps.size:
            values = np.array(self._losses[int(steps[0]) : end])[:: self._step]
            found[LOSS] = np.column_stack([steps.astype(np.float64), values])
        self._sent = end
        taken, self._metrics = self._metrics, {}
        for name, (updates, values_of) in taken.items():
            found[name] = np.column_stack([np.array(updates), np.array(values_of)])
        return found

    def _put_back(self, name: str, rows: npt.NDArray[np.float64]) -> None:
        updates, values = self._metrics.get(name, (array("d"), array("d")))
        joined = (array("d", [*rows[:, 0], *updates]), array("d", [*rows[:, 1], *values]))
        self._metrics[name] = joined
