"""Functions 15 to 19: multi-modal with adequate global structure."""

from __future__ import annotations

import math

import torch

from gdexp.problems.base import row_sum
from gdexp.problems.bbob.formula import Formula, Tensors
from gdexp.problems.bbob.instance import Instance
from gdexp.problems.bbob.moderate import RotatedRosenbrock
from gdexp.problems.bbob.transformations import (
    asymmetric,
    oscillated,
    penalty,
    power,
    rastrigin,
    root,
    rosenbrock_terms,
    rotated,
)

SUMMANDS = 12
"""Terms of Weierstrass's series."""


class RotatedRastrigin(Formula):
    """Rastrigin's function of z = R Λ¹⁰ Q T_asy^0.2(T_osz(R (x − x_opt)))."""

    title = "Rastrigin, rotated"

    def constants(self, given: Instance) -> dict[str, torch.Tensor]:
        """Return the shift, both matrices and the β_i."""
        return {
            "shift": given.x_opt(),
            "first": given.r(),
            "second": given.r_conditioned_q(10.0),
            "betas": 0.2 * given.shares(),
        }

    def gap(self, c: Tensors, x: torch.Tensor) -> torch.Tensor:
        """Return Rastrigin's function."""
        y = asymmetric(c.betas, oscillated(rotated(c.first, x - c.shift)))
        return rastrigin(rotated(c.second, y))


class Weierstrass(Formula):
    """`10 (1/n Σ_i Σ_k 2^−k cos(2π 3^k (z_i + ½)) − f_0)³`, k = 0 … 11, with a penalty of 10/n.

    z = R Λ^(1/100) Q T_osz(R (x − x_opt)); f_0 = Σ_k 2^−k cos(π 3^k) = 2^−11 − 2. Every
    z of integers is a minimiser. The series is smooth, but its slopes grow as 1.5^k.
    """

    title = "Weierstrass"
    unique = False

    def constants(self, given: Instance) -> dict[str, torch.Tensor]:
        """Return the shift and both matrices; for the series the factors and the angles."""
        k = torch.arange(SUMMANDS, dtype=torch.float64)
        return {
            "shift": given.x_opt(),
            "first": given.r(),
            "second": given.r_conditioned_q(0.01),
            "scales": 0.5**k,
            "exponents": 3.0**k,
        }

    def gap(self, c: Tensors, x: torch.Tensor) -> torch.Tensor:
        """Return the cube of the mean, and the penalty."""
        z = rotated(c.second, oscillated(rotated(c.first, x - c.shift)))
        angles = 2 * math.pi * (z + 0.5).unsqueeze(-1) * c.exponents
        mean = row_sum(row_sum(c.scales * torch.cos(angles))) / x.shape[-1]
        above = mean + (2 - 2.0 ** (1 - SUMMANDS))
        return 10 * (above * above * above) + 10 / x.shape[-1] * penalty(x)


class Schaffers(Formula):
    """`(1/(n−1) Σ √s_i (1 + sin²(50 s_i^0.2)))²`, s_i = √(z_i² + z_{i+1}²), with a penalty of 10.

    z = Λ^α Q T_asy^0.5(R (x − x_opt)). It has no derivative where an s_i is 0, x* among these
    points; the gradient of that term is taken as 0.

    Args:
        alpha: the conditioning.
        title: the function's name.
    """

    def __init__(self, alpha: float, title: str) -> None:
        self.title = title  # type: ignore[misc]
        self._alpha = alpha

    def constants(self, given: Instance) -> dict[str, torch.Tensor]:
        """Return the shift, both matrices and the β_i."""
        return {
            "shift": given.x_opt(),
            "first": given.r(),
            "second": given.conditioning(self._alpha)[:, None] * given.q(),
            "betas": 0.5 * given.shares(),
        }

    def gap(self, c: Tensors, x: torch.Tensor) -> torch.Tensor:
        """Return the square of the mean, and the penalty."""
        z = rotated(c.second, asymmetric(c.betas, rotated(c.first, x - c.shift)))
        squares = z * z
        s = squares[..., :-1] + squares[..., 1:]
        wave = torch.sin(50 * power(s, 0.1))
        mean = row_sum(root(root(s)) * (1 + wave * wave)) / (x.shape[-1] - 1)
        return mean * mean + 10 * penalty(x)


class GriewankRosenbrock(RotatedRosenbrock):
    """`10 + 10/(n−1) Σ (t_i / 4000 − cos t_i)`, where t_i are Rosenbrock's terms of f9's z."""

    title = "Composite Griewank-Rosenbrock F8F2"

    def gap(self, c: Tensors, x: torch.Tensor) -> torch.Tensor:
        """Return Griewank's function of Rosenbrock's terms."""
        t = rosenbrock_terms(rotated(c.first, x) + 0.5)
        return 10 + 10 * row_sum(t / 4000 - torch.cos(t)) / (x.shape[-1] - 1)
