"""The result of one training."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from functools import cached_property

import numpy as np
import numpy.typing as npt
import torch

from gdexp.core import BadInput, format_count, nearest
from gdexp.descent import LOSS, Result, Status, Trace, crossing, linear_crossing, projected_time
from gdexp.training.metrics import Readings, best_value

Tensors = Mapping[str, torch.Tensor]
"""Named parameters and buffers."""


@dataclass(frozen=True, eq=False)
class TrainingResult(Result):
    """The outcome of one training.

    The trace of `Result` holds the mini-batch losses: entry k is the loss of batch k + 1, of the
    weights after k updates. It has n + 1 entries after n updates where the loss ended the
    training, else n. `initial` and `final` are the trained parameters, one after the other; they
    are empty where they were not kept. With `Stopping.continue_to` losses and readings go on after
    the training's end; all else is as it was there.

    Attributes:
        updates_made: all updates, those of a continuation included.
        epochs: the epochs that were begun until the end.
        readings: the traces of the metrics of `evaluate`.
        modes: of metrics with a direction whether `min` or `max` is best.
        digests: the sha256 of each parameter and buffer, under `initial` and `final`.
        parts: the names and shapes of the parameters in `initial` and `final`.
        state: the parameters and buffers at the end, by name.
        best_state: those at the best evaluation; None where they were not kept.
    """

    updates_made: int = 0
    epochs: int = 0
    readings: Mapping[str, Readings] = field(default_factory=dict)
    modes: Mapping[str, str] = field(default_factory=dict)
    digests: Mapping[str, Mapping[str, str]] = field(default_factory=dict)
    parts: Mapping[str, tuple[int, ...]] = field(default_factory=dict)
    state: Tensors = field(default_factory=dict)
    best_state: Tensors | None = None

    @property
    def updates(self) -> int:
        """The number of updates, those of a continuation included."""
        return self.updates_made

    @cached_property
    def iterations(self) -> int:
        """The number of updates until the training ended."""
        if not (self.converged and self.stopping.goes_on):
            return self.updates_made
        within = np.flatnonzero(self.goal_trace <= self.stopping.level)
        return int(within[0]) if within.size else self.updates_made

    @property
    def resolution(self) -> int:
        """To how many updates the count is known: the distance of the readings before the hit."""
        updates = self._until_end(self._goal_readings)[:, 0]
        if self._reads_losses:
            return 1
        return int(updates[-1] - updates[-2]) if len(updates) > 1 else 0

    @cached_property
    def goal_trace(self) -> Trace:
        """What is compared with `stopping.level`, at updates 0 … n; infinite where not read."""
        trace = np.full(self.updates_made + 1, math.inf)
        if self._reads_losses:
            trace[: len(self.trace)] = self.trace
        else:
            readings = self._goal_readings
            trace[readings[:, 0].astype(int)] = readings[:, 1]
        return trace

    @property
    def _goal_readings(self) -> Readings:
        """The readings of the metric that ends the training, falling towards the goal."""
        readings = self.readings.get(self.stopping.metric, np.empty((0, 2)))
        signed: Readings = readings * np.array([1.0, self.stopping.sign])
        return signed

    @cached_property
    def hitting_time(self) -> float:
        """The hitting time; between two readings of a metric the line between them crosses."""
        if self._reads_losses:
            return super().hitting_time
        readings, level = self._goal_readings, self.stopping.level
        hits = np.flatnonzero(readings[:, 1] <= level)
        if self.converged and hits.size:
            return _crossing(readings, int(hits[0]), level, self.stopping.absolute)
        return self._projection(readings)

    def _projection(self, readings: Readings) -> float:
        """Return the hitting time that the readings of the second half lead to."""
        finite = readings[np.isfinite(readings[:, 1])]
        # The readings fall towards the level, whichever direction of the metric is better.
        stopping = replace(self.stopping, threshold=self.stopping.level, mode="min")
        if not len(finite):
            return projected_time(np.array([math.inf]), stopping, self.status)
        # One entry for each reading; then from readings to updates.
        last = float(finite[-1, 0])
        projected = projected_time(finite[:, 1], stopping, self.status)
        allowed, readings_made = float(self.updates_made + 1), len(finite) - 1
        worst = projected_time(np.array([math.inf]), stopping, Status.STALLED)
        if projected >= worst or not readings_made:
            return max(projected, allowed)
        return min(max(projected * last / readings_made, allowed), worst)

    def _until_end(self, readings: Readings) -> Readings:
        """Return the readings that were taken until the training ended."""
        return readings[readings[:, 0] <= self.iterations]

    def values(self, metric: str) -> npt.NDArray[np.float64]:
        """Return the values of a metric until the training ended."""
        own: npt.NDArray[np.float64] = self._until_end(self.readings[metric])[:, 1]
        return own

    def curve(self, metric: str) -> Readings:
        """Return the readings of a metric: updates and values, shape (readings, 2).

        Raises:
            BadInput: the training has no such metric.
        """
        if metric == LOSS and LOSS not in self.readings:
            return super().curve(metric)
        if metric not in self.readings:
            raise BadInput("metric", metric, nearest(metric, [LOSS, *self.readings]))
        return self.readings[metric]

    @property
    def final_loss(self) -> float:
        """The last loss; NaN where none was read."""
        return float(self._losses[-1]) if len(self._losses) else math.nan

    @property
    def last_watched(self) -> tuple[int, float] | None:
        """The last that a watch saw: of the losses, or of a loop's stopping metric."""
        if self.parts:
            return super().last_watched
        readings = self.readings.get(self.stopping.metric, np.empty((0, 2)))
        return (int(readings[-1, 0]), float(readings[-1, 1])) if len(readings) else None

    @property
    def _losses(self) -> Trace:
        """The losses that were read until the end, of mini-batches or of a loop's metric."""
        if LOSS in self.readings:
            return self.values(LOSS)
        if not (self.converged and self.stopping.goes_on):
            return self.trace
        return self.trace[: self.iterations + self._reads_losses]

    @property
    def _reads_losses(self) -> bool:
        """Whether the threshold is of the mini-batch losses."""
        return self.stopping.metric == LOSS and LOSS not in self.readings

    @cached_property
    def min_loss(self) -> float:
        """The smallest finite loss; the last where none is finite."""
        finite = self._losses[np.isfinite(self._losses)]
        return float(finite.min()) if finite.size else self.final_loss

    @cached_property
    def max_loss(self) -> float:
        """The largest loss."""
        numbers = self._losses[~np.isnan(self._losses)]
        return float(numbers.max()) if numbers.size else self.final_loss

    def best(self, metric: str) -> float:
        """Return the best value of a metric whose direction is known."""
        return best_value(self.values(metric), self.modes[metric])

    def last(self, metric: str) -> float:
        """Return the last value of a metric."""
        return float(self.values(metric)[-1])

    def facts(self) -> list[tuple[str, str]]:
        """Return the metrics in words, and how exactly the count is known."""
        found = [("epochs", f"{self.epochs:,} begun")] if self.epochs else []
        if self.stopping.metric != LOSS and self.converged and self.resolution > 1:
            first = self.iterations - self.resolution + 1
            found.append(("count", f"between {first:,} and {self.iterations:,} updates"))
        for name in self.readings:
            best = f", best {self.best(name):.6g}" if name in self.modes else ""
            found.append((name, f"{self.last(name):.6g}{best}"))
        return found

    def summary(self) -> str:
        """Return the status, the updates and the value that ended the training in one sentence."""
        steps, stopping = format_count(self.iterations, "update"), self.stopping
        if self.status is Status.DIVERGED:
            return f"diverged at update {self.iterations:,}: loss {self.final_loss}"
        name = stopping.metric
        value = self.final_loss if name == LOSS else self.last(name)
        return f"{self.status} after {steps}: {name} {value:.6g} (until {stopping.goal_text()})"


def _crossing(readings: Readings, at: int, level: float, linear: bool) -> float:
    """Return where the line from the reading before a hit crosses the level.

    Args:
        readings: falling towards the level.
        at: the first that met it.
        level: the threshold.
        linear: whether the line is one on a linear axis, and not on a log axis.
    """
    update = float(readings[at, 0])
    if at == 0:
        return update
    before = float(readings[at - 1, 0])
    if not math.isfinite(readings[at - 1, 1]):
        return update
    ends = float(readings[at - 1, 1]), float(readings[at, 1])
    fraction = (linear_crossing if linear else crossing)(1, *ends, level)
    return before + fraction * (update - before)
