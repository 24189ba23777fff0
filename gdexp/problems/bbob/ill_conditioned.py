"""Functions 10 to 14: unimodal with high conditioning."""

from __future__ import annotations

import torch

from gdexp.problems.base import row_sum
from gdexp.problems.bbob import random_numbers
from gdexp.problems.bbob.formula import Formula, Tensors
from gdexp.problems.bbob.instance import Instance
from gdexp.problems.bbob.transformations import asymmetric, oscillated, power, root, rotated


class RotatedEllipsoid(Formula):
    """`Σ 10^(6 i/(n−1)) z_i²` with z = T_osz(R (x − x_opt))."""

    title = "Ellipsoidal, rotated"

    def constants(self, given: Instance) -> dict[str, torch.Tensor]:
        """Return the shift, the rotation and the weights of the squares."""
        return {"shift": given.x_opt(), "first": given.r(), "scales": given.powers(1e6)}

    def gap(self, c: Tensors, x: torch.Tensor) -> torch.Tensor:
        """Return the weighted sum of squares."""
        z = oscillated(rotated(c.first, x - c.shift))
        return row_sum(c.scales * z * z)


class Discus(RotatedEllipsoid):
    """`10⁶ z_1² + Σ_{i>1} z_i²` with z = T_osz(R (x − x_opt))."""

    title = "Discus"

    def constants(self, given: Instance) -> dict[str, torch.Tensor]:
        """Return the shift, the rotation and the weights of the squares."""
        scales = torch.ones(given.dimension, dtype=torch.float64)
        scales[0] = 1e6
        return {"shift": given.x_opt(), "first": given.r(), "scales": scales}


class BentCigar(Formula):
    """`z_1² + 10⁶ Σ_{i>1} z_i²` with z = R T_asy^0.5(R (x − x_opt))."""

    title = "Bent Cigar"
    smooth = True

    def constants(self, given: Instance) -> dict[str, torch.Tensor]:
        """Return the shift, which has the second seed, the rotation, the weights and the β_i."""
        scales = torch.full((given.dimension,), 1e6, dtype=torch.float64)
        scales[0] = 1.0
        return {
            "shift": random_numbers.x_opt(given.second_seed, given.dimension),
            "first": given.r(),
            "scales": scales,
            "betas": 0.5 * given.shares(),
        }

    def gap(self, c: Tensors, x: torch.Tensor) -> torch.Tensor:
        """Return the weighted sum of squares."""
        z = rotated(c.first, asymmetric(c.betas, rotated(c.first, x - c.shift)))
        return row_sum(c.scales * z * z)


class SharpRidge(Formula):
    """`z_1² + 100 √(Σ_{i>1} z_i²)` with z = R Λ¹⁰ Q (x − x_opt).

    It has no derivative on the ridge, z_2 = … = z_n = 0, where the root's gradient is taken as 0.
    """

    title = "Sharp Ridge"

    def constants(self, given: Instance) -> dict[str, torch.Tensor]:
        """Return the shift and the matrix."""
        return {"shift": given.x_opt(), "first": given.r_conditioned_q(10.0)}

    def gap(self, c: Tensors, x: torch.Tensor) -> torch.Tensor:
        """Return the square along the ridge and the distance from it."""
        z = rotated(c.first, x - c.shift)
        along, across = z[..., 0], z[..., 1:]
        return along * along + 100 * root(row_sum(across * across))


class DifferentPowers(Formula):
    """`√(Σ |z_i|^(2 + 4 i/(n−1)))` with z = R (x − x_opt).

    It has no derivative at x*, where the gradient is taken as 0.
    """

    title = "Different Powers"

    def constants(self, given: Instance) -> dict[str, torch.Tensor]:
        """Return the shift, the rotation and the exponents."""
        return {
            "shift": given.x_opt(),
            "first": given.r(),
            "exponents": 2 + 4 * given.shares(),
        }

    def gap(self, c: Tensors, x: torch.Tensor) -> torch.Tensor:
        """Return the root of the sum of powers."""
        z = rotated(c.first, x - c.shift)
        return root(row_sum(power(z.abs(), c.exponents)))
