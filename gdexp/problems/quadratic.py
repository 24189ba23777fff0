"""A quadratic with a chosen spectrum, whose iteration counts are known exactly."""

from __future__ import annotations

import torch

from gdexp.core import BadInput, validation
from gdexp.problems.base import Problem, row_sum
from gdexp.problems.constants import ConstantFunctions


class Quadratic(Problem):
    """`½ Σ λ_i x_i²`: Hessian diag(λ), minimum 0 at the origin.

    The condition number is L / mu. The start is 1 along every eigenvector, so that all of the
    spectrum matters. To judge coordinate-wise rules, rotate it (`Transformed`): they do better
    than usual when the axes are eigenvectors.

    Args:
        dimension: the number of variables; at least 1.
        mu: the smallest eigenvalue, > 0.
        L: the largest eigenvalue, >= mu (equal to it in one dimension).
        spectrum: all eigenvalues as a flat list of numbers > 0. By default the three above
            space them geometrically: λ_i = mu (L / mu)^(i / (dimension − 1)).
        x0: the start, one number for each eigenvalue; ones by default.
    """

    name = "quadratic"
    batchable = True
    f_star = 0.0
    spectrum: torch.Tensor

    def __init__(
        self,
        dimension: int = 10,
        mu: float = 0.01,
        L: float = 1.0,
        spectrum: object = None,
        x0: object = None,
    ) -> None:
        if spectrum is None:
            self._spaced = _checked(dimension, mu, L)
            self._set_constants()
        else:
            self.spectrum = validation.tensor("spectrum", spectrum)
            if self.spectrum.ndim != 1 or bool((self.spectrum <= 0).any()):
                raise BadInput("spectrum", spectrum, "must be a flat list of numbers > 0")
        self.shape = tuple(self.spectrum.shape)
        super().__init__(torch.ones(self.shape, dtype=torch.float64) if x0 is None else x0)
        self.x_star = torch.zeros(self.shape, dtype=torch.float64)
        self.target = self.x_star
        self.curvature = (float(self.spectrum.min()), float(self.spectrum.max()))

    def loss(self, x: torch.Tensor) -> torch.Tensor:
        """Return half the weighted sum of squares, one value for each row of a batch.

        Each factor x contributes exactly ½ λ x to the gradient, so it is λ x, rounded once.
        """
        return row_sum(self.spectrum * x * x) * 0.5

    def _constants(self, functions: ConstantFunctions) -> dict[str, object]:
        n, low, high = self._spaced
        shares = [i / max(n - 1, 1) for i in range(n)]
        spectrum = low * functions.powers(high / low, shares)
        spectrum[-1] = high  # without a rounding error
        return {"spectrum": spectrum}


def _checked(dimension: object, mu: object, largest: object) -> tuple[int, float, float]:
    """Return the number of eigenvalues, the smallest and the largest."""
    n = validation.integer("dimension", dimension, low=1, high=10_000_000)
    low, high = validation.positive("mu", mu), validation.positive("L", largest)
    if low > high:
        raise BadInput("mu", mu, f"must be at most L, which is {high:g}")
    if n == 1 and low != high:
        raise BadInput("dimension", n, "one dimension has one eigenvalue: give mu and L the same")
    return n, low, high
