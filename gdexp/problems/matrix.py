"""The notebook's first part: a random tensor moved onto a target by the mean squared error."""

from __future__ import annotations

import torch
import torch.nn.functional as F

from gdexp.core import BadInput, validation
from gdexp.problems.base import DIVIDED, Problem, row_sum

NOTEBOOK_TARGET = [[0.1, 0.2, 0.3], [0.4, 0.5, 0.6], [0.7, 0.8, 0.9]]


class Matrix(Problem):
    """`F.mse_loss(x, target)`, whose Hessian is (2/n) I for n numbers.

    Plain gradient descent therefore shrinks the loss by (1 − 2 lr / n)² at every iteration.

    Args:
        target: numbers in any shape; the notebook's 3×3 of .1 … .9 by default.
        x0: the start, of the target's shape; uniform on [0, 1) from the seed by default.
    """

    name = "matrix"
    batchable = True
    f_star = 0.0
    target: torch.Tensor

    def __init__(self, target: object = None, x0: object = None) -> None:
        self.target = validation.tensor("target", NOTEBOOK_TARGET if target is None else target)
        self.shape = tuple(self.target.shape)
        if x0 is not None:
            start = validation.tensor("x0", x0)
            if start.shape != self.target.shape:
                raise BadInput(
                    "x0",
                    f"shape {tuple(start.shape)}",
                    f"must have the target's shape {tuple(self.target.shape)}: broadcasting "
                    "would minimise another function",
                )
        super().__init__(x0)
        self._repeated: torch.Tensor | None = None
        self.x_star = self.target
        self.curvature = (2 / self.target.numel(), 2 / self.target.numel())

    def loss(self, x: torch.Tensor) -> torch.Tensor:
        """The mean squared error against the target, one value for each row of a batch."""
        numbers = self.target.numel()
        alone = x.ndim == self.target.ndim
        if alone and numbers < DIVIDED:
            return F.mse_loss(x, self.target)
        squares = F.mse_loss(x, self._like(x), reduction="none")
        rows = squares.flatten() if alone else squares.reshape(len(squares), -1)
        return rows.mean(-1) if numbers < DIVIDED else row_sum(rows) / numbers

    def _like(self, x: torch.Tensor) -> torch.Tensor:
        """The target once for each row; kept, because a strided one slows every kernel."""
        kept = self._repeated
        if kept is None or kept.shape != x.shape or kept.dtype != x.dtype:
            kept = self._repeated = self.target.expand_as(x).contiguous()
        return kept
