"""A problem in rotated or shifted coordinates."""

from __future__ import annotations

from typing import Self

import torch

from gdexp.core import BadInput, validation
from gdexp.problems.base import Problem
from gdexp.problems.constants import PORTABLE, TORCH, ConstantFunctions
from gdexp.problems.facts import Curve, Part
from gdexp.problems.portable_form import portable_form

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
        self.functions: ConstantFunctions = TORCH
        self.rotation: torch.Tensor | None = None
        self.batchable = problem.batchable and rotation_seed is None
        self._seed = None if rotation_seed is None else _seed(rotation_seed, self.shape)
        self.shift = None if shift is None else _shift(shift, self.shape)
        self.absolute, self.curvature = problem.absolute, problem.curvature
        self.unique, self.smooth = problem.unique, problem.smooth
        self._set_constants()

    def forward(self, y: torch.Tensor) -> torch.Tensor:
        """Return the point that the inner problem's y is mapped to; float64."""
        return self._forward(y, self.rotation, self.functions)

    def portable_form(self) -> Self:
        """Return the problem with portable constants, those of the inner problem included."""
        inner = self.inner.portable_form()
        return portable_form(self, lambda: self._constants(PORTABLE), {"inner": inner})

    def _constants(self, functions: ConstantFunctions) -> dict[str, object]:
        inner, n = self.inner, torch.Size(self.shape).numel()
        rotation = None if self._seed is None else functions.rotation(self._seed, n)
        target = inner.target
        if target is not None and tuple(target.shape) != self.shape:
            target = None
        mapped = (
            None if y is None else self._forward(y, rotation, functions)
            for y in (inner.x_star, target)
        )
        f_star = inner.portable_form().f_star if functions.portable else inner.f_star
        names = ("functions", "rotation", "f_star", "x_star", "target")
        return dict(zip(names, (functions, rotation, f_star, *mapped), strict=True))

    def _forward(
        self, y: torch.Tensor, rotation: torch.Tensor | None, functions: ConstantFunctions
    ) -> torch.Tensor:
        x = y.to(torch.float64)
        if rotation is not None:
            x = functions.product(rotation, x.flatten()).view(self.shape)
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


def _seed(seed: object, shape: tuple[int, ...]) -> int:
    checked, n = validation.integer("rotation_seed", seed), torch.Size(shape).numel()
    if n > MAX_ROTATED:
        raise BadInput("rotation_seed", seed, f"rotates at most {MAX_ROTATED} variables, not {n}")
    return checked


def _shift(value: object, shape: tuple[int, ...]) -> torch.Tensor:
    if not isinstance(value, list | tuple | torch.Tensor):
        return torch.full(shape, validation.number("shift", value), dtype=torch.float64)
    shift = validation.tensor("shift", value)
    if tuple(shift.shape) != shape:
        raise BadInput("shift", value, f"must be one number or a list of shape {shape}")
    return shift
