"""The steps of one descent by an optimizer of torch, which has state of its own."""

from __future__ import annotations

import inspect
import math
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

import torch

from gdexp.core import BadInput, GdexpError
from gdexp.optimizers.base import State
from gdexp.optimizers.stored_state import put_state, stored_state

if TYPE_CHECKING:
    from gdexp.problems import Problem


class StatefulStep:
    """Steps one new optimizer, made at the first call.

    Args:
        name: of the optimizer's class.
        make: returns a new optimizer of a tensor.
        problem: of the descent.
        state_is_known: whether the optimizer's state decides its next step.
    """

    def __init__(
        self,
        name: str,
        make: Callable[[torch.Tensor], torch.optim.Optimizer],
        problem: Problem,
        state_is_known: bool,
    ) -> None:
        self._given = name, make, problem, state_is_known
        self._stepper: _Stepper | None = None

    def __call__(
        self, x: torch.Tensor, gradient: torch.Tensor, state: State, lr: float
    ) -> tuple[torch.Tensor, State]:
        """Step the optimizer; return copies of the new point and of its state."""
        if self._stepper is None:
            self._stepper = _Stepper(x, *self._given)
        return self._stepper.step(gradient, lr)

    @property
    def evaluations(self) -> int:
        """How often the optimizer has called its closure."""
        return 0 if self._stepper is None else self._stepper.evaluations

    def state_dict(self) -> dict[str, Any] | None:
        """Return the optimizer's state; None before the first step."""
        if self._stepper is None:
            return None
        return {**stored_state(self._stepper.optimizer), "evaluations": self.evaluations}

    def load_state_dict(self, x: torch.Tensor, state: Mapping[str, Any] | None) -> None:
        """Go on from a state.

        Args:
            x: the point at which it was.
            state: as `state_dict` returned it.
        """
        if state is not None:
            self._stepper = _Stepper(x.detach(), *self._given)
            put_state(self._stepper.optimizer, state["own"], state["attributes"])
            self._stepper.evaluations = int(state["evaluations"])


class _Stepper:
    """The optimizer of one descent."""

    def __init__(
        self,
        x: torch.Tensor,
        name: str,
        make: Callable[[torch.Tensor], torch.optim.Optimizer],
        problem: Problem,
        state_is_known: bool,
    ) -> None:
        self._name, self._problem, self._state_is_known = name, problem, state_is_known
        self._parameter = x.clone().requires_grad_()
        try:
            self.optimizer = make(self._parameter)
        except (ValueError, TypeError, RuntimeError, AssertionError) as error:
            raise BadInput("class_name", self._name, reason_of(error)) from None
        switch_optimizer(self.optimizer, "train")
        self.evaluations = 0
        self._closure = (self._evaluate,) if needs_closure(self.optimizer) else ()

    def step(self, gradient: torch.Tensor, lr: float) -> tuple[torch.Tensor, State]:
        """Step the optimizer; return copies of the new point and of its state."""
        self._parameter.grad = gradient
        if not math.isnan(lr):
            self.optimizer.param_groups[0]["lr"] = lr
        try:
            self.optimizer.step(*self._closure)
        except Exception as error:
            raise GdexpError(f"{shown_class(self._name)} failed: {reason_of(error)}") from error
        return self._parameter.detach().clone(), self._state() if self._state_is_known else ()

    def _evaluate(self) -> torch.Tensor:
        """Return the loss at the parameter and set its `grad`; torch's closure."""
        self.evaluations += 1
        loss = self._problem.loss(self._parameter)
        (self._parameter.grad,) = torch.autograd.grad(loss, (self._parameter,))
        return loss.detach()

    def _state(self) -> State:
        """Return the optimizer's state that decides the next step.

        For LBFGS that is its count of iterations: when a step leaves it as it was, nothing has
        changed.
        """
        state = self.optimizer.state[self._parameter]
        if self._name == "LBFGS":
            return (torch.tensor(state["n_iter"]),)
        return tuple(
            value.clone()
            for key, value in state.items()
            if key != "step" and isinstance(value, torch.Tensor)
        )


def needs_closure(optimizer: torch.optim.Optimizer) -> bool:
    """Return whether the optimizer's step must be given a function that computes the loss."""
    closure = inspect.signature(type(optimizer).step).parameters.get("closure")
    return closure is not None and closure.default is inspect.Parameter.empty


def switch_optimizer(optimizer: torch.optim.Optimizer, method: str) -> None:
    """Call the optimizer's own `train` or `eval`, where it has one."""
    change: Callable[[], object] | None = getattr(optimizer, method, None)
    if callable(change):
        change()


def shown_class(class_name: str) -> str:
    """Return a class's name as a reader knows it."""
    return class_name if "." in class_name else f"torch.optim.{class_name}"


def reason_of(error: Exception) -> str:
    """Return the first line of torch's message."""
    lines = str(error).splitlines()
    return lines[0] if lines else type(error).__name__
