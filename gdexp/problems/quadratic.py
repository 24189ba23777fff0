"""The problem whose every count is known: a quadratic with a chosen spectrum."""

from __future__ import annotations

import torch

from gdexp.core import BadInput, validation
from gdexp.problems.base import Problem, row_sum


class Quadratic(Problem):
    """`½ Σ λ_i x_i²`: Hessian diag(λ), minimum 0 at the origin.

    The condition number is L / mu. The start has ones in every eigendirection, so that no
    part of the spectrum is hidden. Rotate it (`Transformed`) to judge coordinate-wise rules:
    they are flattered by axes that are eigenvectors.

    Args:
        dimension: how many variables; at least 1.
        mu: the smallest eigenvalue, > 0.
        L: the largest eigenvalue, >= mu (equal to it in one dimension).
        spectrum: all eigenvalues as a flat list of numbers > 0, instead of the three above,
            which space them geometrically: λ_i = mu (L / mu)^(i / (dimension − 1)).
        x0: the start, one number for each eigenvalue; ones by default.
    """

    name = "quadratic"
    batchable = True
    f_star = 0.0

    def __init__(
        self,
        dimension: int = 10,
        mu: float = 0.01,
        L: float = 1.0,
        spectrum: object = None,
        x0: object = None,
    ) -> None:
        if spectrum is None:
            self.spectrum = _geometric(dimension, mu, L)
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
        """Half the weighted sum of squares, one value for each row of a batch.

        Both factors x contribute ½ λ x to the gradient, exactly; so it is λ x, rounded once.
        """
        return row_sum(self.spectrum * x * x) * 0.5


def _geometric(dimension: object, mu: object, largest: object) -> torch.Tensor:
    n = validation.integer("dimension", dimension, low=1, high=10_000_000)
    low, high = validation.positive("mu", mu), validation.positive("L", largest)
    if low > high:
        raise BadInput("mu", mu, f"must be at most L, which is {high:g}")
    if n == 1 and low != high:
        raise BadInput("dimension", n, "one dimension has one eigenvalue: give mu and L the same")
    spectrum = torch.tensor(
        [low * (high / low) ** (i / max(n - 1, 1)) for i in range(n)], dtype=torch.float64
    )
    spectrum[-1] = high  # not high minus a rounding
    return spectrum
