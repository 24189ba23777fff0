"""The next learning rate to try, from the contraction factors of the rates that were tried.

A descent that needs the hitting time T to come from a gap of about 1 to the threshold τ shrinks
the distance to the minimiser by about ρ = τ^(1 / 2T) in each iteration. On a quadratic function
with curvatures from mu to L, gradient descent has ρ = max(1 − lr·mu, lr·L − 1) (B. Polyak,
Introduction to optimization, 1987): two straight lines, which meet at the best rate. One rate on
each side gives both lines, as ρ = 1 at lr = 0. A descent that diverges is on the second line too:
it overflows after n iterations where ρ^2n is the largest number of its format.

On other functions the lines are secants, as in the methods of R. Brent (Algorithms for
minimization without derivatives, 1973), with his safeguard: where the secants do not shorten the
interval, it is divided by the golden section.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import NamedTuple

GOLDEN = (3 - math.sqrt(5)) / 2
NARROW = 0.006
"""The logarithm of an interval that is not divided any more: a count changes by less than 1 %."""

LEAST_STEP = 0.0015
"""The smallest distance of two rates, as a logarithm."""

SHARE = 0.03
"""The smallest distance of a new rate from the ends of its interval, as a share of the interval."""

WIDE = math.log(4.0)
"""From an end that is farther than this the middle is tried first, not the end."""

LEAST = 1e-300
"""A smaller threshold counts as this one."""

STEEPEST = 60.0
"""The logarithm of the largest factor, so that its line has a slope."""


class Tried(NamedTuple):
    """A learning rate that was tried.

    Attributes:
        rate: > 0.
        factor: its contraction factor ρ; 1 or more where the descent came no nearer.
    """

    rate: float
    factor: float


class Bracket(NamedTuple):
    """The best rate and its neighbours.

    Attributes:
        below: rates below the best, rising.
        best: the rate with the smallest factor.
        above: rates above the best, rising.
        low: the smallest rate of the interval that holds the optimum: a neighbour, or the range's.
        high: the largest.
    """

    below: Sequence[Tried]
    best: Tried
    above: Sequence[Tried]
    low: float
    high: float

    @classmethod
    def of(cls, tried: Sequence[Tried], low: float, high: float) -> Bracket:
        """Return the bracket of rates that were tried in the range from `low` to `high`."""
        rising = sorted(tried)
        best = min(rising, key=lambda each: each.factor)
        at = rising.index(best)
        below = [each for each in rising[:at] if each.rate < best.rate]
        above = [each for each in rising[at:] if each.rate > best.rate]
        ends = below[-1].rate if below else low, above[0].rate if above else high
        return cls(below, best, above, min(ends[0], best.rate), max(ends[1], best.rate))

    @property
    def width(self) -> float:
        """The logarithm of the interval."""
        return math.log(self.high / self.low)


class Line(NamedTuple):
    """The line `slope · rate + start`."""

    slope: float
    start: float

    @classmethod
    def through(cls, one: tuple[float, float], other: tuple[float, float]) -> Line:
        """Return the line through two points of different rates."""
        slope = (other[1] - one[1]) / (other[0] - one[0])
        return cls(slope, one[1] - slope * one[0])

    def meets(self, other: Line) -> float | None:
        """Return the rate where this falling line meets a rising one; None if they do not so."""
        if self.slope >= 0 or other.slope <= 0:
            return None
        return (other.start - self.start) / (self.slope - other.slope)

    def at(self, rate: float) -> float:
        """Return the factor on the line at a rate."""
        return self.slope * rate + self.start


AT_ZERO, MIRRORED = Tried(0.0, 1.0), Tried(0.0, -1.0)
"""Points of the falling and of the rising line of a quadratic function."""


def contraction(time: float, threshold: float) -> float:
    """Return ρ of a descent that needs this hitting time."""
    exponent = math.log(min(max(threshold, LEAST), 0.5)) / 2
    return math.exp(exponent / max(time, 1e-9))


def expansion(iterations: int, largest: float) -> float:
    """Return ρ >= 1 of a descent that overflows after so many iterations.

    Args:
        iterations: until the loss was no finite number.
        largest: the logarithm of the largest number of the format.
    """
    return math.exp(min(largest / 2 / max(iterations, 1), STEEPEST))


def believed(tried: Sequence[Tried], rate: float) -> Tried:
    """Return a rate whose descent still runs, with the factor between those of its neighbours.

    As if it were known, so that the next rate lies elsewhere. It is never better than the best:
    between its neighbours the factor of a quadratic function is on or below their line.

    Args:
        tried: at least one.
        rate: of the descent.
    """
    rising = sorted(tried)
    below = [each for each in rising if each.rate <= rate]
    above = [each for each in rising if each.rate >= rate]
    if not below or not above:
        return Tried(rate, (rising[0] if above else rising[-1]).factor)
    left, right = below[-1], above[0]
    if left.rate == right.rate:
        return Tried(rate, left.factor)
    return Tried(rate, Line.through(left, right).at(rate))


def next_rate(tried: Sequence[Tried], low: float, high: float) -> float | None:
    """Return the next learning rate to try.

    Args:
        tried: in the order in which they were tried, at least one, each in the range.
        low: the smallest rate of the range, > 0.
        high: the largest.

    Returns:
        A rate in the range; None where the best rate is known well enough.
    """
    bracket = Bracket.of(tried, low, high)
    if bracket.width < NARROW:
        return None
    if bracket.best.factor >= 1:
        return _lower(bracket, low)
    if not bracket.above:
        up = math.log(high / bracket.best.rate)
        if up < NARROW:  # the best so far is the largest of the range
            return _golden(bracket)
        return math.sqrt(bracket.best.rate * high) if up > WIDE else high
    if len(tried) > 3:
        before = Bracket.of(tried[:-3], low, high)
        if bracket.width > before.width / 2 and bracket.low >= before.low:
            return _golden(bracket)
    return _on_lines(bracket) or _golden(bracket)


def _lower(bracket: Bracket, low: float) -> float | None:
    """Return a rate below all others, which came no nearer to the minimiser."""
    first = min([*bracket.below, bracket.best, *bracket.above])
    if math.log(first.rate / low) < NARROW:
        return None
    stable = first.rate / (1 + first.factor)  # 1 / L
    return max(stable, math.sqrt(low * first.rate))


def _on_lines(bracket: Bracket) -> float | None:
    """Return where a falling and a rising line meet beside the best rate, if they do.

    The best rate is on one of them. So there are two cases; of two meeting points the one with
    the smaller factor is returned.
    """
    below, best, above = bracket.below, bracket.best, bracket.above
    found = []
    falling = Line.through(below[-1] if below else AT_ZERO, best)
    close = len(above) > 1 and above[1].factor < 3
    rising = Line.through(above[0], above[1]) if close else Line.through(MIRRORED, above[0])
    rate = falling.meets(rising)
    if rate is not None and best.rate < rate < above[0].rate:
        found.append((falling.at(rate), rate, best.rate, above[0].rate))
    rising = Line.through(best, above[0])
    if below:
        falling = Line.through(below[-2] if below[1:] else AT_ZERO, below[-1])
        rate = falling.meets(rising)
        if rate is not None and below[-1].rate < rate < best.rate:
            found.append((falling.at(rate), rate, below[-1].rate, best.rate))
    if not found:
        return None
    _, rate, left, right = min(found)
    side = math.log(right / left)
    step = min(max(LEAST_STEP, SHARE * side), side / 3)
    return min(max(rate, left * math.exp(step)), right * math.exp(-step))


def _golden(bracket: Bracket) -> float:
    """Return the rate that divides the wider side of the best one by the golden section."""
    best = bracket.best.rate
    down, up = math.log(best / bracket.low), math.log(bracket.high / best)
    return best * math.exp(GOLDEN * up if up >= down else -GOLDEN * down)
