"""The cap: a limit that ends trials which can no longer win."""

from __future__ import annotations

import bisect
import copy
import math
from collections.abc import Sequence
from itertools import accumulate

import numpy as np
import numpy.typing as npt

NO_LIMIT = 2**62
"""More iterations than any descent may make."""


class Cap:
    """The number of iterations after which a trial can no longer win.

    A trial ends once it has made `factor` times the fewest iterations of any finished trial that
    converged to an equal or tighter threshold. With factor 1 the winner is the same as without
    a cap: a trial that is not within its threshold after K iterations has a hitting time above
    K, and the trial that set the cap has one of at most K. (F. Hutter et al., ParamILS, 2009,
    cap runs by the incumbent's time in the same way. Here a looser threshold never caps a
    tighter one, so the Pareto front of threshold and iterations is complete too.)

    A trial with several seeds runs them in turn, with the limits of irace (L. Pérez Cáceres et
    al., An experimental study of adaptive capping in irace, 2017): after j seeds it may have
    made `factor` times the iterations that the incumbent made on the same j seeds, plus one, the
    smallest time that can be measured. The first seeds alone decide, so with several seeds the
    winner is probably, but not certainly, the same.

    Args:
        factor: >= 1; None for no cap.
        sign: -1 where a larger threshold is tighter, as of a metric that is maximised; else 1.
    """

    def __init__(self, factor: float | None, sign: int = 1) -> None:
        self.factor, self._sign = factor, sign
        # The Pareto front: increasing thresholds (by sign), decreasing iterations (of all seeds).
        self._thresholds: list[float] = []
        self._totals: list[int] = []
        self._sums: list[list[int]] = []

    def copy(self) -> Cap:
        """Return a cap with the same trials."""
        return copy.deepcopy(self)

    def restore(self, earlier: Cap) -> None:
        """Drop the trials that were added since a copy was made."""
        vars(self).update(vars(earlier))

    def add(self, threshold: float, counts: Sequence[int]) -> None:
        """Add a trial that converged, with its iterations for each seed."""
        sums = list(accumulate(counts))
        if not self.would_lower(threshold, sums[-1]):
            return
        threshold *= self._sign
        at = end = bisect.bisect_right(self._thresholds, threshold)
        while end < len(self._totals) and self._totals[end] >= sums[-1]:
            end += 1
        begin = at
        while begin and self._thresholds[begin - 1] == threshold:
            begin -= 1
        self._thresholds[begin:end] = [threshold]
        self._totals[begin:end] = [sums[-1]]
        self._sums[begin:end] = [sums]

    def would_lower(self, threshold: float, total: int) -> bool:
        """Return whether a trial that converged after `total` iterations would lower a limit."""
        at = bisect.bisect_right(self._thresholds, self._sign * threshold)
        return not at or self._totals[at - 1] > total

    def incumbent(self, threshold: float) -> list[int] | None:
        """Return the cumulative iterations of the best trial with an equal or tighter threshold.

        Entry j is the sum over the seeds up to j. None when there is no such trial.
        """
        at = bisect.bisect_right(self._thresholds, self._sign * threshold)
        return self._sums[at - 1] if at else None

    def limit(self, threshold: float, made: Sequence[int] = ()) -> int | None:
        """Return the iterations that the next descent of a trial may make; None for no limit.

        Args:
            threshold: the trial's threshold.
            made: the iterations of its descents from earlier seeds; when they exceed the limit
                already, the result is below 0.
        """
        if self.factor is None:
            return None
        sums = self.incumbent(threshold)
        if sums is None:
            return None
        allowance = 0 if len(sums) == 1 else 1
        return self.limit_after(sums[len(made)]) + allowance - sum(made)

    def limits(self, thresholds: npt.NDArray[np.float64]) -> npt.NDArray[np.int64]:
        """Return `limit` for the first descents of many trials; `NO_LIMIT` where there is none."""
        found = (self.limit(self._sign * each) for each in self._thresholds)
        finite = [NO_LIMIT if each is None else min(each, NO_LIMIT) for each in found]
        steps = np.array([NO_LIMIT, *finite], dtype=np.int64)
        return steps[np.searchsorted(self._thresholds, self._sign * thresholds, side="right")]

    def limit_after(self, iterations: int) -> int:
        """Return the limit that a converged descent with this many iterations sets."""
        return math.floor((self.factor or 1.0) * iterations)
