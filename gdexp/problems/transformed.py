"""Any problem in other coordinates: rotated, shifted or both."""

from __future__ import annotations

from typing import Self

import torch

from gdexp.core import BadInput, validation
from gdexp.problems.base import Curve, Part, Problem

MAX_ROTATED = 4096
"""The largest problem that is rotated: its matrix holds the square of that in numbers."""


class Transformed(Problem):
    """`f(Qᵀ (x − s))` for a problem f, an orthogonal Q and a shift s.

    The start, the minimiser and the target are mapped to `Q y + s`, so a descent by a rule that
    knows no axes (gd, momentum, Nesterov) makes the same losses as on f itself, up to rounding;
    one that looks at single coordinates (Adam, …) may not. f*, mu and L stay. An x0 given to f is
    in f's own coordinates and is mapped too.

    Args:
        problem: f.
        rotation_seed: draws Q, 0 … 2^63 − 1; no rotation when None. At most 4096 variables.
        shift: s, one number or as many as x has, in x's shape; no shift when None.
    """

    def __init__(
        self, problem: Problem, rotation_seed: int | None = None, shift: object = None
    ) -> None:
        self.inner = problem
        self.name = problem.name or type(problem).__name__
        self.shape = tuple(problem.shape)
        super().__init__()
        self.batchable = problem.batchable and rotation_seed is None
        self.rotation = None if rotation_seed is None else _rotation(rotation_seed, self.shape)
        self.shift = None if shift is None else _shift(shift, self.shape)
        self.f_star = problem.f_star
        self.curvature = problem.curvature
        self.x_star = None if problem.x_star is None else self.forward(problem.x_star)
        self.target = None
        if problem.target is not None and tuple(problem.target.shape) == self.shape:
            self.target = self.forward(problem.target)

    def forward(self, y: torch.Tensor) -> torch.Tensor:
        """The point that y, of the inner problem, has become; float64."""
        x = y.to(torch.float64)
        if self.rotation is not None:
            x = (self.rotation @ x.flatten()).view(self.shape)
        return x if self.shift is None else x + self.shift

    def back(self, x: torch.Tensor) -> torch.Tensor:
        """The inner problem's point at x; with leading dimension when there is no rotation."""
        y = x if self.shift is None else x - self.shift
        return y if self.rotation is None else (y.flatten() @ self.rotation).view(self.shape)

    def loss(self, x: torch.Tensor) -> torch.Tensor:
        """The inner problem's loss at `back(x)`."""
        return self.inner.loss(self.back(x))

    def start(self, seed: int) -> torch.Tensor:
        """Where the inner problem's start has gone; float64."""
        return self.forward(self.inner.start(seed))

    def to(self, dtype: torch.dtype, device: torch.device) -> Self:
        """A copy in this dtype and on this device, the inner problem too."""
        moved = super().to(dtype, device)
        moved.inner = self.inner.to(dtype, device)
        return moved

    def parts(self) -> list[Part]:
        """The inner problem's; none when a rotation mixes them."""
        return [] if self.rotation is not None else self.inner.parts()

    def curve(self, x: torch.Tensor) -> Curve | None:
        """The inner problem's curve at `back(x)`."""
        return self.inner.curve(self.back(x))

    def nodes(self, x: torch.Tensor) -> list[tuple[str, torch.Tensor]]:
        """The inner point, then the inner problem's steps from there."""
        y = self.back(x)
        return [("y", y), *self.inner.nodes(y)]


def _rotation(seed: object, shape: tuple[int, ...]) -> torch.Tensor:
    """An orthogonal matrix, uniform over all of them; float64, (n, n).

    The Q of a Gaussian matrix, with the signs of R's diagonal moved into it: without that the
    result depends on the library's convention (F. Mezzadri, How to generate random matrices from
    the classical compact groups, 2007).
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
