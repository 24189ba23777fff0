"""The plan of a descent, from a problem and an update rule."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache, partial
from typing import Protocol, Self, cast

import torch

from gdexp.engine.builder import Builder
from gdexp.engine.gradient_norm import GRADIENT_NORM, norm_value
from gdexp.engine.lowering import lower
from gdexp.engine.not_portable import NotPortable
from gdexp.engine.plan import Plan
from gdexp.engine.program import DTYPES, Program
from gdexp.engine.recorder import agreed_recording
from gdexp.engine.recording import Recording

State = tuple[torch.Tensor, ...]
Step = Callable[..., tuple[torch.Tensor, State]]
Search = Callable[..., tuple[torch.Tensor, State, torch.Tensor | None]]

MOST_STATES = 16
"""The most tensors of a rule's state."""


class LossFunction(Protocol):
    """What is needed of a problem."""

    name: str

    def loss(self, x: torch.Tensor) -> torch.Tensor:
        """Return the loss at x."""

    def to(self, dtype: torch.dtype, device: torch.device) -> Self:
        """Return the same with its tensors in a dtype."""


class Rule(Protocol):
    """What is needed of an update rule; with `batchable`, its `update` is a pure function."""

    @property
    def batchable(self) -> bool:
        """Whether `update` is a pure function of its arguments."""

    @property
    def update(self) -> Step:
        """`update(x, gradient, state, *coefficients)` returns the next x and state."""

    def coefficients(self, iteration: int) -> tuple[object, ...]:
        """Return numbers, and booleans that choose a formula."""


def plan_for(
    problem: LossFunction,
    rule: Rule,
    dtype: torch.dtype | str,
    x: torch.Tensor,
    evaluate: Program | None = None,
) -> Plan:
    """Return the programs of a descent.

    Args:
        problem: its loss is recorded in the dtype, at x and near it.
        rule: its update is recorded at the first update and at a later one.
        dtype: float32 or float64.
        x: the start.
        evaluate: the program of the loss and its gradient, where it is known.

    Raises:
        NotPortable: an operation has no portable form, or a recording cannot be trusted.
    """
    dtype = _checked(dtype)
    evaluate = evaluation_for(problem, dtype, x) if evaluate is None else evaluate
    if not rule.batchable:
        raise NotPortable("the update rule keeps its own state: it is no function of tensors")
    recipe = UpdateRecipe.of(rule, dtype, tuple(x.shape))
    first, update = recipe.programs()
    return Plan(evaluate, first, update, recipe.count)


def evaluation_for(
    problem: LossFunction, dtype: torch.dtype | str, x: torch.Tensor, norms: bool = False
) -> Program:
    """Return the program of a loss and its gradient, with the norm of that on request."""
    dtype = _checked(dtype)
    return program_of(recording_for(problem, dtype, x), dtype, norms)


def is_recorded_as(recording: Recording, program: Program) -> str | None:
    """Return how a recording differs from the one of a program; None where they agree."""
    norms = GRADIENT_NORM in program.outputs
    again = program_of(recording, getattr(torch, program.dtype), norms)
    return None if again.sha256 == program.sha256 else "it gives another program"


def recording_for(problem: LossFunction, dtype: torch.dtype, x: torch.Tensor) -> Recording:
    """Return the operations of a loss and its gradient, recorded at x and near it."""
    point = x.detach().to("cpu", dtype)
    converted = problem.to(dtype, torch.device("cpu"))
    function = partial(loss_and_gradient, converted)
    near = point * (1 + 2**-6) + 2**-7
    return agreed_recording(function, {"x": leaf(point)}, {"x": leaf(near)})


def leaf(x: torch.Tensor) -> torch.Tensor:
    """Return a copy of a point that a gradient can be taken at."""
    return x.detach().clone(memory_format=torch.contiguous_format).requires_grad_()


def loss_and_gradient(problem: LossFunction, x: torch.Tensor) -> Mapping[str, torch.Tensor]:
    """Return the loss at x and its gradient, as torch's autograd defines it."""
    loss = problem.loss(x)
    if not isinstance(loss, torch.Tensor) or loss.ndim or not loss.requires_grad:
        raise NotPortable("the loss is no scalar tensor that depends on x")
    # With the gradient of the loss given, this call imports sympy.
    (gradient,) = torch.autograd.grad(loss, x)
    return {"loss": loss, "gradient": gradient}


def program_of(recording: Recording, dtype: torch.dtype, norms: bool = False) -> Program:
    """Return a recording as a program; with `norms` that of its gradient is a result too."""
    builder = Builder(_name(dtype))
    outputs = dict(lower(recording, builder))
    if norms:
        outputs[GRADIENT_NORM] = norm_value(builder, outputs["gradient"])
    return builder.program(outputs)


@dataclass(frozen=True)
class UpdateRecipe:
    """How an update rule is recorded.

    Attributes:
        step: the rule's update, or its search.
        fixed: the rule's coefficients at one iteration; None where a number stands.
        dtype: of all tensors.
        shape: of x.
        searches: whether the step takes the loss too, and says whether x is an iterate.
    """

    step: Step
    fixed: tuple[bool | None, ...]
    dtype: torch.dtype
    shape: tuple[int, ...]
    searches: bool = False

    @classmethod
    def of(cls, rule: Rule, dtype: torch.dtype, shape: tuple[int, ...]) -> UpdateRecipe:
        """Return the recipe of a rule; its booleans stay as they are."""
        fixed = (each if isinstance(each, bool) else None for each in rule.coefficients(1))
        search = getattr(rule, "search", None)
        if search is not None:
            return cls(search, tuple(fixed), dtype, shape, searches=True)
        return cls(rule.update, tuple(fixed), dtype, shape)

    @property
    def count(self) -> int:
        """The number of coefficients that are numbers."""
        return sum(each is None for each in self.fixed)

    @lru_cache(maxsize=64)  # noqa: B019 - a recipe is small and holds no tensor
    def programs(self) -> tuple[Program, Program]:
        """Return the programs of the first update and of later ones."""
        first, shapes = self.first()
        return first, self.later(shapes)

    def first(self) -> tuple[Program, list[tuple[int, ...]]]:
        """Return the program of the first update, and the shapes of the state after it."""
        recording = self._recorded([])
        states = [s for name, s in recording.outputs.items() if name.startswith("state")]
        return program_of(recording, self.dtype), [recording.slots[s].shape for s in states]

    def later(self, shapes: Sequence[tuple[int, ...]]) -> Program:
        """Return the program of later updates."""
        recording = self._recorded(shapes)
        for i, shape in enumerate(shapes):
            slot = recording.outputs.get(f"state{i}")
            if slot is None or recording.slots[slot].shape != shape:
                raise NotPortable("the state of the update rule changes its shape")
        if sum(name.startswith("state") for name in recording.outputs) != len(shapes):
            raise NotPortable("the state of the update rule grows")
        return program_of(recording, self.dtype)

    def _recorded(self, shapes: Sequence[tuple[int, ...]]) -> Recording:
        points = (self._point(shapes, seed) for seed in (1, 2))
        recording = agreed_recording(self._update, *points)
        if recording.slots[recording.outputs["x"]].shape != self.shape:
            raise NotPortable("the update rule changes the shape of x")
        return recording

    def _point(self, shapes: Sequence[tuple[int, ...]], seed: int) -> dict[str, torch.Tensor]:
        generator = torch.Generator().manual_seed(seed)

        def numbers(shape: tuple[int, ...]) -> torch.Tensor:
            return torch.rand(shape, generator=generator, dtype=self.dtype) * 0.5 + 0.25

        states = {f"state{i}": numbers(shape) for i, shape in enumerate(shapes)}
        coefficients = {f"coefficient{i}": numbers(()) for i in range(self.count)}
        loss = {"loss": numbers(())} if self.searches else {}
        gradient = numbers(self.shape)
        return {"x": numbers(self.shape), "gradient": gradient, **loss, **states, **coefficients}

    def _update(self, **given: torch.Tensor) -> dict[str, torch.Tensor]:
        numbers = iter([given[f"coefficient{i}"] for i in range(self.count)])
        coefficients = [next(numbers) if each is None else each for each in self.fixed]
        state = tuple(tensor for name, tensor in given.items() if name.startswith("state"))
        accepted: dict[str, torch.Tensor] = {}
        if self.searches:
            arguments = given["x"], given["loss"], given["gradient"], state
            x, after, taken = cast("Search", self.step)(*arguments, *coefficients)
            if taken is not None:
                accepted["accepted"] = taken
        else:
            x, after = self.step(given["x"], given["gradient"], state, *coefficients)
        if len(after) > MOST_STATES:
            raise NotPortable(f"the update rule has a state of {len(after)} tensors")
        return {"x": x, **{f"state{i}": each for i, each in enumerate(after)}, **accepted}


def _checked(dtype: torch.dtype | str) -> torch.dtype:
    found = getattr(torch, dtype) if isinstance(dtype, str) else dtype
    if _name(found) not in DTYPES:
        raise NotPortable(f"{_name(found)} has no portable form: only float32 and float64")
    return found


def _name(dtype: torch.dtype) -> str:
    return str(dtype).removeprefix("torch.")
