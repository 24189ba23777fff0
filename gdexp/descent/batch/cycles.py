"""Finding rows whose state repeats bit for bit, as `gdexp.descent` finds it for one descent."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from types import ModuleType
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt
import torch

from gdexp.descent.batch.hyperparameters import Hyperparameters
from gdexp.descent.batch.outcome import Losses
from gdexp.descent.batch.result import Integers
from gdexp.optimizers import State

Array = Any
"""An array of numpy in the processor's memory, or else a tensor: what has an entry per row."""

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

    Args:
        rules: the hyperparameters of the rows.
        library: numpy or torch, whichever has the losses on the device.
        there: takes an array of numpy to the device.
    """

    def __init__(
        self,
        rules: Hyperparameters,
        library: ModuleType,
        there: Callable[[npt.NDArray[np.bool_]], Array],
    ) -> None:
        self._rules, self._library, self._there = rules, library, there
        self._anchor: Point | None = None
        self._anchor_losses: Array = None
        self._anchor_k = 0

    @property
    def anchored(self) -> tuple[Array, ...]:
        """The losses at the anchor, shape (rows,); nothing where there is none."""
        return () if self._anchor_losses is None else (self._anchor_losses,)

    def suspects(self, first: int, losses: Array) -> Array:
        """The rows that have a loss in a block equal to the one before it or to the anchor's.

        Args:
            first: the iteration that the block begins with.
            losses: shape (iterations + 1, rows), those of the iteration before at the top.

        Returns:
            shape (rows,); None when no row can repeat.
        """
        if self._rules.constant_from(first + len(losses) - 2) is False:
            return None
        own = losses[1:]
        alike = own == losses[:-1]
        for anchor in self.anchored:
            alike |= own == anchor
        return alike.any(0) if len(alike) > 1 else alike[0]

    def find(
        self,
        first: int,
        losses: Losses,
        anchored: Losses | None,
        points: list[Point],
        running: Callable[[], npt.NDArray[np.bool_]],
        which: Integers,
        rows: Integers,
    ) -> tuple[Integers, Integers] | None:
        """Where in a block some rows repeat, and after how many iterations; None when none can.

        Args:
            first: the iteration that the block begins with.
            losses: shape (iterations + 1, some), those of the iteration before at the top.
            anchored: those at the anchor.
            points: of the block, after the one before it.
            running: which rows have not ended at an iteration of the block by their loss, nor
                before it by their limit; shape (iterations, some), asked for when it is needed.
            which: for each row the position of its rule.
            rows: their positions in the tensor.

        Returns:
            two arrays of shape (some,): the offset into the block, the block's length where
            there is none; and the period.
        """
        block, count = len(losses) - 1, len(rows)
        if self._rules.constant_from(first + block - 1) is False:
            return None
        like_last = losses[1:] == losses[:-1]
        like_anchor = losses[1:] == (np.nan if anchored is None else anchored)
        if not (like_last.any() or like_anchor.any()):
            return None
        compared = running() & self._settled(first, block, which)
        like_last &= compared
        like_anchor &= compared
        at, periods = np.full(count, block), np.zeros(count, dtype=np.int64)
        for j in np.flatnonzero((like_last | like_anchor).any(1)).tolist():
            earlier = [(like_last, points[j], 1)]
            if self._anchor is not None:
                earlier.append((like_anchor, self._anchor, first + j - self._anchor_k))
            for like, there, period in earlier:
                some = np.flatnonzero(like[j] & (at == block))
                same = some[_same(points[j + 1], there, rows[some])] if some.size else some
                at[same], periods[same] = j, period
        return at, periods

    def note(self, k: int, losses: Array, point: Point, which: Integers) -> None:
        """Remember iteration k, the last one of a block, when it is a power of two."""
        if k == 0 or k & (k - 1):
            return
        settled = self._rules.constant_from(k)
        if settled is False:
            return
        if settled is not True:
            # The losses of rows whose rates still change must equal nothing.
            known = self._there(np.broadcast_to(settled, len(self._rules))[which])
            nothing = self._library.full_like(losses, np.nan)
            losses = self._library.where(known, losses, nothing)
        self._anchor_losses, self._anchor, self._anchor_k = losses, point, k

    def select(self, there: Array, index: torch.Tensor) -> None:
        """Keep some of the rows, given by their positions for the losses and for the points."""
        if self._anchor is not None:
            self._anchor = self._anchor.select(index)
            self._anchor_losses = self._anchor_losses[there]

    def saved(self) -> dict[str, Any] | None:
        """Return the anchor as data; None where there is none."""
        if self._anchor is None:
            return None
        x, state = self._anchor.x.detach(), list(self._anchor.state)
        return {"x": x, "state": state, "losses": self._anchor_losses, "iteration": self._anchor_k}

    def go_on(self, saved: Mapping[str, Any] | None) -> None:
        """Take the anchor that `saved` returned."""
        if saved is not None:
            self._anchor = Point(saved["x"], tuple(saved["state"]))
            self._anchor_losses, self._anchor_k = saved["losses"], saved["iteration"]

    def _settled(self, first: int, block: int, which: Integers) -> npt.NDArray[np.bool_] | bool:
        if self._rules.constant_from(first) is True:
            return True
        told = [self._rules.constant_from(first + j) for j in range(block)]
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
