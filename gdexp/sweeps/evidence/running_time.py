"""The iterations of one trial's descents, seed by seed, and their expected running time."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from math import inf

import numpy as np
import numpy.typing as npt

from gdexp.sweeps.means import LEAST, geometric_mean

Floats = npt.NDArray[np.float64]
Integers = npt.NDArray[np.int64]

FEWEST_SEEDS = 5
"""With fewer pairs no sign test comes to 0.05: 5 wins of 5 give 1 / 2^5, 4 of 4 give 1 / 2^4."""

FEWEST_RESAMPLED = 10
"""With fewer seeds a bootstrap interval is too narrow to be of use."""


@dataclass(frozen=True)
class SeedCounts:
    """The descents of a trial, by problem and then by seed.

    Seeds are what is drawn, so they are what trials are paired by and what is resampled, each
    with all problems: the starts of two problems from one seed may be the same. With one seed the
    problems are, as a sample of the family that they are from.

    Attributes:
        trial: its number.
        counts: updates until each ended.
        reached: whether each converged; the count of one that did not is censored.
        problems: how many there are; each has as many seeds.
    """

    trial: int
    counts: Sequence[int]
    reached: Sequence[bool]
    problems: int = 1

    @property
    def seeds(self) -> int:
        """How many descents there are on each problem."""
        return len(self.counts) // self.problems

    @property
    def units(self) -> int:
        """How many values trials are paired by: one for each seed, else for each problem."""
        return self.seeds if self.seeds > 1 else self.problems

    @property
    def on_problems(self) -> list[float]:
        """The expected running time on each problem: all iterations over the successes."""
        starts = range(0, len(self.counts), self.seeds)
        parts = [slice(start, start + self.seeds) for start in starts]
        return [
            sum(self.counts[part]) / successes if (successes := sum(self.reached[part])) else inf
            for part in parts
        ]

    @property
    def expected(self) -> float:
        """The expected running time, of several problems their geometric mean; it may be inf."""
        times = self.on_problems
        return times[0] if self.problems == 1 else geometric_mean(times)

    @property
    def is_constant(self) -> bool:
        """Whether every seed gives the same counts."""
        return self.seeds > 1 and all(
            len(set(each)) == 1 for each in zip(*self._by_seed, strict=True)
        )

    @property
    def by_unit(self) -> list[float]:
        """A number for each seed, or each problem, that orders trials as their counts do.

        It is the product of the counts of one seed, which is an integer; inf where one of them is
        censored.
        """
        rows = self._by_seed if self.seeds > 1 else [[each] for each in self._by_seed[0]]
        return [
            math.prod(max(count, 1) if len(row) > 1 else count for count, _ in row)
            if all(reached for _, reached in row)
            else inf
            for row in rows
        ]

    @property
    def _by_seed(self) -> list[list[tuple[int, bool]]]:
        pairs = list(zip(self.counts, self.reached, strict=True))
        return [pairs[seed :: self.seeds] for seed in range(self.seeds)]

    def with_more(self, other: SeedCounts) -> SeedCounts:
        """Return the trial with the descents of further seeds."""
        rows = [*self._by_seed, *other._by_seed]
        counts, reached = zip(
            *(each for row in zip(*rows, strict=True) for each in row), strict=True
        )
        return SeedCounts(self.trial, counts, reached, self.problems)

    def resampled(self, draws: Integers) -> Floats:
        """Return the expected running time of each resample.

        Args:
            draws: positions of units, of shape (resamples, units).
        """
        resamples, units = draws.shape
        places = (draws + units * np.arange(resamples)[:, None]).ravel()
        times_drawn = np.bincount(places, minlength=draws.size).reshape(draws.shape)
        if self.seeds == 1 and self.problems > 1:
            with np.errstate(invalid="ignore"):
                logs = np.where(times_drawn > 0, times_drawn * _logs(self.on_problems), 0.0)
            return np.asarray(np.exp(logs.sum(axis=1) / units))
        shape = self.problems, self.seeds
        iterations = np.asarray(self.counts, dtype=np.float64).reshape(shape) @ times_drawn.T
        successes = np.asarray(self.reached, dtype=np.float64).reshape(shape) @ times_drawn.T
        with np.errstate(divide="ignore"):
            times = np.where(successes > 0, iterations / successes, np.inf)
        return times[0] if self.problems == 1 else np.asarray(np.exp(_logs(times).mean(axis=0)))


def _logs(times: npt.ArrayLike) -> Floats:
    return np.log(np.maximum(times, LEAST))


def wins_and_losses(one: SeedCounts, other: SeedCounts) -> tuple[int, int]:
    """Return on how many seeds the first needs fewer iterations, and on how many more.

    With one seed the problems are counted. A unit with a descent that did not converge loses to
    one without, and two such are a tie: how much more each would have needed is not known.
    """
    pairs = list(zip(one.by_unit, other.by_unit, strict=True))
    return sum(first < second for first, second in pairs), sum(b < a for a, b in pairs)
