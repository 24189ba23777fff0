"""The coefficients of the updates, made for a block of iterations and rounded once."""

from __future__ import annotations

import copy
from typing import Any

import numpy as np
import numpy.typing as npt

from gdexp.descent.batch.hyperparameters import Hyperparameters
from gdexp.engine import NEVER, Array, Counts

MOST_NUMBERS = 1 << 20
"""Of a block's coefficients, where they change from one iteration to the next."""


_NO_COUNTS: Counts = np.zeros(1, dtype=np.int64)


class Numbers:
    """The coefficients of some rows.

    Booleans among the coefficients choose a formula and belong to the plan.

    Args:
        rules: the hyperparameters of the rows.
        dtype: of the plan's floats.
    """

    def __init__(self, rules: Hyperparameters, dtype: npt.DTypeLike) -> None:
        self._rules, self._dtype = rules, np.dtype(dtype)
        self._constant: Array | None = None
        self._asked = 0
        self._settled_all = rules.constant_from(1) is True
        self._since = np.full(len(rules), 0 if self._settled_all else NEVER, dtype=np.int64)

    def part(self, rows: slice) -> Numbers:
        """Return those of some rows, in their order."""
        if not self._settled_all:
            return Numbers(self._rules.part(rows), self._dtype)
        whole, part = self.table(1, 1), copy.copy(self)
        part._rules = copy.copy(self._rules)
        part._rules.which = self._rules.which[rows]
        part._constant = whole if len(whole) == 1 else whole[rows]
        return part

    def longest(self) -> int:
        """Return the most iterations of a block."""
        if self._settled_all:
            return NEVER
        return max(1, MOST_NUMBERS // (8 * len(self._rules.which)))

    def constant_since(self, last: int) -> Counts:
        """Return for each row the iteration from which its coefficients are constant.

        Args:
            last: iterations after it are not asked for; `NEVER` where it is one of them.
        """
        if self._settled_all:
            return _NO_COUNTS
        if last >= self._asked:
            first, self._asked = self._asked, last + 1
            self._search(max(first, 1), max(last, 1), np.zeros(len(self._since), dtype=bool))
            self._since[self._since == 1] = 0
        return self._since if len(self._since) == 1 else self._since[self._rules.which]

    def table(self, first: int, last: int) -> Array:
        """Return the coefficients of the updates `first` … `last`, as `Block` takes them."""
        if self._constant is not None:
            return self._constant
        constant = self._rules.constant_from(first) is True
        until = first if constant else last
        told = [self._rules.coefficients(k) for k in range(first, until + 1)]
        with np.errstate(over="ignore"):
            found = self._rows(told).astype(self._dtype)
        if constant:
            self._constant = found
        return found

    def select(self, left: Counts) -> None:
        """Keep some of the rows."""
        self._rules.which = self._rules.which[left]
        if self._constant is not None and len(self._constant) > 1:
            self._constant = self._constant[left]

    def _rows(self, told: list[tuple[Any, ...]]) -> npt.NDArray[np.float64]:
        """Return what the rules told for some iterations; shape (rows or 1, iterations, c)."""
        places = [i for i, value in enumerate(told[0]) if not isinstance(value, bool)]
        if not any(isinstance(told[0][i], np.ndarray) for i in places):
            plain = [[values[i] for i in places] for values in told]
            return np.array(plain, dtype=np.float64).reshape(1, len(told), len(places))
        table = np.empty((len(self._rules), len(told), len(places)))
        for j, values in enumerate(told):
            for column, i in enumerate(places):
                table[:, j, column] = values[i]
        which = self._rules.which
        whole = len(which) == len(table) and bool((which == np.arange(len(which))).all())
        return table if whole else table[which]

    def _search(self, low: int, high: int, known: npt.NDArray[np.bool_]) -> None:
        """Find the first constant iteration of each rule in low … high.

        Args:
            low: the first iteration that may be it.
            high: the last.
            known: the rules that are constant before `low`.
        """
        at_end = np.broadcast_to(self._rules.constant_from(high), known.shape)
        todo = at_end & ~known & (self._since == NEVER)
        if not todo.any():
            return
        if low == high:
            self._since[todo] = low
            return
        middle = (low + high) // 2
        self._search(low, middle, known)
        self._search(middle + 1, high, known | (self._since < NEVER))
