"""Functions 20, 23 and 24: multi-modal with weak global structure."""

from __future__ import annotations

import math

import torch

from gdexp.problems.base import row_sum
from gdexp.problems.bbob.formula import Formula, Tensors
from gdexp.problems.bbob.instance import Instance
from gdexp.problems.bbob.transformations import nearest_integer, penalty, rotated

PEAK = 4.2096874637
"""A hundredth of the y that maximises `y sin √y` on [0, 500], as COCO rounds it."""

EXACT_PEAK = 420.968746359982
"""The y itself: tan √y = −√y / 2."""

LARGEST = 418.9828872724339
"""The maximum of `y sin √y`, with the digits of COCO."""

DIGITS = 32
"""Terms of Katsuura's series."""

MU = 2.5
"""The place of the deeper of Lunacek's two bowls."""


class Schwefel(Formula):
    """`0.01 (418.98… − 1/n Σ y_i sin √|y_i| + Σ max(0, |y_i| − 500)²)`.

    y = 100 (Λ¹⁰ (z − m) + m) with m = 4.2096874637, z_1 = x̂_1, z_i = x̂_i + (x̂_{i−1} − m) / 4 and
    x̂ = ±2 x. x* solves these equations for y_i = 420.968746359982, where `y sin √y` is largest.
    """

    title = "Schwefel"
    smooth = True

    def constants(self, given: Instance) -> dict[str, torch.Tensor]:
        """Return the signs and Λ¹⁰."""
        drawn = given.uniform(given.dimension)
        signs = torch.where(drawn < 0.5, -1.0, 1.0).to(torch.float64)
        return {"signs": signs, "scales": given.conditioning(10.0)}

    def gap(self, c: Tensors, x: torch.Tensor) -> torch.Tensor:
        """Return the distance of the mean from its largest value, and the penalty."""
        flipped = 2 * c.signs * x
        z = torch.cat(
            [flipped[..., :1], flipped[..., 1:] + 0.25 * (flipped[..., :-1] - PEAK)], dim=-1
        )
        y = 100 * (c.scales * (z - PEAK) + PEAK)
        size = y.abs()
        outside = torch.clamp(size - 500, min=0)
        root = torch.sqrt(torch.where(size > 0, size, 1.0))
        mean = row_sum(y * torch.sin(root)) / x.shape[-1]
        return 0.01 * (row_sum(outside * outside) + LARGEST - mean)

    def minimiser(self, c: Tensors) -> torch.Tensor:
        """Return the solution of the equations, one coordinate after the other."""
        z = (EXACT_PEAK / 100 - PEAK) / c.scales + PEAK
        flipped = z.clone()
        for i in range(1, len(z)):
            flipped[i] = z[i] - 0.25 * (flipped[i - 1] - PEAK)
        return c.signs * flipped / 2


class Katsuura(Formula):
    """`10/n² (Π (1 + i Σ_j |2^j z_i − [2^j z_i]| / 2^j)^(10 / n^1.2) − 1)`, with a penalty of 1.

    z = R Λ¹⁰⁰ Q (x − x_opt), j = 1 … 32, and [·] is the nearest integer. It is continuous, and
    has no derivative wherever 2^j z_i is a multiple of ½: at steps of 2^−34. There a term's
    slope is taken as 0, or as that above. Every z of multiples of ½ is a minimiser.
    """

    title = "Katsuura"
    unique = False

    def constants(self, given: Instance) -> dict[str, torch.Tensor]:
        """Return the shift and the matrix; for the series the powers of 2."""
        return {
            "shift": given.x_opt(),
            "first": given.r_conditioned_q(100.0),
            "scales": 2.0 ** torch.arange(1, DIGITS + 1, dtype=torch.float64),
            "exponents": torch.arange(1, given.dimension + 1, dtype=torch.float64),
        }

    def gap(self, c: Tensors, x: torch.Tensor) -> torch.Tensor:
        """Return the product, as e to the sum of logarithms, and the penalty."""
        n = x.shape[-1]
        scaled = rotated(c.first, x - c.shift).unsqueeze(-1) * c.scales
        series = row_sum((scaled - nearest_integer(scaled)).abs() / c.scales)
        logarithm = 10 / n**1.2 * row_sum(torch.log1p(c.exponents * series))
        return 10 / n / n * torch.expm1(logarithm) + penalty(x)


class Lunacek(Formula):
    """`min(Σ (x̂_i − μ)², n + s Σ (x̂_i − ν)²) + 10 Σ (1 − cos 2π z_i)`, with a penalty of 10⁴.

    x̂ = ±2 x, μ = 2.5, z = R Λ¹⁰⁰ Q (x̂ − μ), s = 1 − 1 / (2 √(n + 20) − 8.2) and
    ν = −√((μ² − 1) / s). It has no derivative where both bowls are equal; the mean of both
    gradients is taken.
    """

    title = "Lunacek bi-Rastrigin"
    smooth = True

    def constants(self, given: Instance) -> dict[str, torch.Tensor]:
        """Return the signs, the matrix and x*."""
        drawn = given.gaussian()
        signs = torch.where(drawn < 0, -1.0, 1.0).to(torch.float64)
        return {
            "signs": signs,
            "first": given.r_conditioned_q(100.0),
            "shift": 0.5 * MU * signs,
        }

    def gap(self, c: Tensors, x: torch.Tensor) -> torch.Tensor:
        """Return the lower bowl with its waves, and the penalty."""
        n = x.shape[-1]
        s = 1 - 0.5 / (math.sqrt(n + 20) - 4.1)
        flipped = 2 * c.signs * x
        deep, wide = flipped - MU, flipped + math.sqrt((MU * MU - 1) / s)
        bowl = torch.minimum(row_sum(deep * deep), n + s * row_sum(wide * wide))
        waves = 10 * (n - row_sum(torch.cos(2 * math.pi * rotated(c.first, deep))))
        return bowl + waves + 1e4 * penalty(x)
