"""The mean squared error between a tensor and a target: the first part of the notebook."""

from __future__ import annotations

import torch
import torch.nn.functional as F

from gdexp.core import BadInput, validation
from gdexp.problems.base import THREADED_SIZE, Problem, row_sum

NOTEBOOK_TARGET = [[0.1, 0.2, 0.3], [0.4, 0.5, 0.6], [0.7, 0.8, 0.9]]


class Matrix(Problem):
    """`F.mse_loss(x, target)`, whose Hessian is (2/n) I for n numbers.

    So plain gradient descent multiplies the loss by (1 − 2 lr / n)² at every iteration.

    Args:
        target: numbers in any shape; the notebook's 3×3 of .1 … .9 by default.
        x0: the start, of the target's shape; by default uniform on [0, 1), drawn from the seed.
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
        self._rows: torch.Tensor | None = None
        self.x_star = self.target
        self.curvature = (2 / self.target.numel(), 2 / self.target.numel())

    def loss(self, x: torch.Tensor) -> torch.Tensor:
        """Return the mean squared error, one value for each row of a batch."""
        size = self.target.numel()
        single = x.ndim == self.target.ndim
        if single and size < THREADED_SIZE:
            return F.mse_loss(x, self.target)
        squares = F.mse_loss(x, self._target_rows(x), reduction="none")
        rows = squares.flatten() if single else squares.reshape(len(squares), -1)
        return rows.mean(-1) if size < THREADED_SIZE else row_sum(rows) / size

    def _target_rows(self, x: torch.Tensor) -> torch.Tensor:
        """Return the target repeated to x's shape; cached, because kernels are slow on views."""
        rows = self._rows
        if rows is None or rows.shape != x.shape or rows.dtype != x.dtype:
            rows = self._rows = self.target.expand_as(x).contiguous()
        return rows
