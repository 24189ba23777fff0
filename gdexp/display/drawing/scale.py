"""An axis: from values to places between 0 and 1, and its ticks with their labels."""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass

MARGIN = 0.05
"""The share of the range that stays free at each end."""

MOST_TICKS = 8

SHORT = 2
"""Decades of a log scale below which 1, 2 and 5 times a power of ten have ticks."""

_RAISED = str.maketrans("0123456789-", "⁰¹²³⁴⁵⁶⁷⁸⁹⁻")


@dataclass(frozen=True)
class Scale:
    """The range of an axis.

    Attributes:
        low: the value at place 0; on a log scale its power of ten.
        high: the value at place 1, likewise.
        log: whether the scale is logarithmic.
        inverted: whether the largest value is at place 0.
        whole: whether every shown value is a whole number; then every tick is one.
    """

    low: float
    high: float
    log: bool = False
    inverted: bool = False
    whole: bool = False

    @classmethod
    def around(
        cls,
        values: Iterable[float],
        log: bool = False,
        inverted: bool = False,
        floor: float | None = None,
    ) -> Scale:
        """Return the scale that shows all finite values; of a log scale all positive ones.

        Args:
            values: that are shown.
            log: whether the scale is logarithmic.
            inverted: whether the largest value is at place 0.
            floor: the value at which the scale begins; None: a margin below the smallest.
        """
        shown = [
            math.log10(value) if log else float(value)
            for value in values
            if math.isfinite(value) and (value > 0 or not log)
        ]
        whole = not log and all(value.is_integer() for value in shown)
        low, high = min(shown, default=0.0), max(shown, default=1.0)
        if floor is not None:
            low, high = floor, max(high, floor)
        if high - low <= 1e-12 * max(abs(low), abs(high)):
            spare = (0.5 if log else 0.05 * abs(high)) or 0.5
            low, high = low - (0 if floor is not None else spare), high + spare
        spare = MARGIN * (high - low)
        return cls(low - (0 if floor is not None else spare), high + spare, log, inverted, whole)

    def place(self, value: float) -> float:
        """Return where a value is, from 0 to 1; what lies outside is at the edge."""
        if self.log:
            value = math.log10(value) if value > 0 else -math.inf
        part = min(max((value - self.low) / (self.high - self.low), 0.0), 1.0)
        return 1 - part if self.inverted else part

    def ticks(self) -> list[tuple[float, str]]:
        """Return place and label of each tick."""
        if self.log and self.high - self.low >= SHORT:
            step = max(1, math.ceil((self.high - self.low) / MOST_TICKS))
            first = math.ceil(self.low / step - 1e-9) * step
            powers = range(first, math.floor(self.high + 1e-9) + 1, step)
            return [(self.place(10.0**power), _power(power)) for power in powers]
        if self.log:
            powers = range(math.floor(self.low), math.floor(self.high) + 1)
            marks = [k * 10.0**power for power in powers for k in (1, 2, 5)]
            shown = [mark for mark in marks if self.low <= math.log10(mark) <= self.high]
            if len(shown) > 1:
                return [(self.place(mark), f"{mark:,.12g}") for mark in shown]
        low, high = (10**self.low, 10**self.high) if self.log else (self.low, self.high)
        gap = _step((high - low) / (MOST_TICKS - 2))
        if self.whole:
            gap = max(gap, 1.0) if gap != 2.5 else 5.0
        if gap <= 0:
            return []
        first, last = math.ceil(low / gap - 1e-9), math.floor(high / gap + 1e-9)
        return [(self.place(n * gap), _label(n * gap, gap)) for n in range(first, last + 1)]


def _step(least: float) -> float:
    """Return the smallest of 1, 2, 2.5 and 5 times a power of ten that is not below a number."""
    if not least > 0 or not math.isfinite(least):
        return 0.0
    power = 10.0 ** math.floor(math.log10(least))
    return next((k * power for k in (1, 2, 2.5, 5) if k * power >= least), 10 * power)


def _power(power: int) -> str:
    return "10" + str(power).translate(_RAISED)


def _label(value: float, step: float) -> str:
    """Return a number with as many decimals as its axis needs."""
    if value and not 1e-4 <= step <= 1e6:
        return f"{value:.3g}"
    decimals = max(0, -math.floor(math.log10(step) + 1e-9))
    if decimals and not float(step * 10**decimals).is_integer():
        decimals += 1
    return f"{value:.{decimals}f}" if value else f"{0:.{decimals}f}"
