"""The readings of a tracked run: what its thresholds are compared with."""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from functools import cached_property
from typing import Any

import numpy as np

from gdexp.config import APPLICATION
from gdexp.descent import (
    GRADIENT_NORM,
    LOSS,
    Status,
    Trace,
    censoring_bounds,
    first_hits,
    linear_crossing,
)
from gdexp.descent import crossing as crossing_time
from gdexp.experiment import NORMS_FILE, TRAININGS
from gdexp.runs.artifact_reader import ArtifactReader, read_trace
from gdexp.runs.training_files import TrainingFacts, read_readings, read_training
from gdexp.tracking import Array
from gdexp.training import TENSORS, TRACES


class RunReadings(ABC):
    """The part of a tracked run that reads its losses and metrics."""

    run_id: str
    home: str
    _files: ArtifactReader

    @property
    @abstractmethod
    def status(self) -> str:
        """Why the descent ended."""

    @property
    @abstractmethod
    def values(self) -> Mapping[str, Any]:
        """The params as values."""

    @property
    @abstractmethod
    def trace(self) -> Trace:
        """The loss at iterations 0 … n."""

    @property
    @abstractmethod
    def gaps(self) -> Trace:
        """The losses above f*."""

    @property
    @abstractmethod
    def updates(self) -> int:
        """The number of updates."""

    @property
    @abstractmethod
    def goal(self) -> float:
        """The threshold at which the trace ends once it converged."""

    @property
    @abstractmethod
    def absolute(self) -> bool:
        """Whether its threshold is of the loss or a metric itself."""

    @property
    def is_training(self) -> bool:
        """Whether it is a training, a loop of the user's own, or another application's trial."""
        return self.values.get("problem.name") in (*TRAININGS, APPLICATION)

    @cached_property
    def metric(self) -> str:
        """The metric that its threshold is of: `loss`, or one of `readings`."""
        if self.values.get("stopping.measure") == GRADIENT_NORM and not self.is_training:
            return GRADIENT_NORM
        return str(self.values.get("stopping.metric", LOSS))

    @property
    def mode(self) -> str:
        """The better direction of its metric: `min` or `max`."""
        return "max" if self.values.get("stopping.mode") == "max" else "min"

    @cached_property
    def readings(self) -> Mapping[str, Array]:
        """The traces of a training's metrics by name, each of shape (readings, 2).

        Its columns are the updates at which the metric was read, and the values. Of a descent the
        gradient norms where its threshold is of them; else empty.

        Raises:
            UnreadableRun: a file is missing or malformed.
        """
        if self.metric == GRADIENT_NORM:
            norms = self._files.read(self.run_id, self.home, NORMS_FILE, read_trace)
            return {GRADIENT_NORM: np.column_stack([np.arange(len(norms)), norms])}
        files = self._training.metrics
        return {
            name: self._files.read(self.run_id, self.home, f"{TRACES}/{file}.npy", read_readings)
            for name, file in files.items()
        }

    @cached_property
    def _training(self) -> TrainingFacts:
        if not self.is_training:
            return TrainingFacts(0, {})
        return self._files.read(self.run_id, self.home, TENSORS, read_training)

    @cached_property
    def goal_trace(self) -> Trace:
        """What is compared with a threshold at iterations 0 … n: smaller is better.

        The gaps of the losses; the gradient norms; or a metric at the updates where it was read,
        negative where larger is better, and infinite in between.
        """
        if self.metric == LOSS and not self.is_training:
            return self.gaps
        if self.metric == GRADIENT_NORM:
            return self.readings[GRADIENT_NORM][:, 1]
        found = np.full(self.updates + 1, np.inf)
        if self.metric == LOSS and LOSS not in self.readings:
            found[: len(self.trace)] = self.trace[: self.updates + 1]
            return found
        for update, value in self.readings.get(self.metric, np.empty((0, 2))):
            if 0 <= update <= self.updates:
                found[int(update)] = -value if self.mode == "max" else value
        return found

    def censoring_bounds(self, thresholds: Sequence[float]) -> list[int | None]:
        """Return `at_least` for many thresholds."""
        levels = self._levels(thresholds)
        (goal,) = self._levels([self.goal])
        return censoring_bounds(self.goal_trace, levels, goal, self.status)

    def hitting_times(self, thresholds: Sequence[float]) -> list[float | None]:
        """Return the hitting times at many thresholds; None: its trace does not reach it."""
        gaps = self.goal_trace
        every = self.metric == GRADIENT_NORM or self.metric not in self.readings
        read = None if every else np.flatnonzero(np.isfinite(gaps))
        found: list[float | None] = []
        levels = self._levels(thresholds)
        for k, level in zip(self._first_hits(thresholds), levels, strict=True):
            if k is None:
                found.append(None)
                continue
            last = k - 1 if read is None else int(read[read < k][-1:].sum())
            before = float(gaps[last]) if k else math.nan
            if read is None or not k:
                found.append(crossed(k, before, float(gaps[k]), level, self.absolute))
            else:
                fraction = crossed(1, before, float(gaps[k]), level, self.absolute)
                found.append(last + fraction * (k - last))
        return found

    def _levels(self, thresholds: Sequence[float]) -> list[float]:
        """Return thresholds as `goal_trace` is compared with them."""
        return [-each if self.mode == "max" else each for each in thresholds]

    def _first_hits(self, thresholds: Sequence[float]) -> list[int | None]:
        """Return the first iteration within each threshold; below f* no threshold says anything."""
        if self.status == Status.BELOW_MINIMUM:
            return [None] * len(thresholds)
        return first_hits(self.goal_trace, self._levels(thresholds))


def crossed(k: int, before: float, after: float, threshold: float, absolute: bool) -> float:
    """Return the hitting time; k if the loss before the hit was not finite."""
    if k and not np.isfinite(before):
        return float(k)
    if absolute:
        return linear_crossing(k, before, after, threshold)
    return crossing_time(k, before, after, threshold)
