"""The transformations of variables and values that BBOB's functions are made of.

RR-6829, section 0.2. All take x of shape (…, n). Their gradients are finite everywhere.
"""

from __future__ import annotations

import math

import torch

from gdexp.problems.base import row_sum

BOX = 5.0
"""The search domain is [−5, 5] in every coordinate."""


def rotated(matrix: torch.Tensor, x: torch.Tensor) -> torch.Tensor:
    """Return the product of a matrix and each x.

    A product and a sum, where a matrix product would have other bits in a batch.
    """
    return row_sum(matrix * x.unsqueeze(-2))


def oscillated(x: torch.Tensor) -> torch.Tensor:
    """Return T_osz, `sign(x) exp(t + 0.049 (sin(c₁ t) + sin(c₂ t)))` with t = ln |x|.

    c₁ = 10 and c₂ = 7.9 where x > 0, else 5.5 and 3.1. It has no derivative at 0, because it
    oscillates there between 0.9 x and 1.1 x; 1 is taken.
    """
    t = 10 * torch.log(torch.where(x == 0, 1.0, x.abs()))
    above = torch.sin(t) + torch.sin(0.79 * t)
    below = torch.sin(0.55 * t) + torch.sin(0.31 * t)
    return x * torch.exp(0.049 * torch.where(x > 0, above, below))


def asymmetric(betas: torch.Tensor, x: torch.Tensor) -> torch.Tensor:
    """Return T_asy, `x^(1 + β_i √x)` where x > 0, else x.

    Args:
        betas: β_i = β i / (n − 1), shape (n,).
        x: shape (…, n).
    """
    positive = torch.where(x > 0, x, 1.0)
    return x * torch.exp(betas * torch.sqrt(positive) * torch.log(positive))


def penalty(x: torch.Tensor) -> torch.Tensor:
    """Return the squared distance from the box [−5, 5]^n, one value for each x."""
    outside = torch.clamp(x.abs() - BOX, min=0)
    return row_sum(outside * outside)


def nearest_integer(x: torch.Tensor) -> torch.Tensor:
    """Return `floor(x + ½)`; its gradient is 0."""
    return torch.floor(x + 0.5)


def root(x: torch.Tensor) -> torch.Tensor:
    """Return √x of x >= 0; its gradient at 0, which is infinite, is taken as 0."""
    return torch.where(x > 0, torch.sqrt(torch.where(x > 0, x, 1.0)), 0.0)


def power(x: torch.Tensor, exponent: torch.Tensor | float) -> torch.Tensor:
    """Return `exp(exponent ln x)` of x >= 0, with exponents > 0; its gradient at 0 is taken as 0.

    Torch's own power has other bits in a batch.
    """
    return torch.where(x > 0, torch.exp(exponent * torch.log(torch.where(x > 0, x, 1.0))), 0.0)


def rastrigin(x: torch.Tensor) -> torch.Tensor:
    """Return `Σ 10 (1 − cos 2π x_i) + x_i²`, one value for each x."""
    return row_sum(10 - 10 * torch.cos(2 * math.pi * x) + x * x)


def rosenbrock_terms(x: torch.Tensor) -> torch.Tensor:
    """Return `100 (x_i² − x_{i+1})² + (x_i − 1)²` for i < n; shape (…, n − 1)."""
    first, second = x[..., :-1], x[..., 1:]
    across, along = first * first - second, first - 1
    return 100 * (across * across) + along * along
