"""Finding rows whose state repeats bit for bit, as `gdexp.descent` finds it for one descent."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
import torch

from gdexp.batch.outcome import Losses
from gdexp.batch.result import Integers
from gdexp.batch.rules import Hyperparameters
from gdexp.optimizers import State

_INTEGERS = {2: torch.int16, 4: torch.int32, 8: torch.int64}


class Point(NamedTuple):
    """Where the rows are: x and the state of their rule."""

    x: torch.Tensor
    state: State

    def select(self, index: torch.Tensor) -> Point:
        """Some of the rows."""
        return Point(
            self.x.detach().index_select(0, index),
            tuple(part.index_select(0, index) for part in self.state),
        )


class Repeats:
    """The search for a state that was there before: one iteration ago, or at the anchor.

    The anchor is the point at the last power of two (Brent). Rows are compared only where their
    losses are equal, and only from where their coefficients have settled.
    """

    def __init__(self, rules: Hyperparameters) -> None:
        self._rules = rules
        self._last: Losses | None = None
        self._anchor: Point | None = None
        self._anchor_losses: Losses | None = None
        self._anchor_k = 0

    def find(
        self,
        first: int,
        losses: Losses,
        points: list[Point],
        running: Callable[[], npt.NDArray[np.bool_]],
        which: Integers,
    ) -> tuple[Integers, Integers] | None:
        """Where in a block rows repeat, and after how many iterations; None when none can.

        Args:
            first: the iteration that the block begins with.
            losses: shape (block, rows).
            points: those of the block, after the one before it.
            running: which rows have not ended at an iteration of the block by their loss, nor
                before it by their limit; shape (block, rows), asked for when it is needed.
            which: for each row the position of its rule.

        Returns:
            two arrays of shape (rows,): the offset into the block, the block's length where
            there is none; and the period.
        """
        block, count = losses.shape
        if self._last is None or self._rules.settled(first + block - 1) is False:
            return None
        like_last = np.empty(losses.shape, dtype=bool)
        np.equal(losses[0], self._last, out=like_last[0])
        np.equal(losses[1:], losses[:-1], out=like_last[1:])
        anchor = self._anchor
        like_anchor = losses == (np.nan if anchor is None else self._anchor_losses)
        if not (like_last.any() or like_anchor.any()):
            return None
        compared = running() & self._settled(first, block, which)
        like_last &= compared
        like_anchor &= compared
        at, periods = np.full(count, block), np.zeros(count, dtype=np.int64)
        for j in np.flatnonzero((like_last | like_anchor).any(1)).tolist():
            earlier = [(like_last, points[j], 1)]
            if anchor is not None:
                earlier.append((like_anchor, anchor, first + j - self._anchor_k))
            for like, there, period in earlier:
                rows = np.flatnonzero(like[j] & (at == block))
                same = rows[_same(points[j + 1], there, rows)] if rows.size else rows
                at[same], periods[same] = j, period
        return at, periods

    def note(self, k: int, losses: Losses, point: Point, which: Integers) -> None:
        """Remember iteration k, the last one of a block; at a power of two it is the anchor."""
        self._last = losses
        if k == 0 or k & (k - 1):
            return
        settled = self._rules.settled(k)
        if settled is not False:
            # The losses of rows whose rates still change must equal nothing.
            known = np.broadcast_to(settled, len(self._rules))[which]
            self._anchor_losses = np.where(known, losses, losses.dtype.type(np.nan))
            self._anchor, self._anchor_k = point, k

    def select(self, left: Integers, index: torch.Tensor) -> None:
        """Keep some of the rows; their positions are given twice, for the host and the device."""
        if self._last is not None:
            self._last = self._last[left]
        if self._anchor is not None and self._anchor_losses is not None:
            self._anchor = self._anchor.select(index)
            self._anchor_losses = self._anchor_losses[left]

    def _settled(self, first: int, block: int, which: Integers) -> npt.NDArray[np.bool_] | bool:
        if self._rules.settled(first) is True:
            return True
        told = [self._rules.settled(first + j) for j in range(block)]
        per_rule = np.stack([np.broadcast_to(value, len(self._rules)) for value in told])
        return per_rule[:, which]


def _same(here: Point, there: Point, rows: Integers) -> npt.NDArray[np.bool_]:
    """For each of some rows, whether two points with their states are equal bit for bit."""
    if len(here.state) != len(there.state):
        return np.zeros(rows.size, dtype=bool)
    index = torch.from_numpy(rows).to(here.x.device)
    equal = torch.ones(rows.size, dtype=torch.bool, device=here.x.device)
    for a, b in zip((here.x, *here.state), (there.x, *there.state), strict=True):
        equal &= _bits(a, index).eq(_bits(b, index)).all(1)
    return equal.cpu().numpy()


def _bits(tensor: torch.Tensor, index: torch.Tensor) -> torch.Tensor:
    rows = tensor.detach().index_select(0, index).reshape(len(index), -1)
    return rows.view(_INTEGERS[rows.element_size()])
