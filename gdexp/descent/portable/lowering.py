"""A cap in a batch: each row gets the limit that it would have if the rows ran in turn."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import numpy.typing as npt

from gdexp.descent.batch import CODES, EARLY, Earliest
from gdexp.descent.cap import Cap
from gdexp.descent.portable.descents import Descents
from gdexp.descent.stopping import Status
from gdexp.engine import Block

SHORTEST = 16
"""Iterations of a block at least; rows overrun their limit by less than an eighth or this."""


class Lowering:
    """Lowers the limits of the rows after one that converged.

    A row that converges at iteration k limits rows after it to k or more. They may have made the
    whole block before that is known: then they make it again, from where it began.

    Args:
        cap: of the batch; it has a factor.
        descents: the rows, in the order in which they would run.
        advance: makes a block of them.
    """

    def __init__(self, cap: Cap, descents: Descents, advance: Callable[[Block], None]) -> None:
        self._cap, self._descents, self._advance = cap, descents, advance
        self._earliest = Earliest()

    def length(self, length: int) -> int:
        """Return how many iterations a block may make."""
        return min(length, max(SHORTEST, self._descents.k // 8))

    def advance(self, block: Block) -> None:
        """Make a block, so that no row is beyond its limit."""
        d = self._descents
        may_end = d.open & ~d.met
        before = d.rows.take(np.arange(len(d.places)))
        below = d.below.copy()
        self._advance(block)
        self._lower(may_end)
        ended = d.ends.iterations[d.places]
        over = np.where(d.open & ~d.met, d.rows.k, ended) > d.limits.limits
        again = np.flatnonzero(may_end & over)
        if again.size:
            d.rows.put(again, before.take(again))
            d.met[again], d.open[again], d.below[again] = False, True, below[again]
        runs = np.flatnonzero(d.open & ~d.met)
        d.rows.limit[runs] = d.limits.limits[runs]
        if again.size:
            self._advance(block)

    def _lower(self, may_end: npt.NDArray[np.bool_]) -> None:
        """Let every row that converged in the block limit those after it, in order of k."""
        d, limits = self._descents, self._descents.limits
        codes, ended = d.ends.codes[d.places], d.ends.iterations[d.places]
        converged = may_end & (~d.open | d.met) & (codes == CODES[Status.CONVERGED])
        events = np.flatnonzero(converged)
        for row in events[np.argsort(ended[events], kind="stable")].tolist():
            k, place, threshold = int(ended[row]), int(d.places[row]), limits.thresholds[row]
            if k > limits.limits[row] or not self._earliest.add(float(threshold), place):
                continue
            limit = self._cap.limit_after(k)
            later = may_end & (d.places > place) & (limits.thresholds >= threshold)
            tied = later & (limits.limits == limit) & np.isin(limits.codes, EARLY)
            d.ends.codes[d.places[tied & np.isin(codes, EARLY)]] = CODES[Status.CAPPED]
            lowered = tied | later & (limits.limits > limit)
            limits.limits[lowered] = limit
            limits.codes[lowered] = CODES[Status.CAPPED]
