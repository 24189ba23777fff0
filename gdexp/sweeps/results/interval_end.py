"""One end of a stretch of learning rates, looked for from within: which to try next."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np

NEAREST, FARTHEST = 1e-6, 1e12
"""Distances, relative to the learning rate, between which an end is looked for."""

SAFE = 1e-300, 1e300
"""Learning rates outside are not tried: their multiples are no normal doubles."""


class Side:
    """What is known of the distance of one end from the learning rate, relative to it.

    Args:
        lr: where the search begins.
        sign: 1 for the upper end, -1 for the lower.
        guess: the distance that is tried first.
        fine: the relative precision that is wanted.
    """

    def __init__(self, lr: float, sign: int, guess: float, fine: float) -> None:
        self.lr, self.sign, self.guess, self.fine = lr, sign, guess, fine
        self.end = lr
        self.outer: float | None = None

    def distance(self, rate: float) -> float:
        """How far a learning rate is from the start; the same for lr·2 and lr/2."""
        return rate / self.lr - 1 if self.sign > 0 else self.lr / rate - 1

    @property
    def inner(self) -> float:
        """The distance of the outermost learning rate that shares the counts."""
        return self.distance(self.end)

    @property
    def found(self) -> bool:
        """Whether the end is known as well as it is wanted."""
        return self.outer is not None and self._narrow(self.outer)

    def _narrow(self, outer: float) -> bool:
        return outer - self.inner <= self._wanted()

    def _wanted(self) -> float:
        """The gap between what shares and what does not at which an end is known.

        Twice the nearest distance that is tried, so that rounding it to a decimal does no harm.
        """
        return max(min(self.fine * (1 + self.inner), self.inner / 8), 2 * NEAREST)

    def probes(self, most: int) -> list[float]:
        """The next learning rates to try, outward; none when there is nothing left to find."""
        if self.found:
            return []
        rates = [self._rate(at, width) for at, width in self._distances(most)]
        unique = sorted(set(rates), key=self.distance)
        return [rate for rate in unique if self._between(rate)]

    def _distances(self, most: int) -> list[tuple[float, float]]:
        """Distances with the precision that each needs."""
        inner, outer, ratio = self.inner, self.outer, 2.0 if most > 8 else 4.0
        if outer is None and inner == 0:
            first = self.guess * ratio ** -(most // 2)
            ladder = [first * ratio**j for j in range(most)]
        elif outer is None:
            ladder = [inner * ratio ** (j + 1) for j in range(most)]
        elif inner == 0:
            ladder = [outer * ratio ** (j - most) for j in range(most)]
        elif outer > ratio * inner:
            ladder = np.geomspace(inner, outer, most + 2)[1:-1].tolist()
        else:
            # A little finer than is wanted, for what rounding adds.
            parts = min(most + 1, math.ceil(1.25 * (outer - inner) / self._wanted()))
            gap = (outer - inner) / parts
            return [(inner + gap * j, gap) for j in range(1, parts)]
        # So near to the start there is nothing more to know, so far from it nothing of use.
        kept = [at for at in ladder if NEAREST <= at <= FARTHEST]
        if inner == 0 and ladder[0] < NEAREST and (outer is None or outer > 2 * NEAREST):
            kept.insert(0, NEAREST)
        return [(at, at * (ratio - 1)) for at in kept]

    def _rate(self, at: float, width: float) -> float:
        """The learning rate at a distance, rounded by an eighth of `width` at most."""
        rate = self.lr * (1 + at) if self.sign > 0 else self.lr / (1 + at)
        return float(f"{rate:.{min(max(_digits(width / (1 + at)), 1), 16)}g}")

    def _between(self, rate: float) -> bool:
        beyond = self.outer is None or self.distance(rate) < self.outer
        return self.distance(rate) > self.inner and beyond and SAFE[0] <= rate <= SAFE[1]

    def learn(self, rates: Sequence[float], shared: Sequence[bool]) -> None:
        """What came of probes, in their order outward."""
        for rate, shares in zip(rates, shared, strict=True):
            if not shares:
                self.outer = self.distance(rate)
                return
            self.end = rate


def _digits(width: float) -> int:
    """Significant digits that round a number by at most an eighth of a relative width."""
    return math.ceil(1 - math.log10(width / 4))
