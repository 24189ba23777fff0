"""How each row of a batch ends: its threshold and its limit, which a cap may lower."""

from __future__ import annotations

import bisect
from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt

from gdexp.descent.batch.outcome import CODES
from gdexp.descent.batch.result import Ended, Floats, Integers, Traces
from gdexp.descent.cap import NO_LIMIT, Cap
from gdexp.descent.stopping import Status, Stopping

EARLY = [code for status, code in CODES.items() if status.ended_early]
"""The codes of rows that something else than their own losses ended."""


class Earliest:
    """The first rows of a batch that converged to a threshold: of those after it, none matters."""

    def __init__(self) -> None:
        # Thresholds rise, rows fall.
        self._thresholds: list[float] = []
        self._rows: list[int] = []

    def add(self, threshold: float, row: int) -> bool:
        """Count a row; False when one before it has an equal or tighter threshold."""
        at = end = bisect.bisect_right(self._thresholds, threshold)
        if at and self._rows[at - 1] < row:
            return False
        while end < len(self._rows) and self._rows[end] > row:
            end += 1
        begin = at - 1 if at and self._thresholds[at - 1] == threshold else at
        self._thresholds[begin:end], self._rows[begin:end] = [threshold], [row]
        return True


@dataclass(frozen=True)
class Limits:
    """How each row ends: arrays of shape (rows,).

    Attributes:
        thresholds: of the loss above f*.
        limits: the most iterations.
        codes: what a row is called that made them, as a position in `STATUSES`.
        goals: the thresholds at which the traces of rows that converged end.
        most: the most iterations of these traces.
    """

    thresholds: Floats
    limits: Integers
    codes: npt.NDArray[np.int8]
    goals: Floats
    most: Integers

    @classmethod
    def of(cls, own: list[Stopping], which: Integers) -> Limits:
        """What the stopping rules of the rows say.

        Args:
            own: the distinct stopping rules.
            which: for each row the position of its own.
        """
        caps = np.array([NO_LIMIT if each.cap is None else each.cap for each in own])
        most = np.array([each.max_iterations for each in own])
        codes = np.where(caps < most, CODES[Status.CAPPED], CODES[Status.MAX_ITERATIONS])
        thresholds = np.array([each.threshold for each in own], dtype=np.float64)
        goals = np.array([each.goal for each in own], dtype=np.float64)
        limits = np.minimum(caps, most)
        return cls(thresholds[which], limits[which], codes[which], goals[which], most[which])

    def part(self, rows: Integers | slice) -> Limits:
        """Those of some rows, in arrays of their own."""
        return Limits(*(column[rows].copy() for column in vars(self).values()))

    def lower(self, stoppings: list[Stopping], rows: Integers, cap: Cap) -> None:
        """Give rows the limits that the cap has for them, where these are lower than their own.

        Args:
            stoppings: of all rows; replaced where the limit is lowered.
            rows: whose limits these are.
            cap: as it is now.
        """
        allowed = cap.limits(self.thresholds[rows])
        lower = allowed < self.limits[rows]
        lowered = rows[lower]
        self.limits[lowered] = allowed[lower]
        self.codes[lowered] = CODES[Status.CAPPED]
        made: dict[tuple[Stopping, int], Stopping] = {}
        for row, limit in zip(lowered.tolist(), allowed[lower].tolist(), strict=True):
            before = stoppings[row]
            key = (before, limit)
            if key not in made:
                made[key] = replace(before, cap=limit)
            stoppings[row] = made[key]

    def settle(self, stoppings: list[Stopping], rows: Integers, part: Ended, cap: Cap) -> None:
        """After rows that ran together: write down the limit that each has had, in order.

        Each row that converged is added to the cap after those before it. Few of them lower it;
        between two that do, the limits are those of one and the same cap.
        """
        met = np.flatnonzero(part.codes == CODES[Status.CONVERGED])
        thresholds = self.thresholds[rows[met]].tolist()
        first = 0
        for i, threshold, count in zip(
            met.tolist(), thresholds, part.iterations[met].tolist(), strict=True
        ):
            if cap.would_lower(threshold, count):
                self.lower(stoppings, rows[first : i + 1], cap)
                cap.add(threshold, [count])
                first = i + 1
        self.lower(stoppings, rows[first:], cap)


def note_midways(part: Ended, traces: Traces) -> None:
    """Note the loss in the middle of each row that ended before its limit.

    Args:
        part: how rows ended.
        traces: their losses, or gradient norms where thresholds are of them.
    """
    early = np.flatnonzero(np.isin(part.codes, EARLY))
    part.loss_midway[early] = traces.values[traces.offsets[early] + part.iterations[early] // 2]
