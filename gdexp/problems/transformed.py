"""A problem in rotated or shifted coordinates."""

from __future__ import annotations

from typing import Self

import torch

from gdexp.core import BadInput, validation
from gdexp.problems.base import Curve, Part, Problem

MAX_ROTATED = 4096
"""The most variables of a rotated problem; the matrix holds the square of that number."""


class Transformed(Problem):
    """`f(Qᵀ (x − s))` for a problem f, an orthogonal Q and a shift s.

    The start, the minimiser and the target y become `Q y + s`. So a rule that does not depend on
    the axes (gd, momentum, Nesterov) makes the same losses as on f, up to rounding; one that
    scales single coordinates (Adam, …) may not. f*, mu and L stay. An x0 that is given to f is
    in f's coordinates and is mapped too.

    Args:
        problem: f.
        rotation_seed: the seed of Q, 0 … 2^63 − 1, for at most 4096 variables; None: no rotation.
        shift: s, one number or a list in x's shape; None: no shift.
    """

    def __init__(
        self, problem: Problem, rotation_seed: int | None = None, shift: object = None
    ) -> None:
        self.inner = problem
        self.name = problem.name
        self.shape = tuple(problem.shape)
        super().__init__()
        self.batchable = problem.batchable and rotation_seed is None
        self.rotation = None if rotation_seed is None else _rotation(rotation_seed, self.shape)
        self.shift = None if shift is None else _shift(shift, self.shape)
        self.f_star, self.absolute = problem.f_star, problem.absolute
        self.curvature = problem.curvature
        self.x_star = None if problem.x_star is None else self.forward(problem.x_star)
        self.unique = problem.unique
        self.target = None
        if problem.target is not None and tuple(problem.target.shape) == self.shape:
            self.target = self.forward(problem.target)

    def forward(self, y: torch.Tensor) -> torch.Tensor:
        """Return the point that the inner problem's y is mapped to; float64."""
        x = y.to(torch.float64)
        if self.rotation is not None:
            x = (self.rotation @ x.flatten()).view(self.shape)
        return x if self.shift is None else x + self.shift

    def back(self, x: torch.Tensor) -> torch.Tensor:
        """Return the inner problem's point of x; x may be a batch when there is no rotation."""
        y = x if self.shift is None else x - self.shift
        return y if self.rotation is None else (y.flatten() @ self.rotation).view(self.shape)

    def loss(self, x: torch.Tensor) -> torch.Tensor:
        """Return the inner problem's loss at `back(x)`."""
        return self.inner.loss(self.back(x))

    def start(self, seed: int) -> torch.Tensor:
        """Return the point that the inner problem's start is mapped to; float64."""
        return self.forward(self.inner.start(seed))

    def to(self, dtype: torch.dtype, device: torch.device) -> Self:
        """Return a copy in this dtype and on this device, the inner problem included."""
        clone = super().to(dtype, device)
        clone.inner = self.inner.to(dtype, device)
        return clone

    def parts(self) -> list[Part]:
        """Return the inner problem's parts; none when a rotation mixes them."""
        return [] if self.rotation is not None else self.inner.parts()

    def curve(self, x: torch.Tensor) -> Curve | None:
        """Return the inner problem's curve at `back(x)`."""
        return self.inner.curve(self.back(x))

    def nodes(self, x: torch.Tensor) -> list[tuple[str, torch.Tensor]]:
        """Return the inner point, then the inner problem's steps."""
        y = self.back(x)
        return [("y", y), *self.inner.nodes(y)]


def _rotation(seed: object, shape: tuple[int, ...]) -> torch.Tensor:
    """Return a uniformly distributed orthogonal matrix; float64, (n, n).

    It is the Q of a Gaussian matrix, with the signs of R's diagonal moved into it; without them
    the result depends on the library's convention (F. Mezzadri, How to generate random matrices
    from the classical compact groups, 2007).
    """
    generator = torch.Generator().manual_seed(validation.integer("rotation_seed", seed))
    n = torch.Size(shape).numel()
    if n > MAX_ROTATED:
        raise BadInput("rotation_seed", seed, f"rotates at most {MAX_ROTATED} variables, not {n}")
    q, r = torch.linalg.qr(torch.randn(n, n, generator=generator, dtype=torch.float64))
    signs: torch.Tensor = torch.where(torch.diagonal(r) < 0, -1.0, 1.0)
    return torch.mul(q, signs)


def _shift(value: object, shape: tuple[int, ...]) -> torch.Tensor:
    if not isinstance(value, list | tuple | torch.Tensor):
        return torch.full(shape, validation.number("shift", value), dtype=torch.float64)
    shift = validation.tensor("shift", value)
    if tuple(shift.shape) != shape:
        raise BadInput("shift", value, f"must be one number or a list of shape {shape}")
    return shift
