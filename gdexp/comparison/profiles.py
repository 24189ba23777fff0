"""Summaries over many problems, thresholds and seeds from the benchmarking literature.

All of them count thresholds that were not reached: without them a solver that fails often would
look good. A threshold that a run was not continued to is no failure: the caller leaves it out.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from gdexp.comparison.figure_model import Floats
from gdexp.core import BadInput

Times = Sequence[float | None] | Floats
"""Hitting times, one for each task; None or inf: not reached."""

LARGEST_RATIO = 4.0
"""To which ratio AlgoPerf's score counts a performance profile."""


@dataclass(frozen=True)
class Steps:
    """A rising step function.

    Attributes:
        at: the x values where it rises, sorted, shape (k,).
        share: its value from each of them on, in [0, 1], shape (k,).
    """

    at: Floats
    share: Floats

    def __call__(self, x: float) -> float:
        """Return the value at x; 0 before the first step."""
        k = int(np.searchsorted(self.at, x, side="right"))
        return float(self.share[k - 1]) if k else 0.0


def expected_running_time(spent: Sequence[float], reached: Sequence[bool]) -> float:
    """Return all iterations spent, failures included, divided by the successes; inf if none.

    That is the average cost of restarts with new seeds until one succeeds (A. Auger, N. Hansen,
    Performance evaluation of an advanced local search evolutionary algorithm, CEC 2005; the ERT
    of COCO, arXiv:1605.03560).

    Args:
        spent: iterations of each run, to the threshold or to its end.
        reached: whether the run reached it.

    Raises:
        BadInput: the two have different lengths.
    """
    if len(spent) != len(reached):
        raise BadInput("reached", len(reached), f"must have one entry for each of {len(spent)}")
    successes = sum(reached)
    return math.fsum(spent) / successes if successes else math.inf


def ecdf(times: Times) -> Steps:
    """Return the share of tasks that were done, as a function of iterations.

    The empirical distribution of hitting times over problems, thresholds and seeds (N. Hansen
    et al., COCO: performance assessment, arXiv:1605.03560).

    Args:
        times: hitting time of each task; None or inf: not reached, which counts.
    """
    finite = np.sort([t for t in times if t is not None and math.isfinite(t)])
    return _steps(np.asarray(finite, dtype=np.float64), len(times))


def performance_profile(times: Mapping[str, Times]) -> dict[str, Steps]:
    """Return for each solver the share of tasks done within a factor of the fastest solver.

    E. D. Dolan, J. J. Moré, Benchmarking optimization software with performance profiles,
    Mathematical Programming 91 (2002). Tasks that no solver does, or that the start
    meets already, are left out: they say nothing about the solvers.

    Args:
        times: solver to its hitting time at each task, all in the same order.

    Raises:
        BadInput: the solvers have different numbers of tasks.
    """
    table = _table(times)
    fastest = table.min(axis=0, initial=math.inf)
    counted = np.isfinite(fastest) & (fastest > 0)
    ratios = table[:, counted] / fastest[counted]
    return {
        solver: _steps(np.sort(row[np.isfinite(row)]), int(counted.sum()))
        for solver, row in zip(times, ratios, strict=True)
    }


def profile_score(profile: Steps, most: float = LARGEST_RATIO) -> float:
    """Return the mean of a performance profile over the ratios 1 … `most`, in [0, 1].

    The benchmark score of AlgoPerf (G. E. Dahl et al., Benchmarking neural network training
    algorithms, arXiv:2306.07179, section 4.3): the area below the profile, from the fastest
    solver's time up to `most` times as long, divided by `most` − 1.

    Args:
        profile: of a solver.
        most: the largest ratio that counts, > 1; AlgoPerf's is 4.
    """
    inside = (profile.at > 1) & (profile.at < most)
    edges = np.concatenate(([1.0], profile.at[inside], [most]))
    heights = np.concatenate(([profile(1.0)], profile.share[inside]))
    return float((np.diff(edges) * heights).sum() / (most - 1))


def data_profile(times: Mapping[str, Times], dimensions: Sequence[int]) -> dict[str, Steps]:
    """Return for each solver the share of tasks done within so many iterations per (n + 1).

    J. J. Moré, S. M. Wild, Benchmarking derivative-free optimization algorithms, SIAM Journal
    on Optimization 20 (2009). There n + 1 evaluations make one simplex gradient; an iteration
    here has the whole gradient, so the unit only makes problems of different size comparable.
    A task is done at its threshold on loss − f*, not at a share of the first gap.

    Args:
        times: solver to its hitting time at each task, all in the same order.
        dimensions: n, the numbers in x, of each task.
    """
    table = _table(times)
    units = np.asarray(dimensions, dtype=np.float64) + 1
    if units.size != table.shape[1]:
        raise BadInput("dimensions", units.size, f"must have one for each of {table.shape[1]}")
    return {
        solver: _steps(np.sort((row / units)[np.isfinite(row)]), units.size)
        for solver, row in zip(times, table, strict=True)
    }


def _table(times: Mapping[str, Times]) -> Floats:
    lengths = {len(row) for row in times.values()}
    if len(lengths) > 1:
        raise BadInput("times", sorted(lengths), "must have the same tasks for every solver")
    rows = [
        row if isinstance(row, np.ndarray) else [math.inf if t is None else t for t in row]
        for row in times.values()
    ]
    return np.asarray(rows, dtype=np.float64).reshape(len(rows), lengths.pop() if lengths else 0)


def _steps(at: Floats, total: int) -> Steps:
    """Return the distribution function of sorted values among `total` tasks."""
    places, counts = np.unique(at, return_counts=True)
    return Steps(places, np.cumsum(counts) / max(total, 1))
