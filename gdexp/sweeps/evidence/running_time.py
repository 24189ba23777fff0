"""The iterations of one trial's descents, seed by seed, and their expected running time."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float64]
Integers = npt.NDArray[np.int64]

FEWEST_SEEDS = 5
"""With fewer pairs no sign test comes to 0.05: 5 wins of 5 give 1 / 2^5, 4 of 4 give 1 / 2^4."""

FEWEST_RESAMPLED = 10
"""With fewer seeds a bootstrap interval is too narrow to be of use."""


@dataclass(frozen=True)
class SeedCounts:
    """The descents of a trial, in the order of their seeds.

    Attributes:
        trial: its number.
        counts: updates until each ended.
        reached: whether each converged; the count of one that did not is censored.
    """

    trial: int
    counts: Sequence[int]
    reached: Sequence[bool]

    @property
    def expected(self) -> float:
        """The expected running time: all iterations over the successes; infinite without any."""
        successes = sum(self.reached)
        return sum(self.counts) / successes if successes else math.inf

    def with_more(self, other: SeedCounts) -> SeedCounts:
        """Return the trial with the descents of further seeds."""
        counts, reached = [*self.counts, *other.counts], [*self.reached, *other.reached]
        return SeedCounts(self.trial, counts, reached)

    def resampled(self, draws: Integers) -> Floats:
        """Return the expected running time of each resample.

        Args:
            draws: positions of seeds, of shape (resamples, seeds).
        """
        iterations = np.asarray(self.counts, dtype=np.float64)[draws].sum(axis=1)
        successes = np.asarray(self.reached, dtype=np.float64)[draws].sum(axis=1)
        with np.errstate(divide="ignore"):
            return np.where(successes > 0, iterations / successes, np.inf)


def wins_and_losses(one: SeedCounts, other: SeedCounts) -> tuple[int, int]:
    """Return on how many seeds the first needs fewer iterations, and on how many more.

    A descent that converged beats one that did not. Two that did not are a tie: how much more each
    would have needed is not known.
    """
    wins = losses = 0
    pairs = zip(one.counts, one.reached, other.counts, other.reached, strict=True)
    for count, reached, other_count, other_reached in pairs:
        first, second = (
            count if reached else math.inf,
            other_count if other_reached else math.inf,
        )
        wins += first < second
        losses += second < first
    return wins, losses
