"""Ending hopeless descents early, without changing which one wins."""

from __future__ import annotations

import bisect
import math
from collections.abc import Sequence
from itertools import accumulate

import numpy as np
import numpy.typing as npt

NO_LIMIT = 2**62
"""Iterations that no descent is allowed anyway."""


class Cap:
    """How many iterations a trial may make before it cannot win any more.

    A trial ends once it has made `factor` times the fewest iterations of any finished trial that
    converged to an equal or tighter threshold. With factor 1 the winner is the same as without
    a cap: a trial that is not within its threshold after K iterations has a hitting time above
    K, and the trial that set the cap has one of at most K. (F. Hutter et al., ParamILS, 2009,
    cap runs by the incumbent's time in the same way; here a looser threshold never caps a
    tighter one, so that the front of threshold against iterations stays whole too.)

    A trial of several seeds runs them in turn, and has on its way what irace allows (L. Pérez
    Cáceres et al., An experimental study of adaptive capping in irace, 2017): after j seeds it
    may have made `factor` times the iterations that the incumbent made on the same j seeds, plus
    one, the smallest time that can be measured. This judges a trial by the first seeds alone,
    so with several seeds the winner is likely, but not certain, to be the same.

    Args:
        factor: >= 1; None never caps.
    """

    def __init__(self, factor: float | None) -> None:
        self.factor = factor
        # The front of what was reached: thresholds rising, iterations (of all seeds) falling.
        self._thresholds: list[float] = []
        self._totals: list[int] = []
        self._sums: list[list[int]] = []

    def add(self, threshold: float, counts: Sequence[int]) -> None:
        """Count a trial that converged; `counts` are its iterations, seed by seed."""
        sums = list(accumulate(counts))
        if not self.lowered_by(threshold, sums[-1]):
            return
        at = end = bisect.bisect_right(self._thresholds, threshold)
        while end < len(self._totals) and self._totals[end] >= sums[-1]:
            end += 1
        begin = at
        while begin and self._thresholds[begin - 1] == threshold:
            begin -= 1
        self._thresholds[begin:end] = [threshold]
        self._totals[begin:end] = [sums[-1]]
        self._sums[begin:end] = [sums]

    def lowered_by(self, threshold: float, total: int) -> bool:
        """Whether a trial that converged after so many iterations would change any limit."""
        at = bisect.bisect_right(self._thresholds, threshold)
        return not at or self._totals[at - 1] > total

    def incumbent(self, threshold: float) -> list[int] | None:
        """The iterations of the best trial of an equal or tighter threshold, summed over seeds.

        Entry j is the sum over the seeds up to j; None when there is no such trial.
        """
        at = bisect.bisect_right(self._thresholds, threshold)
        return self._sums[at - 1] if at else None

    def limit(self, threshold: float, made: Sequence[int] = ()) -> int | None:
        """The iterations that the next descent of a trial may make; None for no limit.

        Args:
            threshold: of the trial.
            made: what its descents from other seeds made before; the limit is below 0 when
                that was too much already.
        """
        if self.factor is None:
            return None
        sums = self.incumbent(threshold)
        if sums is None:
            return None
        allowance = 0 if len(sums) == 1 else 1
        return self.after(sums[len(made)]) + allowance - sum(made)

    def limits(self, thresholds: npt.NDArray[np.float64]) -> npt.NDArray[np.int64]:
        """`limit` for the first descents of many trials; `NO_LIMIT` where there is none."""
        told = [self.limit(each) for each in self._thresholds]
        known = [NO_LIMIT if each is None else min(each, NO_LIMIT) for each in told]
        after = np.array([NO_LIMIT, *known], dtype=np.int64)
        return after[np.searchsorted(self._thresholds, thresholds, side="right")]

    def after(self, iterations: int) -> int:
        """The limit that a converged descent of so many iterations sets."""
        return math.floor((self.factor or 1.0) * iterations)
