"""Functions 6 to 9: of low or moderate conditioning."""

from __future__ import annotations

import math

import torch

from gdexp.problems.base import row_sum
from gdexp.problems.bbob.formula import Formula, Tensors
from gdexp.problems.bbob.instance import Instance
from gdexp.problems.bbob.transformations import (
    nearest_integer,
    oscillated,
    penalty,
    power,
    rosenbrock_terms,
    rotated,
)


class AttractiveSector(Formula):
    """`T_osz(Σ (s_i z_i)²)^0.9` with z = R Λ¹⁰ Q (x − x_opt).

    s_i is 100 where z_i and x_opt_i have the same sign, else 1.
    """

    title = "Attractive Sector"

    def constants(self, given: Instance) -> dict[str, torch.Tensor]:
        """Return the shift and the matrix."""
        return {"shift": given.x_opt(), "first": given.r_conditioned_q(10.0)}

    def gap(self, c: Tensors, x: torch.Tensor) -> torch.Tensor:
        """Return the transformed sum of squares."""
        z = rotated(c.first, x - c.shift)
        scaled = torch.where(z * c.shift > 0, 100 * z, z)
        return power(oscillated(row_sum(scaled * scaled)), 0.9)


class StepEllipsoid(Formula):
    """`0.1 max(|ẑ_1| / 10⁴, Σ 100^(i/(n−1)) z_i²)`, where z is rounded, with a penalty of 1.

    ẑ = Λ¹⁰ R (x − x_opt) is rounded to integers where |ẑ_i| > ½, else to tenths, and then rotated.
    The function is made of plateaus: almost everywhere the gradient is that of the penalty,
    which is 0 within the box. Only around x* is it that of 10⁻⁵ |ẑ_1|.
    """

    title = "Step Ellipsoidal"
    unique = False

    def constants(self, given: Instance) -> dict[str, torch.Tensor]:
        """Return the shift, both matrices and the weights of the squares."""
        return {
            "shift": given.x_opt(),
            "first": given.conditioning(10.0)[:, None] * given.q(),
            "second": given.r(),
            "scales": given.powers(100.0),
        }

    def gap(self, c: Tensors, x: torch.Tensor) -> torch.Tensor:
        """Return the plateau's value and the penalty."""
        y = rotated(c.first, x - c.shift)
        rounded = torch.where(y.abs() > 0.5, nearest_integer(y), nearest_integer(10 * y) / 10)
        z = rotated(c.second, rounded)
        total = row_sum(c.scales * z * z)
        return 0.1 * torch.maximum(y[..., 0].abs() * 1e-4, total) + penalty(x)


class Rosenbrock(Formula):
    """Rosenbrock's function of z = max(1, √n / 8) (x − x_opt) + 1."""

    title = "Rosenbrock, original"
    smooth = True

    def constants(self, given: Instance) -> dict[str, torch.Tensor]:
        """Return the shift and the factor."""
        return {"shift": 0.75 * given.x_opt(), "scales": factor(given)}

    def gap(self, c: Tensors, x: torch.Tensor) -> torch.Tensor:
        """Return Rosenbrock's function."""
        return row_sum(rosenbrock_terms(c.scales * (x - c.shift) + 1))


class RotatedRosenbrock(Formula):
    """Rosenbrock's function of z = max(1, √n / 8) R x + ½; x* = Rᵀ 1 / (2 max(1, √n / 8))."""

    title = "Rosenbrock, rotated"
    smooth = True

    def constants(self, given: Instance) -> dict[str, torch.Tensor]:
        """Return the scaled rotation and the factor."""
        scale = factor(given)
        return {"first": scale * given.q(), "scales": scale}

    def gap(self, c: Tensors, x: torch.Tensor) -> torch.Tensor:
        """Return Rosenbrock's function."""
        return row_sum(rosenbrock_terms(rotated(c.first, x) + 0.5))

    def minimiser(self, c: Tensors) -> torch.Tensor:
        """Return the point where z = 1."""
        return c.first.sum(0) / (2 * c.scales * c.scales)


def factor(given: Instance) -> torch.Tensor:
    """Return max(1, √n / 8), which keeps the valley in the box; a scalar."""
    return torch.tensor(max(1.0, math.sqrt(given.dimension) / 8), dtype=torch.float64)
