"""The base class of update rules, and the arithmetic of their coefficients."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar, Self

import numpy as np
import torch

from gdexp.core import BadInput
from gdexp.optimizers.mathematics import Iteration
from gdexp.optimizers.schedule_registry import build_schedule
from gdexp.optimizers.schedules import Constant, Schedule

if TYPE_CHECKING:
    from gdexp.problems import Problem

State = tuple[torch.Tensor, ...]

Coefficient = float | torch.Tensor
"""A number, or a tensor with one value per row of a batch, of shape (B, 1, …)."""

Search = tuple[torch.Tensor, State, torch.Tensor | None]
"""The next point and state, and whether x is an iterate; None: it always is."""

Step = Callable[..., tuple[torch.Tensor, State]]
"""`step(x, gradient, state, *coefficients)` returns the next x and state."""

CONSTANT: Schedule = Constant()


@dataclass(frozen=True)
class UpdateRule(ABC):
    """An update rule: how the next point follows from the gradient.

    A rule is a frozen dataclass of hyperparameters. `coefficients` computes in double precision
    what depends only on them and on the iteration. `update` computes with tensors, from the
    coefficients alone.

    So one `update` serves a single descent, whose coefficients are floats, and a batch, whose
    coefficients are tensors of shape (B, 1, …). Both have the same bits as long as `update`

    - uses only `+ - *`, division by a tensor and square roots, each in its own call: fused calls
      (`add` with alpha, `addcmul`, `addcdiv`, `lerp`) round differently, and on CUDA a division
      by a number multiplies by its rounded inverse;
    - derives nothing from a coefficient: `1 - beta` in float32 differs from `1 - beta` in double
      precision, rounded.

    In a batch, hyperparameters that differ between rows are float64 arrays of shape (B,), set
    without `__post_init__`; the rows share all other fields. In float16 and bfloat16 the bits
    may differ, because torch rounds a coefficient that is a tensor, but not a float.

    Attributes:
        name: the value of `optimizer.name` in a config.
        batchable: whether `update` is a pure function that takes many rows at once.
        in_blocks: whether `coefficients` and `constant_from`, where this class defines them, also
            take many iterations: an int64 array of shape (iterations, 1). They then use the
            functions of `gdexp.optimizers.mathematics`. It is not inherited.
        searches: whether it is a `SearchingRule`.
        schedule: the schedule that turns `lr` into the rate of each update.
    """

    name: ClassVar[str] = ""
    batchable: ClassVar[bool] = True
    in_blocks: ClassVar[bool] = False
    searches: ClassVar[bool] = False

    @property
    @abstractmethod
    def schedule(self) -> Schedule:
        """The learning-rate schedule; a keyword field of every rule, constant by default."""

    @abstractmethod
    def coefficients(self, iteration: Iteration) -> tuple[Any, ...]:
        """Return the last arguments of `update` at an iteration, counted from 1.

        They are numbers (float64 arrays in a batch), and booleans that choose a formula.
        """

    def constant_from(self, iteration: Iteration) -> bool:
        """Return whether the coefficients are the same at this iteration and at every later one.

        From there on a descent is a fixed map, so a state that repeats will repeat for ever. In a
        batch the answer may be an array with one value per row.
        """
        return self.schedule.constant_from(iteration)

    @property
    def takes_blocks(self) -> bool:
        """Whether coefficients and rates may be asked for many iterations at once."""
        owners = {
            _defining_class(type(self), "coefficients"),
            _defining_class(type(self), "constant_from"),
            _defining_class(type(self.schedule), "rate"),
            _defining_class(type(self.schedule), "constant_from"),
        }
        return all(vars(each).get("in_blocks", False) for each in owners - {UpdateRule})

    @property
    def constant(self) -> bool:
        """Whether the coefficients are the same at every iteration, in every row."""
        return bool(np.all(self.constant_from(1)))

    @staticmethod
    @abstractmethod
    def update(
        x: torch.Tensor, gradient: torch.Tensor, state: State, *coefficients: Coefficient
    ) -> tuple[torch.Tensor, State]:
        """Return the next x and state; change no argument. The first state is ()."""

    @classmethod
    def update_in_place(
        cls, x: torch.Tensor, gradient: torch.Tensor, state: State, *coefficients: Coefficient
    ) -> State:
        """Change x to what `update` returns, with the same bits; return the next state.

        A rule may use the memory of the gradient, which is not read again, unless its state
        holds the gradient.
        """
        following, state = cls.update(x, gradient, state, *coefficients)
        x.copy_(following)
        return state

    def for_problem(self, problem: Problem) -> Self:
        """Return the rule with what it takes from a problem, such as f*, where it was not given.

        Raises:
            BadInput: the problem does not declare it.
        """
        return self

    def stepper(self, problem: Problem) -> Step:
        """Return the function that one descent calls at every iteration: `update`.

        A rule with state of its own returns a new function for every descent.
        """
        return self.update

    def _check(self, **kinds: Callable[[str, object], float]) -> None:
        """Check hyperparameters by name, store them as floats, and build a schedule from a mapping.

        Raises:
            BadInput: it names the first hyperparameter that cannot be used.
        """
        for key, kind in kinds.items():
            object.__setattr__(self, key, kind(key, getattr(self, key)))
        schedule: object = self.schedule
        if isinstance(schedule, Mapping):
            object.__setattr__(self, "schedule", build_schedule(schedule))
        elif not isinstance(schedule, Schedule):
            raise BadInput("schedule", schedule, "must be a Schedule or a group with its name")


@dataclass(frozen=True)
class SearchingRule(UpdateRule):
    """A rule that reads losses, forms inner products, or evaluates again before it moves on.

    In place of `update` it has `search`, which is called at every point that is evaluated. It has
    no branches of Python on numbers, so that the portable engine can record it. In a batch of
    torch's engine its rows run one at a time.

    Attributes:
        rejects: whether it may reject a point, as the trial of a line search.
        reads_gradients: whether it reads the gradient at the trials that it rejects.
    """

    searches: ClassVar[bool] = True
    rejects: ClassVar[bool] = True
    reads_gradients: ClassVar[bool] = True

    @staticmethod
    @abstractmethod
    def search(
        x: torch.Tensor,
        loss: torch.Tensor,
        gradient: torch.Tensor,
        state: State,
        *coefficients: Coefficient,
    ) -> Search:
        """Return the next point and state, and whether x is an iterate; change no argument.

        The last is a boolean tensor of shape (), or None where x always is one. The first state
        is (), with which x is an iterate.
        """

    @staticmethod
    def update(
        x: torch.Tensor, gradient: torch.Tensor, state: State, *coefficients: Coefficient
    ) -> tuple[torch.Tensor, State]:
        """Refuse: this rule reads losses.

        Raises:
            BadInput: always.
        """
        raise BadInput("optimizer", "a rule that reads losses", "has search in place of update")


def _defining_class(cls: type, name: str) -> type:
    """Return the class that a method comes from."""
    return next(each for each in cls.__mro__ if name in vars(each))
