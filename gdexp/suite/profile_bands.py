"""Performance profiles, data profiles and scores of the solvers of a benchmark, with bands.

A task is a function with one of the targets 10, 1, …, 1e-8. The time of a task is the expected
running time; a target that no descent met counts as infinite. For the bands the descents of every
cell are resampled, of all solvers in the same way, and everything is computed again.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from gdexp.comparison import Steps, data_profile, performance_profile, profile_score
from gdexp.suite.outcome import Floats, Outcome
from gdexp.suite.running_times import Interval, edges, resampled_times
from gdexp.suite.targets import DECADES

RESAMPLES = 200
"""Of the profiles: each needs all solvers."""

RATIOS = np.geomspace(1, 100, 61)
"""At which a performance profile is read."""

Curves = Mapping[str, Steps]


@dataclass(frozen=True)
class Band:
    """A profile of a solver: shares at the points x, with the edges of the band; shape (k,)."""

    x: Floats
    share: Floats
    low: Floats
    high: Floats


class Profiles:
    """The profiles of all solvers in one dimension.

    Args:
        outcome: of the benchmark.
        dimension: the number of variables.
        resamples: for the bands and intervals; 0: none.
    """

    def __init__(self, outcome: Outcome, dimension: int, resamples: int = RESAMPLES) -> None:
        self._dimension, self._budget = dimension, outcome.budget
        self._resamples = resamples
        # Shape (1 + resamples, tasks) of each solver; the first row is of the descents themselves.
        self._times = {
            solver.name: np.concatenate(
                [
                    resampled_times(attempts, DECADES[1:], resamples)
                    for attempts in solver.of_dimension(dimension).values()
                ],
                axis=1,
            )
            for solver in outcome.solvers
        }

    @cached_property
    def _performance(self) -> list[Curves]:
        return [performance_profile(times) for times in self._rows()]

    def _rows(self) -> list[dict[str, list[float | None]]]:
        """Return the times of all solvers, of the descents and of each resample."""
        rows = range(1 + self._resamples)
        return [{name: list(times[b]) for name, times in self._times.items()} for b in rows]

    def plain_scores(self) -> dict[str, float]:
        """Return AlgoPerf's score of each solver, without intervals."""
        return {name: profile_score(self._performance[0][name]) for name in self._times}

    def scores(self) -> dict[str, Interval]:
        """Return AlgoPerf's score of each solver."""
        return {
            name: self._interval([profile_score(each[name]) for each in self._performance])
            for name in self._times
        }

    @staticmethod
    def _interval(values: list[float]) -> Interval:
        low, high = edges(np.array(values[1:]))
        return Interval(values[0], float(low), float(high))

    def performance(self) -> dict[str, Band]:
        """Return Dolan and Moré's performance profile of each solver."""
        return self._bands(self._performance, RATIOS)

    def data(self) -> dict[str, Band]:
        """Return Moré and Wild's data profile of each solver, over evaluations / (n + 1)."""
        tasks = next(iter(self._times.values())).shape[1]
        sizes = [self._dimension] * tasks
        curves = [data_profile(times, sizes) for times in self._rows()]
        unit = self._dimension + 1
        x = np.geomspace(1 / unit, 10 * self._budget * self._dimension / unit, 61)
        return self._bands(curves, x)

    def _bands(self, curves: Sequence[Curves], x: Floats) -> dict[str, Band]:
        found = {}
        for name in self._times:
            shares = np.array([_read(each[name], x) for each in curves])
            low, high = edges(shares[1:])
            found[name] = Band(x, shares[0], low, high)
        return found


def _read(steps: Steps, x: Floats) -> Floats:
    heights = np.concatenate(([0.0], steps.share))
    found: Floats = heights[np.searchsorted(steps.at, x * (1 + 1e-12), side="right")]
    return found
