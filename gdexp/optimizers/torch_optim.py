"""Any optimizer class of torch.optim, or of its interface, as an update rule."""

from __future__ import annotations

import difflib
import inspect
import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, ClassVar

import torch

from gdexp.core import BadInput, validation
from gdexp.optimizers.base import CONSTANT, Coefficient, State, Step, UpdateRule
from gdexp.optimizers.schedules import Schedule
from gdexp.optimizers.stateful_step import (
    StatefulStep,
    needs_closure,
    reason_of,
    shown_class,
)
from gdexp.optimizers.torch_options import check_option
from gdexp.problems import load_by_path

if TYPE_CHECKING:
    from gdexp.problems import Problem

_UNSUITABLE = {
    "Optimizer": "is the abstract base of the others",
    "SparseAdam": "needs sparse gradients, and a descent's are dense",
    "DistributedOptimizer": "spreads its work over processes, and a descent is one process",
    "ZeroRedundancyOptimizer": "spreads its work over processes, and a descent is one process",
}

_RESERVED_OPTIONS = {
    "params": "is the problem's x",
    "lr": "is given beside options, as lr",
    "maximize": "is not offered: a descent minimises",
    "differentiable": "is not offered: a descent is not differentiated through",
    "capturable": "is not offered: a descent is not captured in a CUDA graph",
}

_STEP_INDEPENDENT = ("SGD", "RMSprop", "Rprop", "Adadelta", "Adagrad")
"""Classes whose update does not depend on the step count (Adagrad: without lr_decay)."""


def torch_optimizers() -> dict[str, type[torch.optim.Optimizer]]:
    """Return the classes of torch.optim that can run a descent, by name."""
    return {
        name: cls
        for name, cls in sorted(vars(torch.optim).items())
        if inspect.isclass(cls)
        and issubclass(cls, torch.optim.Optimizer)
        and name not in _UNSUITABLE
    }


@dataclass(frozen=True)
class TorchOptimizer(UpdateRule):
    """An optimizer class of torch.optim, or an importable one, stepped once per iteration.

    The loss trace holds the loss at the point after each step. LBFGS evaluates the loss and its
    gradient several times within a step (up to its `max_iter` and `max_eval`). So its iterations
    cost more than those of other rules, and the counts cannot be compared directly.

    The single-tensor implementation is used (`foreach=False, fused=False`) unless options choose
    another. The optimizer has state of its own, so its descents run one at a time.

    A repeated state ends a descent as stalled only where no later change is possible: for SGD,
    RMSprop, Rprop, Adadelta and Adagrad without lr_decay, whose updates do not depend on the step
    count, when x and all their tensors repeat; for LBFGS, when a step makes no iteration because
    the gradient is within its tolerance. With other classes no descent ends as stalled.

    Args:
        class_name: the class's name in torch.optim, or the import path of a class with the
            interface of torch.optim.Optimizer, such as `muon.Muon`.
        lr: learning rate, > 0; by default the class's, which may be None for one that sets its
            own.
        options: further keyword arguments of the class; a list stands for a tuple.
        schedule: of the learning rate; constant by default.

    Raises:
        BadInput: the class or an option does not exist or is not suitable, or torch refuses a
            value.
    """

    name = "torch"
    batchable: ClassVar[bool] = False

    class_name: str = "SGD"
    lr: float | None = None
    options: Mapping[str, Any] = field(default_factory=dict, hash=False)
    schedule: Schedule = field(default=CONSTANT, kw_only=True)

    def __post_init__(self) -> None:
        parameters = inspect.signature(optimizer_class(self.class_name)).parameters
        if self.lr is None:
            object.__setattr__(self, "lr", _default_lr(self.class_name, parameters))
        if self.lr is None:
            self._check()
            if not self.schedule.constant:
                raise BadInput("lr", None, f"{self.class_name} has no default; a schedule needs lr")
        else:
            self._check(lr=validation.positive)
        object.__setattr__(self, "options", _options(self.class_name, self.options, parameters))
        if "." not in self.class_name:  # one of the user's own may need groups of its own
            self._check_step()

    def coefficients(self, iteration: int) -> tuple[Any, ...]:
        """Return the learning rate."""
        return (self.rate(iteration),)

    def rate(self, iteration: int) -> float:
        """Return the learning rate of one update; nan where the class sets its own."""
        return math.nan if self.lr is None else self.schedule.rate(self.lr, iteration)

    @property
    def state_is_known(self) -> bool:
        """Whether `update` returns everything that decides the next step besides the rate."""
        if self.class_name == "LBFGS":
            return True
        return self.class_name in _STEP_INDEPENDENT and not self.options.get("lr_decay")

    def constant_from(self, iteration: int) -> bool:
        """Return whether a repeated state means that nothing can change any more."""
        return self.state_is_known and self.schedule.constant_from(iteration)

    @staticmethod
    def update(
        x: torch.Tensor, gradient: torch.Tensor, state: State, *coefficients: Coefficient
    ) -> tuple[torch.Tensor, State]:
        """Raise TypeError: an optimizer of torch has state of its own, see `stepper`."""
        raise TypeError("a torch.optim optimizer is no pure function; use stepper(problem)")

    def stepper(self, problem: Problem) -> Step:
        """Return what steps one new optimizer, made at the first call."""

        def make(x: torch.Tensor) -> torch.optim.Optimizer:
            return self.make(x, lr=self.rate(1))

        return StatefulStep(self.class_name, make, problem, self.state_is_known)

    def make(self, parameter: torch.Tensor, lr: float) -> torch.optim.Optimizer:
        """Return a new optimizer of one tensor, in the single-tensor implementation."""
        accepted = inspect.signature(optimizer_class(self.class_name)).parameters
        plainest = {key: False for key in ("foreach", "fused") if key in accepted}
        return self._made([parameter], lr, plainest if "." not in self.class_name else {})

    def make_for(self, groups: Sequence[Mapping[str, Any]]) -> torch.optim.Optimizer:
        """Return a new optimizer of parameter groups, as torch makes it by default.

        Its learning rate is `lr`, to which no schedule was applied.
        """
        lr = math.nan if self.lr is None else self.lr
        return self._made([dict(each) for each in groups], lr, {})

    def _made(
        self, parameters: Sequence[object], lr: float, defaults: Mapping[str, Any]
    ) -> torch.optim.Optimizer:
        build: Callable[..., torch.optim.Optimizer] = optimizer_class(self.class_name)
        own = {} if math.isnan(lr) else {"lr": lr}
        return build(parameters, **own, **{**defaults, **self.options})

    def _check_step(self) -> None:
        """Take one step on a small matrix, to find the options that torch refuses."""
        parameter = torch.ones(1, 1, dtype=torch.float64, requires_grad=True)

        def closure() -> Any:  # noqa: ANN401
            loss = (parameter * parameter).sum()
            (parameter.grad,) = torch.autograd.grad(loss, (parameter,))
            return loss.detach()

        try:
            with torch.enable_grad():
                closure()
                optimizer = self.make(parameter, lr=0.1)
                if needs_closure(optimizer):
                    optimizer.step(closure)
                else:
                    optimizer.step()
        except Exception as error:  # torch raises errors of many types
            allowed = f"refused by {shown_class(self.class_name)}: {reason_of(error)}"
            raise BadInput("options", dict(self.options), allowed) from None


def optimizer_class(name: object) -> type[torch.optim.Optimizer]:
    """Return the class of that name in torch.optim, or of that import path.

    Raises:
        BadInput: there is none, or it is not suitable; the nearest name is offered.
    """
    classes = torch_optimizers()
    if isinstance(name, str) and "." in name:
        return _own_class(name)
    if not isinstance(name, str) or name not in classes:
        why = _UNSUITABLE.get(str(name))
        if why is not None:
            raise BadInput("class_name", name, f"{why}; choose from {', '.join(classes)}")
        lower = {each.lower(): each for each in classes}
        close = difflib.get_close_matches(str(name).lower(), lower, n=1, cutoff=0.6)
        hint = f"did you mean {lower[close[0]]}?" if close else f"choose from {', '.join(classes)}"
        raise BadInput("class_name", name, hint)
    return classes[name]


def _own_class(path: str) -> type[torch.optim.Optimizer]:
    try:
        found: Any = load_by_path(path)
    except BadInput as error:
        raise BadInput("class_name", path, error.allowed) from None
    methods = ("step", "zero_grad", "state_dict", "load_state_dict")
    if not isinstance(found, type) or not all(callable(getattr(found, m, None)) for m in methods):
        raise BadInput("class_name", path, "must name a class like torch.optim.Optimizer")
    return found


def _default_lr(class_name: str, parameters: Mapping[str, inspect.Parameter]) -> float | None:
    """Return the default learning rate of a class; None where it sets its own."""
    default = parameters["lr"].default if "lr" in parameters else None
    if default is inspect.Parameter.empty:
        raise BadInput("lr", None, f"{class_name} has no default; give one")
    return None if default is None else float(default)


def check_options(class_name: str, given: object, section: str = "options") -> dict[str, Any]:
    """Check keyword arguments of an optimizer class by name and value.

    Args:
        class_name: as of `TorchOptimizer`.
        given: the group of them.
        section: the key of the group, for errors.

    Returns:
        The arguments with lists turned into tuples.

    Raises:
        BadInput: the class does not take one of them, or its value is of another type.
    """
    try:
        return _options(
            class_name, given, inspect.signature(optimizer_class(class_name)).parameters
        )
    except BadInput as error:
        key = error.key.replace("options", section, 1)
        raise BadInput(key, error.value, error.allowed) from None


def _options(
    class_name: str, given: object, parameters: Mapping[str, inspect.Parameter]
) -> dict[str, Any]:
    """Check the keyword arguments; return them with lists turned into tuples."""
    given = {} if given is None else given
    if not isinstance(given, Mapping):
        raise BadInput("options", given, "must be a group of keyword arguments")
    valid = [key for key in parameters if key not in _RESERVED_OPTIONS]
    more = any(each.kind is each.VAR_KEYWORD for each in parameters.values())
    for key, value in given.items():
        if key in _RESERVED_OPTIONS and key in (*parameters, "params", "lr"):
            raise BadInput(f"options.{key}", value, _RESERVED_OPTIONS[key])
        if key in valid:
            check_option(class_name, str(key), value, parameters[key])
        elif not more:
            taken = f"{shown_class(class_name)} takes {', '.join(valid)}"
            raise BadInput(f"options.{key}", value, taken)
    return {
        str(key): tuple(value) if isinstance(value, list) else value for key, value in given.items()
    }
