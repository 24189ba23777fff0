"""What is known of a problem, whether it is a function of x or a training."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import torch

ABSOLUTE = "absolute"
"""The `f_star` of a problem whose loss itself is compared with the threshold."""


@dataclass(frozen=True)
class Part:
    """A named piece of the flat x: `x[offset : offset + numel].view(shape)`."""

    name: str
    shape: tuple[int, ...]
    offset: int

    @property
    def numel(self) -> int:
        """The number of values in the part."""
        return torch.Size(self.shape).numel()


def consecutive_parts(shapes: Iterable[tuple[str, tuple[int, ...]]]) -> list[Part]:
    """Return parts of these names and shapes that follow each other in x."""
    parts: list[Part] = []
    offset = 0
    for name, shape in shapes:
        parts.append(Part(name, shape, offset))
        offset += parts[-1].numel
    return parts


@dataclass(frozen=True)
class Curve:
    """A function of one variable and the fit that x gives to it; each of shape (points,)."""

    grid: torch.Tensor
    wanted: torch.Tensor
    fitted: torch.Tensor


class ProblemFacts:
    """What is known of a problem.

    Attributes:
        name: what it is called in the names of runs.
        shape: the shape of x.
        f_star: the minimum; None when it is unknown. The threshold is then measured from 0, and
            a loss below 0 ends a descent as `below_minimum`.
        absolute: the loss itself is compared with the threshold, which may be negative.
        checks_minimum: False for reruns of descents that earlier versions made: these took a
            loss below f* for converged.
        x_star: a minimiser; None when it is unknown.
        unique: whether x_star is the only minimiser.
        smooth: whether the loss has a Hessian at x_star that is not 0: theory then uses it.
        curvature: (mu, L), the smallest and the largest eigenvalue of a constant Hessian.
        target: a tensor to show beside the final x.
    """

    name: str = ""
    shape: tuple[int, ...] = ()
    f_star: float | None = None
    absolute: bool = False
    checks_minimum: bool = True
    x_star: torch.Tensor | None = None
    unique: bool = True
    smooth: bool = True
    curvature: tuple[float, float] | None = None
    target: torch.Tensor | None = None

    @property
    def reference(self) -> float:
        """The value that the threshold is measured from: f* where it is known, else 0."""
        return 0.0 if self.f_star is None else self.f_star

    def parts(self) -> list[Part]:
        """Return the named pieces of x in order; none when x has no pieces."""
        return []

    def curve(self, x: torch.Tensor) -> Curve | None:
        """Return the function that x represents, with its target; None when x represents none."""
        return None
