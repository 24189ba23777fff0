"""The check that a loss is not below the minimum that its problem declares."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import suppress

import numpy as np
import numpy.typing as npt
import torch

from gdexp.problems import ROUNDING, Problem

COARSE = 16
"""Rounding errors of a loss that could not be computed in double precision."""


class Minimum:
    """Tells which losses are below the minimum of a problem: its f* is then wrong or missing.

    Where f* is unknown it is taken for 0, and every negative loss is below it. A declared f* may
    be missed by rounding. So a loss below it is computed again in double precision, from the same
    x and the problem's own numbers, and must still be below f*.

    Args:
        problem: before its numbers were converted to the dtype of the descent.
        device: that x is on.

    Attributes:
        f_star: what thresholds are measured from.
    """

    def __init__(self, problem: Problem, device: torch.device) -> None:
        self._problem, self._device = problem, device
        self.f_star = problem.reference
        self._off = problem.absolute or not problem.checks_minimum
        self._double: Problem | None = None

    def is_above(self, loss: float, x: torch.Tensor) -> bool:
        """Return whether the loss at x is no smaller than the minimum."""
        if loss >= self.f_star or self._off:
            return True
        return not self._still_below(np.array(loss), x).item()

    def below(self, losses: npt.NDArray[np.float64], x: torch.Tensor) -> npt.NDArray[np.bool_]:
        """Return which rows of a batch are below the minimum.

        Args:
            losses: shape (rows,).
            x: shape (rows, *shape).
        """
        found = losses < self.f_star
        if self._off or not found.any():
            return np.zeros(len(losses), dtype=bool)
        index = torch.from_numpy(np.flatnonzero(found)).to(x.device)
        found[found] = self._still_below(losses[found], x.detach().index_select(0, index))
        return found

    def below_at(
        self,
        ends: npt.NDArray[np.int64],
        losses: npt.NDArray[np.float64],
        rows: npt.NDArray[np.int64],
        points: Sequence[torch.Tensor],
    ) -> npt.NDArray[np.bool_]:
        """Return which rows a block of iterations ends below the minimum; shape (some,).

        Args:
            ends: the offset into the block at which the loss ends each row; its length: nowhere.
            losses: shape (iterations, some).
            rows: the positions of the rows in x.
            points: x at each iteration.
        """
        found = np.zeros(rows.size, dtype=bool)
        ended = np.flatnonzero(ends < len(losses))
        final = losses[ends[ended], ended]
        low = (final < self.f_star) & np.isfinite(final)
        ended, final = ended[low], final[low]
        for offset in np.unique(ends[ended]).tolist():
            here = ends[ended] == offset
            x = points[offset].detach()
            index = torch.from_numpy(rows[ended[here]]).to(x.device)
            found[ended[here]] = self.below(final[here], x.index_select(0, index))
        return found

    def _still_below(
        self, losses: npt.NDArray[np.float64], x: torch.Tensor
    ) -> npt.NDArray[np.bool_]:
        """Return whether losses below the reference are so by more than rounding."""
        if self._problem.f_star is None:
            return np.ones(losses.shape, dtype=bool)
        error = COARSE * torch.finfo(x.dtype).eps
        with suppress(Exception):  # a loss of the user's own may take its own dtype alone
            if self._double is None:
                self._double = self._problem.to(torch.float64, self._device)
            with torch.no_grad():
                again = self._double.loss(x.detach().to(torch.float64, copy=True))
            if again.shape == losses.shape and torch.isfinite(again).all():
                losses = again.double().cpu().numpy()
                exact = again.dtype is torch.float64
                error = ROUNDING if exact else COARSE * torch.finfo(again.dtype).eps
        return losses < self.f_star - error * max(1.0, abs(self.f_star))
