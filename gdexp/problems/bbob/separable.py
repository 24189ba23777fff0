"""Functions 1 to 5: separable."""

from __future__ import annotations

import torch

from gdexp.problems.base import row_sum
from gdexp.problems.bbob.formula import Formula, Tensors
from gdexp.problems.bbob.instance import Instance
from gdexp.problems.bbob.transformations import BOX, asymmetric, oscillated, penalty, rastrigin


class Sphere(Formula):
    """`‖z‖²` with z = x − x_opt."""

    title = "Sphere"
    smooth = True
    curvature = (2.0, 2.0)

    def constants(self, given: Instance) -> dict[str, torch.Tensor]:
        """Return the shift."""
        return {"shift": given.x_opt()}

    def gap(self, c: Tensors, x: torch.Tensor) -> torch.Tensor:
        """Return the squared distance."""
        z = x - c.shift
        return row_sum(z * z)


class Ellipsoid(Formula):
    """`Σ 10^(6 i/(n−1)) z_i²` with z = T_osz(x − x_opt)."""

    title = "Ellipsoidal, separable"

    def constants(self, given: Instance) -> dict[str, torch.Tensor]:
        """Return the shift and the weights of the squares."""
        return {"shift": given.x_opt(), "scales": given.powers(1e6)}

    def gap(self, c: Tensors, x: torch.Tensor) -> torch.Tensor:
        """Return the weighted sum of squares."""
        z = oscillated(x - c.shift)
        return row_sum(c.scales * z * z)


class Rastrigin(Formula):
    """Rastrigin's function of z = Λ¹⁰ T_asy^0.2(T_osz(x − x_opt))."""

    title = "Rastrigin, separable"

    def constants(self, given: Instance) -> dict[str, torch.Tensor]:
        """Return the shift, Λ¹⁰ and the β_i."""
        return {
            "shift": given.x_opt(),
            "scales": given.conditioning(10.0),
            "betas": 0.2 * given.shares(),
        }

    def gap(self, c: Tensors, x: torch.Tensor) -> torch.Tensor:
        """Return Rastrigin's function."""
        return rastrigin(c.scales * asymmetric(c.betas, oscillated(x - c.shift)))


class BuecheRastrigin(Formula):
    """Rastrigin's function of z_i = s_i T_osz(x − x_opt)_i, with a penalty of 100.

    s_i is 10 times √10^(i/(n−1)) where z_i > 0 and i = 0, 2, 4, …; x_opt >= 0 there.
    """

    title = "Büche-Rastrigin"

    def constants(self, given: Instance) -> dict[str, torch.Tensor]:
        """Return the shift, the factors s_i for z_i <= 0, and 10 where those for z_i > 0 differ."""
        shift, signs = given.x_opt(), torch.ones(given.dimension, dtype=torch.float64)
        shift[::2] = shift[::2].abs()
        signs[::2] = 10.0
        return {"shift": shift, "scales": given.conditioning(10.0), "signs": signs}

    def gap(self, c: Tensors, x: torch.Tensor) -> torch.Tensor:
        """Return Rastrigin's function and the penalty."""
        z = oscillated(x - c.shift)
        return rastrigin(c.scales * torch.where(z > 0, c.signs, 1.0) * z) + 100 * penalty(x)


class LinearSlope(Formula):
    """`Σ 5 |s_i| − s_i z_i` with s_i = ±10^(i/(n−1)) and z_i = x_i up to x*_i = ±5, x*_i beyond.

    Beyond x* it is constant: no derivative at x_i = x*_i, where the gradient's entry is 0.
    """

    title = "Linear Slope"
    unique = False

    def constants(self, given: Instance) -> dict[str, torch.Tensor]:
        """Return the corner of the box and the slopes."""
        signs = torch.where(given.x_opt() > 0, 1.0, -1.0).to(torch.float64)
        return {"shift": BOX * signs, "scales": signs * given.powers(10.0)}

    def gap(self, c: Tensors, x: torch.Tensor) -> torch.Tensor:
        """Return the sum of the linear terms."""
        z = torch.where(x * c.shift < BOX * BOX, x, c.shift)
        return row_sum(BOX * c.scales.abs() - c.scales * z)
