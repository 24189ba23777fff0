"""The notebook's second part: a small graph whose gradient is known in closed form."""

from __future__ import annotations

import torch

from gdexp.core import validation
from gdexp.problems.base import THREADED_SIZE, Problem, row_sum

NOTEBOOK_X0 = [[1.0, 2.0], [3.0, 4.0]]


class Autograd(Problem):
    """`((x + 2) * (x - 2)).sum()`: gradient 2x, minimum −4n at x = 0 for n numbers.

    Args:
        x0: numbers in any shape; the notebook's [[1, 2], [3, 4]] by default.
    """

    name = "autograd"
    batchable = True

    def __init__(self, x0: object = None) -> None:
        super().__init__(validation.tensor("x0", NOTEBOOK_X0 if x0 is None else x0))
        self.f_star = -4.0 * torch.Size(self.shape).numel()
        self.x_star = torch.zeros(self.shape, dtype=torch.float64)
        self.target = self.x_star
        self.curvature = (2.0, 2.0)

    def loss(self, x: torch.Tensor) -> torch.Tensor:
        """Return the sum, one value for each row of a batch."""
        return self.nodes(x)[-1][1]

    def nodes(self, x: torch.Tensor) -> list[tuple[str, torch.Tensor]]:
        """Return the notebook's x1 = x + 2, x2 = x − 2, x3 = x1 * x2 and y = x3.sum()."""
        x1 = x + 2
        x2 = x - 2
        x3 = x1 * x2
        small = torch.Size(self.shape).numel() < THREADED_SIZE
        single = x.ndim == len(self.shape)
        if single and small:
            y = x3.sum()
        else:
            rows = x3.flatten() if single else x3.reshape(len(x3), -1)
            y = rows.sum(-1) if small else row_sum(rows)
        return [("x1", x1), ("x2", x2), ("x3", x3), ("y", y)]
