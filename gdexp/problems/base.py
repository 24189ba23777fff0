"""The base class of problems: a loss, a starting point, and what is known of the minimum."""

from __future__ import annotations

import copy
from abc import ABC, abstractmethod
from collections.abc import Sequence
from contextlib import suppress
from typing import Self

import torch

from gdexp.core import BadInput, is_out_of_memory, keep_arguments, validation
from gdexp.problems.constants import PORTABLE, TORCH, ConstantFunctions
from gdexp.problems.facts import ABSOLUTE, ProblemFacts
from gdexp.problems.portable_form import converted_constants, portable_form, set_constants

ROUNDING = 1e-12
"""The error in double precision that is allowed of a declared f*, as a share of max(1, |f*|)."""


class Problem(ProblemFacts, ABC):
    """A function to minimise.

    A subclass needs one method, `loss`, and either a `shape` or an `x0`::

        from gdexp import Problem

        class Bowl(Problem):
            shape = (2,)

            def loss(self, x):
                return (x**2).sum()

    `to` converts the tensors among its attributes to the descent's dtype and device.

    Args:
        x0: the starting point; by default uniform on [0, 1), drawn from the seed.

    Attributes:
        name: the value of `problem.name` in a config; the class's name in lower case by default.
        batchable: whether `loss` also takes x of shape (B, *shape) and returns (B,), with the
            same bits in each row as for that row alone. Matrix products do not give the same
            bits in a batch: leave it False for them.
        files: names of the data files that the loss depends on, relative to the module's folder
            or to the current directory. Their bytes are part of a run's identity. Files that are
            read while the problem is made are found without it.
    """

    batchable: bool = False
    files: Sequence[str] = ()

    def __init_subclass__(cls) -> None:
        """Name a problem after its class unless it has a name."""
        super().__init_subclass__()
        if not cls.name:
            cls.name = cls.__name__.lower()

    def __new__(cls, *positional: object, **named: object) -> Self:
        """Keep the arguments, by which a config names the problem."""
        made = super().__new__(cls)
        keep_arguments(made, positional, named)
        return made

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
        """Return the loss at x, a scalar through which autograd finds the gradient.

        Args:
            x: shape `shape`; with `batchable` also (B, *shape), for a result of shape (B,).
        """

    def start(self, seed: int) -> torch.Tensor:
        """Return the starting point: `x0` when it was given, else a draw from the seed.

        The draw is made in float32 on the CPU, so that a seed gives the same start for every
        dtype and device.
        """
        if self.x0 is not None:
            return self.x0
        return self.draw(torch.Generator().manual_seed(seed))

    def draw(self, generator: torch.Generator) -> torch.Tensor:
        """Return a random starting point, float32 on the CPU; uniform on [0, 1) by default."""
        return torch.rand(self.shape, generator=generator)

    def to(self, dtype: torch.dtype, device: torch.device) -> Self:
        """Return a copy with its tensors on this device, floating ones in this dtype."""
        clone = copy.copy(self)
        for key, value in vars(self).items():
            if isinstance(value, torch.Tensor) and value.is_floating_point():
                setattr(clone, key, value.to(device=device, dtype=dtype))
            elif isinstance(value, torch.Tensor):
                setattr(clone, key, value.to(device=device))
        converted_constants(self, clone)
        return clone

    def portable_form(self) -> Self:
        """Return the problem with constants that have the same bits on every machine.

        The portable engine computes it; torch's computes the problem as it is. A problem of the
        user's own is its own form: its constants are those that its code makes.

        Raises:
            NotPortable: its constants are too many.
        """
        return portable_form(self, lambda: self._constants(PORTABLE))

    def _constants(self, functions: ConstantFunctions) -> dict[str, object]:
        """Return the attributes that are computed, by name.

        Args:
            functions: to compute them with.
        """
        return {}

    def _set_constants(self) -> None:
        """Set the attributes of `_constants`; a problem that has some calls it while it is made."""
        set_constants(self, self._constants(TORCH))

    def declare_minimum(self, f_star: object) -> None:
        """Set f*: a number, None where it is unknown, or `absolute`.

        Raises:
            BadInput: it is something else.
        """
        self.absolute = f_star == ABSOLUTE
        if isinstance(f_star, str) and not self.absolute:
            raise BadInput("f_star", f_star, "must be a number, null, or absolute")
        number = None if f_star is None or self.absolute else f_star
        self.f_star = None if number is None else validation.number("f_star", number)

    def nodes(self, x: torch.Tensor) -> list[tuple[str, torch.Tensor]]:
        """Return the named steps from x to the loss, the loss last; `+inspect` prints them."""
        return [("loss", self.loss(x))]


_BLOCK = 4096

THREADED_SIZE = 32_768
"""torch computes a sum of this many numbers or more with several threads."""


def row_sum(values: torch.Tensor) -> torch.Tensor:
    """Return the sum over the last dimension, with the same bits for any batch and thread count.

    From 32,768 numbers on, torch divides the sum of one row among its threads, but of many rows
    it gives whole rows to each thread. Blocks of a fixed size are too small to be divided.

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


COMPARED = 3
"""The last iteration at which x is compared with a copy, to find a loss that changes it."""


def loss_at(problem: Problem, x: torch.Tensor, k: int) -> torch.Tensor:
    """Return the loss at the x of iteration k.

    Raises:
        BadInput: the loss changed x.
    """
    if k <= COMPARED:
        return unchanged_loss(problem, x)
    version = x._version
    loss = problem.loss(x)
    if x._version != version:
        raise _changes_x(problem)
    return loss


def unchanged_loss(problem: Problem, x: torch.Tensor) -> torch.Tensor:
    """Return the loss at x, and compare x with a copy that was made before.

    This costs a copy, so it is for the first iterations. In all others x's version is enough,
    which any change but one through `x.data` raises.

    Raises:
        BadInput: the loss changed x.
    """
    before, version = x.detach().clone(), x._version
    try:
        loss = problem.loss(x)
    except RuntimeError as error:
        if isinstance(error, torch.OutOfMemoryError) or is_out_of_memory(error):
            raise  # it would take as much memory again
        if x._version != version or _is_written(problem, before):
            raise _changes_x(problem) from None
        raise
    now = x.detach()
    if x._version != version or not ((now == before) | (before != before)).all():
        raise _changes_x(problem)
    return loss


def _is_written(problem: Problem, x: torch.Tensor) -> bool:
    """Whether a loss that failed writes into its x: torch refuses `x += 1` on a leaf.

    Args:
        problem: the problem.
        x: a copy, without a graph, so that torch lets it be written.
    """
    tried = x.clone()
    with torch.no_grad(), suppress(Exception):  # it failed once: it may fail again, in any way
        problem.loss(tried)
    return tried._version != 0


def _changes_x(problem: Problem) -> BadInput:
    """Return the error for a loss that changes x in place: its descent would not be its own."""
    return BadInput(
        "problem", problem.name, "its loss changes x in place; it must only read x: use x.clone()"
    )


def first_loss(problem: Problem, x: torch.Tensor) -> torch.Tensor:
    """Return the loss at the start; refuse one that is not a scalar tensor that depends on x.

    A loss that changes x is refused too.

    Raises:
        BadInput: it names the problem and says what the loss returned.
    """
    name = problem.name
    loss: object = unchanged_loss(problem, x)
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
    if not _depends_on(loss, x):
        raise BadInput(
            "problem", name, "its loss does not depend on x (or was detached): no gradient"
        )
    return loss


def _depends_on(loss: torch.Tensor, x: torch.Tensor) -> bool:
    """Whether a loss has a graph that leads to x, which is a leaf."""
    if loss is x:
        return True
    seen, waiting = set(), [loss.grad_fn]
    while waiting:
        node = waiting.pop()
        if getattr(node, "variable", None) is x:
            return True
        if node is not None and node not in seen:
            seen.add(node)
            waiting += [before for before, _ in node.next_functions]
    return False


def _shape(shape: torch.Size | tuple[int, ...]) -> str:
    return "(" + ", ".join(map(str, shape)) + ("," if len(shape) == 1 else "") + ")"


def _type(value: object) -> str:
    return (
        f"{type(value).__name__} ({value!r})" if isinstance(value, float) else type(value).__name__
    )
