"""The coefficients of the updates, made for a block of iterations and rounded once."""

from __future__ import annotations

import copy
from typing import Any

import numpy as np
import numpy.typing as npt

from gdexp.descent.batch import Hyperparameters
from gdexp.engine import NEVER, Array, Counts

MOST_NUMBERS = 1 << 17
"""Coefficients of a block, where they change from one iteration to the next."""

FIRST = 64
"""The most iterations of the first block then."""

Told = tuple[Any, ...]
"""What rules say: numbers, or arrays of shape (rules,), (iterations, 1) or both."""


class Numbers:
    """The coefficients of some rows.

    Booleans among the coefficients choose a formula and belong to the plan. Rules that take
    blocks are asked for all iterations at once, by functions with the same bits on every machine;
    others for one after the other, with what their code computes here.

    Args:
        rules: the hyperparameters of the rows.
        dtype: of the plan's floats.

    Attributes:
        constant: whether all coefficients are the same at every iteration.
    """

    def __init__(self, rules: Hyperparameters, dtype: npt.DTypeLike) -> None:
        self._rules, self._dtype = rules, np.dtype(dtype)
        self._which = rules.which
        self._blocks = rules.rules[0].takes_blocks
        # What depends on a function of the iteration is the same number at the first one.
        self.constant = bool(np.all(rules.constant_from(1)))
        self._table: Array | None = None
        self._asked = 0
        self._since = np.full(len(rules), 0 if self.constant else NEVER, dtype=np.int64)

    def part(self, rows: slice | Counts) -> Numbers:
        """Return those of some rows, in their order."""
        if not self.constant:
            return Numbers(self._rules.part(rows), self._dtype)
        whole, part = self.table(1, 1), copy.copy(self)
        part._which = self._which[rows]
        part._table = whole if len(whole) == 1 else whole[rows]
        return part

    def longest(self) -> int:
        """Return the most iterations of a block."""
        if self.constant or self._table is not None:
            return NEVER
        return min(max(FIRST, self._asked), max(1, MOST_NUMBERS // len(self._which)))

    def constant_since(self, last: int) -> Counts:
        """Return for each row the iteration from which its coefficients are constant.

        Args:
            last: iterations after it are not asked for; `NEVER` where it is one of them.
        """
        if not self.constant and last >= self._asked:
            first, self._asked = self._asked, last + 1
            known = self._since < NEVER
            self._search(max(first, 1), max(last, 1), known)
            self._since[self._since == 1] = 0
        return self._since if len(self._since) == 1 else self._since[self._which]

    def table(self, first: int, last: int) -> Array:
        """Return the coefficients of the updates `first` … `last`, as `Block` takes them."""
        if self._table is not None:
            return self._table
        constant = bool((self._since <= first).all())
        with np.errstate(over="ignore"):
            found = self._numbers(first, first if constant else last).astype(self._dtype)
        if len(found) > 1 and not self._in_order:
            found = found[self._which]
        if constant:
            self._table = found
        return found

    def select(self, left: Counts) -> None:
        """Keep some of the rows."""
        self._which = self._which[left]
        if self._table is not None and len(self._table) > 1:
            self._table = self._table[left]

    @property
    def _in_order(self) -> bool:
        """Whether row i has rule i."""
        count = len(self._rules)
        return len(self._which) == count and bool((self._which == np.arange(count)).all())

    def _numbers(self, first: int, last: int) -> npt.NDArray[np.float64]:
        """Return the coefficients of some iterations; shape (rules or 1, iterations, c)."""
        if self._blocks:
            block = np.arange(first, last + 1, dtype=np.int64)[:, None]
            told: Told | None = self._rules.ask(lambda rule: rule.coefficients(block))
            if told is not None:
                return _stacked(told, len(block))
        each = [self._rules.coefficients(k) for k in range(first, last + 1)]
        return np.concatenate([_stacked(told, 1) for told in each], axis=1)

    def _is_constant(self, iteration: int) -> npt.NDArray[np.bool_]:
        """Return for each rule whether its coefficients are constant from an iteration on."""
        told: Any = None
        if self._blocks:
            block = np.array([[iteration]], dtype=np.int64)
            told = self._rules.ask(lambda rule: rule.constant_from(block))
        if told is None:
            told = self._rules.constant_from(iteration)
        return np.broadcast_to(np.asarray(told, dtype=bool).reshape(-1), self._since.shape)

    def _search(self, low: int, high: int, known: npt.NDArray[np.bool_]) -> None:
        """Find the first constant iteration of each rule in low … high.

        Args:
            low: the first iteration that may be it.
            high: the last.
            known: the rules that are constant before `low`.
        """
        todo = self._is_constant(high) & ~known
        if not todo.any():
            return
        if low == high:
            self._since[todo] = low
            return
        middle = (low + high) // 2
        self._search(low, middle, known)
        self._search(middle + 1, high, self._since < NEVER)


def _stacked(told: Told, iterations: int) -> npt.NDArray[np.float64]:
    """Return what rules told as one array of shape (rules or 1, iterations, c)."""
    numbers = [
        np.atleast_2d(np.asarray(each, dtype=np.float64))
        for each in told
        if not isinstance(each, bool)
    ]
    width = max((each.shape[1] for each in numbers), default=1)
    table = np.empty((width, iterations, len(numbers)))
    for i, each in enumerate(numbers):
        table[:, :, i] = each.T
    return table
