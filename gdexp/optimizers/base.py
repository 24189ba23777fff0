"""What an update rule is, and the arithmetic that its coefficients may use."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np
import torch

from gdexp.core import BadInput
from gdexp.optimizers.schedules import Constant, Schedule, build_schedule

if TYPE_CHECKING:
    from gdexp.problems import Problem

State = tuple[torch.Tensor, ...]

Coefficient = float | torch.Tensor
"""A number, or a tensor with one value per row of a batch, of shape (B, 1, …)."""

Values = Any
"""A hyperparameter: a float, or in a batch a float64 array of shape (B,)."""

Step = Callable[..., tuple[torch.Tensor, State]]
"""`step(x, gradient, state, *coefficients)` returns the next x and state."""

CONSTANT: Schedule = Constant()


@dataclass(frozen=True)
class UpdateRule(ABC):
    """How the next point follows from the gradient.

    A rule is a frozen dataclass of hyperparameters. What depends on them and on the iteration
    alone is computed in double precision by `coefficients`; what touches tensors is `update`,
    which knows nothing else.

    So one function serves a single descent, whose coefficients are floats, and a batch, whose
    coefficients are tensors of shape (B, 1, …), and gives the same bits in both as long as

    - `update` keeps to `+ - *`, division by a tensor and square roots, each a call of its own:
      fused calls (`add` with alpha, `addcmul`, `addcdiv`, `lerp`) round differently, and
      dividing by a number multiplies by its rounded inverse on CUDA;
    - nothing is derived from a coefficient in `update`: `1 - beta` in float32 is another number
      than `1 - beta` in double, rounded.

    In a batch, numbers that differ between rows become float64 arrays of shape (B,), filled in
    without `__post_init__`; all other fields are shared by its rows. A float coefficient is not
    rounded to float16 or bfloat16 and a tensor is, so there the promise does not hold.

    Attributes:
        name: the word that chooses the rule in a config.
        batchable: whether `update` is a pure function that may be called for many rows at once.
        schedule: turns `lr` into the rate of each update.
    """

    name: ClassVar[str] = ""
    batchable: ClassVar[bool] = True

    @property
    @abstractmethod
    def schedule(self) -> Schedule:
        """The learning-rate schedule; a keyword field of every rule, constant by default."""

    @abstractmethod
    def coefficients(self, iteration: int) -> tuple[Any, ...]:
        """What `update` needs besides tensors, at the iteration that is made (from 1).

        Numbers (float64 arrays in a batch), and booleans that choose a formula.
        """

    def settled(self, iteration: int) -> bool:
        """Whether the coefficients are the same at this iteration and at every later one.

        Between settled iterations a descent is a fixed map, so a state that repeats will repeat
        for ever. In a batch the answer may be an array with one value per row.
        """
        return self.schedule.settled(iteration)

    @property
    def constant(self) -> bool:
        """Whether the coefficients are the same at every iteration (of every row)."""
        return bool(np.all(self.settled(1)))

    @staticmethod
    @abstractmethod
    def update(
        x: torch.Tensor, gradient: torch.Tensor, state: State, *coefficients: Coefficient
    ) -> tuple[torch.Tensor, State]:
        """The next x and state; neither argument is changed. The first state is ()."""

    def stepper(self, problem: Problem) -> Step:
        """What one descent calls at every iteration: `update`.

        A rule that keeps state of its own returns a new function for every descent.
        """
        return self.update

    def _check(self, **kinds: Callable[[str, object], float]) -> None:
        """Check hyperparameters by name, keep them as floats, and build a schedule given as keys.

        Raises:
            BadInput: names the first hyperparameter that cannot be used.
        """
        for key, kind in kinds.items():
            object.__setattr__(self, key, kind(key, getattr(self, key)))
        schedule: object = self.schedule
        if isinstance(schedule, Mapping):
            object.__setattr__(self, "schedule", build_schedule(schedule))
        elif not isinstance(schedule, Schedule):
            raise BadInput("schedule", schedule, "must be a Schedule or a group with its name")


def elementwise(function: Callable[[float], float], values: Values) -> Values:
    """A function of a number, or of each entry of a float64 array with the bits of a number.

    numpy's own powers and cosines may differ from Python's in the last bit.
    """
    if not isinstance(values, np.ndarray):
        return function(values)
    unique, where = np.unique(values, return_inverse=True)
    return np.array([function(each) for each in unique.tolist()])[where].reshape(values.shape)
