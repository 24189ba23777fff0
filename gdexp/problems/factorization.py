"""Low-rank matrix factorization: not convex, but its minimum is known."""

from __future__ import annotations

from functools import cache

import torch

from gdexp.core import validation
from gdexp.problems.base import Problem
from gdexp.problems.constants import ConstantFunctions
from gdexp.problems.digits_minima import MINIMA
from gdexp.problems.facts import Part, consecutive_parts


class Factorization(Problem):
    """`½ ‖U Vᵀ − M‖²` for M, the 1797 × 64 grey values of handwritten digits in [0, 1].

    x is flat: U (1797 × rank), then V (64 × rank), row by row. Every local minimum is global
    (P. Baldi, K. Hornik, Neural networks and principal component analysis, 1989). The minimum is
    half the sum of the squares of the omitted singular values (C. Eckart, G. Young, The
    approximation of one matrix by another of lower rank, 1936): 2044.30973 for rank 5. There the
    Hessian's largest eigenvalue is at least σ₁ + σ₁ = 274.1, with equality for balanced factors,
    so plain gradient descent needs lr < 0.0072955. Data: the digits of scikit-learn
    (E. Alpaydin, C. Kaynak, 1998), divided by 16.

    Args:
        rank: the number of columns of U and of V, 1 … 64.
        x0: the start as one flat list; by default uniform on [0, ½), drawn from the seed, so
            that the entries of U Vᵀ are near the mean of M.
    """

    name = "factorization"

    def __init__(self, rank: int = 5, x0: object = None) -> None:
        self.matrix, left, values, right = _digits()
        rows, columns = self.matrix.shape
        self.rank = validation.integer("rank", rank, low=1, high=columns)
        self._parts = consecutive_parts([("U", (rows, self.rank)), ("V", (columns, self.rank))])
        self.shape = ((rows + columns) * self.rank,)
        super().__init__(x0)
        self._set_constants()
        root = values[: self.rank].sqrt()
        factors = (left[:, : self.rank] * root, right[:, : self.rank] * root)
        self.x_star = torch.cat([factor.flatten() for factor in factors])

    def loss(self, x: torch.Tensor) -> torch.Tensor:
        """Return half the squared Frobenius distance; x has shape (1861 · rank,)."""
        return self.nodes(x)[-1][1]

    def draw(self, generator: torch.Generator) -> torch.Tensor:
        """Draw the start uniformly on [0, ½)."""
        return 0.5 * torch.rand(self.shape, generator=generator)

    def parts(self) -> list[Part]:
        """Return U and V in the order of x."""
        return self._parts

    def _constants(self, functions: ConstantFunctions) -> dict[str, object]:
        if functions.portable:
            return {"f_star": MINIMA[self.rank - 1]}
        tail = _digits()[2][self.rank :]
        return {"f_star": 0.5 * float(tail.square().sum())}

    def nodes(self, x: torch.Tensor) -> list[tuple[str, torch.Tensor]]:
        """Return the product U Vᵀ and the loss."""
        u, v = torch.split(x, [part.numel for part in self._parts])
        product = u.view(-1, self.rank) @ v.view(-1, self.rank).T
        return [("product", product), ("loss", (product - self.matrix).square().sum() * 0.5)]


@cache
def _digits() -> tuple[torch.Tensor, torch.Tensor, torch.Tensor, torch.Tensor]:
    """Return the matrix and its singular value decomposition U, σ and V, all float64."""
    from sklearn.datasets import load_digits

    matrix = torch.from_numpy(load_digits().data / 16.0)
    left, values, right = torch.linalg.svd(matrix, full_matrices=False)
    return matrix, left, values, right.T
