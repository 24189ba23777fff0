"""What a problem is: a loss to minimise, where it starts, and what is known of its minimum."""

from __future__ import annotations

import copy
from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import Self

import torch

from gdexp.core import BadInput, validation


@dataclass(frozen=True)
class Part:
    """A named piece of the flat x: `x[offset : offset + numel].view(shape)`."""

    name: str
    shape: tuple[int, ...]
    offset: int

    @property
    def numel(self) -> int:
        """How many numbers the part holds."""
        return torch.Size(self.shape).numel()


@dataclass(frozen=True)
class Curve:
    """A function of one variable on its grid, and what x makes of it; each of shape (points,)."""

    grid: torch.Tensor
    wanted: torch.Tensor
    fitted: torch.Tensor


class Problem(ABC):
    """A function to minimise.

    A subclass needs one method, `loss`, and either a `shape` or an `x0`::

        class Bowl(Problem):
            shape = (2,)

            def loss(self, x):
                return (x**2).sum()

    Tensors kept as attributes are moved to the descent's dtype and device by `to`.

    Args:
        x0: the starting point; uniform on [0, 1) from the seed when not given.

    Attributes:
        name: the word that chooses the problem in a config.
        batchable: whether `loss` also takes x of shape (B, *shape) and returns (B,), each
            row bit for bit what the row gives alone. Kernels built on matrix products do not
            keep that promise; leave it False for them.
        shape: the shape of x.
        f_star: the minimum; None when it is not known, and then the threshold is absolute.
        x_star: a minimiser, when known.
        curvature: (mu, L), the smallest and largest eigenvalue of a constant Hessian.
        target: the tensor that the final x is shown beside, when there is one.
    """

    name: str = ""
    batchable: bool = False
    shape: tuple[int, ...] = ()
    f_star: float | None = None
    x_star: torch.Tensor | None = None
    curvature: tuple[float, float] | None = None
    target: torch.Tensor | None = None

    def __init_subclass__(cls) -> None:
        """A problem that gives itself no name is called by its class."""
        super().__init_subclass__()
        if not cls.name:
            cls.name = cls.__name__.lower()

    def __init__(self, x0: object = None) -> None:
        self.x0: torch.Tensor | None = None
        if x0 is not None:
            self.x0 = validation.tensor("x0", x0)
            declared = tuple(self.shape)
            if declared and tuple(self.x0.shape) != declared:
                raise BadInput("x0", _shape(self.x0.shape), f"must have shape {_shape(declared)}")
            self.shape = tuple(self.x0.shape)

    @abstractmethod
    def loss(self, x: torch.Tensor) -> torch.Tensor:
        """The loss at x: a scalar that autograd can follow back to x.

        Args:
            x: shape `shape`; with `batchable` also (B, *shape), and then the result is (B,).
        """

    def start(self, seed: int) -> torch.Tensor:
        """The starting point: `x0` if it was given, else drawn from the seed.

        Drawn in float32 on the CPU whatever the descent's dtype and device, so that one seed
        is one start everywhere.
        """
        if self.x0 is not None:
            return self.x0
        return self.draw(torch.Generator().manual_seed(seed))

    def draw(self, generator: torch.Generator) -> torch.Tensor:
        """A random starting point, float32 on the CPU; uniform on [0, 1) unless overridden."""
        return torch.rand(self.shape, generator=generator)

    def to(self, dtype: torch.dtype, device: torch.device) -> Self:
        """A copy whose floating tensors have this dtype and live on this device."""
        moved = copy.copy(self)
        for key, value in vars(self).items():
            if isinstance(value, torch.Tensor) and value.is_floating_point():
                setattr(moved, key, value.to(device=device, dtype=dtype))
            elif isinstance(value, torch.Tensor):
                setattr(moved, key, value.to(device=device))
        return moved

    def parts(self) -> list[Part]:
        """The named pieces of x, in order; empty when x is one thing."""
        return []

    def curve(self, x: torch.Tensor) -> Curve | None:
        """The function that x stands for, beside the wanted one; None when there is none."""
        return None

    def nodes(self, x: torch.Tensor) -> list[tuple[str, torch.Tensor]]:
        """The named steps from x to the loss, the loss last; what `+inspect` prints."""
        return [("loss", self.loss(x))]

    @property
    def reference(self) -> float:
        """What the threshold is measured from: f* where it is known, else 0."""
        return 0.0 if self.f_star is None else self.f_star


_BLOCK = 4096

DIVIDED = 32_768
"""From so many numbers on torch divides one sum among its threads."""


def row_sum(values: torch.Tensor) -> torch.Tensor:
    """The sum over the last dimension, the same bits in a batch, alone and for any thread count.

    From 32,768 numbers on torch divides the sum of one row among its threads, but that of many
    rows between the rows. Summing blocks of a fixed size first leaves it nothing to divide.

    Args:
        values: shape (n,) or (B, n); the result is a scalar or (B,).
    """
    n = values.shape[-1]
    whole = n - n % _BLOCK
    if whole == 0 or n == _BLOCK:
        return values.sum(-1)
    head = values[..., :whole]
    blocks = head.reshape(*head.shape[:-1], -1, _BLOCK).sum(-1)
    return row_sum(blocks) if whole == n else row_sum(blocks) + values[..., whole:].sum(-1)


def first_loss(problem: Problem, x: torch.Tensor) -> torch.Tensor:
    """The loss at the start, refused unless it is a scalar tensor that depends on x.

    Raises:
        BadInput: names the problem and says what its loss returned instead.
    """
    name = problem.name or type(problem).__name__
    loss: object = problem.loss(x)
    if not isinstance(loss, torch.Tensor):
        raise BadInput("problem", name, f"its loss must return a tensor, not {_type(loss)}")
    if loss.ndim != 0:
        raise BadInput(
            "problem",
            name,
            f"its loss must be a scalar, but has shape {_shape(loss.shape)}: sum or average it",
        )
    if not loss.is_floating_point():
        raise BadInput("problem", name, f"its loss must have a floating dtype, not {loss.dtype}")
    if not loss.requires_grad:
        raise BadInput(
            "problem", name, "its loss does not depend on x (or was detached): no gradient"
        )
    return loss


def _shape(shape: torch.Size | tuple[int, ...]) -> str:
    return "(" + ", ".join(map(str, shape)) + ("," if len(shape) == 1 else "") + ")"


def _type(value: object) -> str:
    return (
        f"{type(value).__name__} ({value!r})" if isinstance(value, float) else type(value).__name__
    )
