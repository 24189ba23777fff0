"""Expected running times and runtime distributions with bootstrap intervals."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import NamedTuple

import numpy as np

from gdexp.comparison import expected_running_time
from gdexp.suite.outcome import Attempts, Floats
from gdexp.suite.targets import TARGETS

RESAMPLES, LEVEL, BOOTSTRAP_SEED = 1000, 0.95, 20
"""Of every interval: the samples with replacement, the probability, the seed of the draws."""

POINTS = 81
"""Budgets at which a distribution is read."""


class Interval(NamedTuple):
    """A number with its bootstrap percentile interval; inf where no sample has a success."""

    value: float
    low: float
    high: float


class RunningTime(NamedTuple):
    """The expected running time of a solver to a target."""

    evaluations: Interval
    successes: int
    descents: int


class Distribution(NamedTuple):
    """The share of (function, instance, start, target) met within a budget.

    Attributes:
        budgets: evaluations divided by the dimension; shape (k,).
        share: shape (k,).
        low, high: the edges of the band, shape (k,).
    """

    budgets: Floats
    share: Floats
    low: Floats
    high: Floats


def _counts(descents: int, resamples: int = RESAMPLES) -> Floats:
    """Return how often each descent is in each resample; shape (resamples, descents)."""
    generator = np.random.Generator(np.random.PCG64(BOOTSTRAP_SEED))
    drawn = generator.integers(descents, size=(resamples, descents))
    counts = np.zeros((resamples, descents))
    np.add.at(counts, (np.arange(resamples)[:, None], drawn), 1)
    return counts


def resampled_times(attempts: Attempts, targets: Sequence[float], resamples: int) -> Floats:
    """Return expected running times, of the descents and of each resample.

    Returns:
        Shape (1 + resamples, targets).
    """
    times = attempts.times(targets)
    reached = np.isfinite(times)
    spent = np.where(reached, times, attempts.spent[:, None])
    counts = np.concatenate((np.ones((1, len(spent))), _counts(len(spent), resamples)))
    with np.errstate(divide="ignore"):
        found: Floats = (counts @ spent) / (counts @ reached.astype(float))
    return found


def edges(samples: Floats) -> tuple[Floats, Floats]:
    """Return the percentiles over the first axis; of sorted values, so infinities may be there."""
    ordered, many = np.sort(samples, axis=0), len(samples)
    tail = (1 - LEVEL) / 2
    return ordered[int(tail * many)], ordered[int((1 - tail) * many) - 1]


def running_times(attempts: Attempts, targets: Sequence[float]) -> list[RunningTime]:
    """Return the expected running time to each target, with its interval.

    All evaluations, those of failures included, over the successes: the cost of restarts until
    one succeeds (arXiv:1605.03560). The descents are resampled.
    """
    times = attempts.times(targets)
    reached = np.isfinite(times)
    spent = np.where(reached, times, attempts.spent[:, None])
    low, high = edges(resampled_times(attempts, targets, RESAMPLES)[1:])
    return [
        RunningTime(
            Interval(
                expected_running_time(spent[:, j].tolist(), reached[:, j].tolist()),
                float(low[j]),
                float(high[j]),
            ),
            int(reached[:, j].sum()),
            len(spent),
        )
        for j in range(len(targets))
    ]


def distribution(attempts: Mapping[int, Attempts], dimension: int, most: float) -> Distribution:
    """Return the empirical distribution of running times over functions and the 51 targets.

    Args:
        attempts: by function.
        dimension: that evaluations are divided by.
        most: the largest budget, in multiples of the dimension.
    """
    budgets = np.geomspace(1 / dimension, most, POINTS)
    share, samples = np.zeros(POINTS), np.zeros((RESAMPLES, POINTS))
    for each in attempts.values():
        times = each.times(TARGETS) / dimension
        met = (times[:, :, None] <= budgets * (1 + 1e-12)).mean(axis=1)
        share += met.mean(axis=0)
        samples += _counts(len(met)) @ met / len(met)
    low, high = edges(samples / len(attempts))
    return Distribution(budgets, share / len(attempts), low, high)


def share_met(attempts: Mapping[int, Attempts]) -> Interval:
    """Return the share of (function, instance, start, target) met within the whole budget."""
    share, samples = 0.0, np.zeros(RESAMPLES)
    for each in attempts.values():
        met = np.isfinite(each.times(TARGETS)).mean(axis=1)
        share += float(met.mean())
        samples += _counts(len(met)) @ met / len(met)
    low, high = edges(samples / len(attempts))
    return Interval(share / len(attempts), float(low), float(high))
