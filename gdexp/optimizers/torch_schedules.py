"""Any scheduler of torch.optim.lr_scheduler, or of an importable class with its interface."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import torch

from gdexp.core import BadInput, nearest, validation
from gdexp.optimizers.mathematics import Iteration
from gdexp.optimizers.schedules import Schedule
from gdexp.problems import load_by_path

INTERVALS = ("update", "epoch", "evaluation")

_FUNCTIONS = ("lr_lambda", "scale_fn")
"""Arguments of torch's schedulers that are functions; a config names them by their import paths."""

_BASES = ("LRScheduler", "_LRScheduler")


def torch_schedulers() -> dict[str, type[torch.optim.lr_scheduler.LRScheduler]]:
    """Return the schedulers of torch.optim.lr_scheduler by name."""
    base = torch.optim.lr_scheduler.LRScheduler
    return {
        name: cls
        for name, cls in sorted(vars(torch.optim.lr_scheduler).items())
        if inspect.isclass(cls) and issubclass(cls, base) and name not in _BASES
    }


@dataclass(frozen=True)
class TorchSchedule(Schedule):
    """A scheduler class of torch, stepped after each update.

    It sets the learning rates of all parameter groups, and what else it changes there, such as the
    momentum of OneCycleLR.

    Args:
        class_name: its name in torch.optim.lr_scheduler, or the import path of another class.
        options: the keyword arguments of the class. `schedulers`, of SequentialLR and
            ChainedScheduler, is a list of groups with `class_name` and `options`; functions are
            given by their import paths. `max_lr` of OneCycleLR is by default `lr`.
        interval: when it is stepped: after each `update`, `epoch` or `evaluation`. None: after
            each update, or after each evaluation where its steps take a metric.
        metric: what the steps of ReduceLROnPlateau take, read at the evaluation, or `loss`.

    Raises:
        BadInput: the class or an option does not exist, or torch refuses a value.
    """

    name = "torch"
    class_name: str = "ConstantLR"
    options: Mapping[str, Any] = field(default_factory=dict, hash=False)
    interval: str | None = None
    metric: str = "loss"

    def __post_init__(self) -> None:
        given: object = {} if self.options is None else self.options
        if not isinstance(given, Mapping):
            raise BadInput("options", given, "must be a group of keyword arguments")
        object.__setattr__(self, "options", dict(given))
        validation.text("metric", self.metric)
        interval = self.interval or ("evaluation" if self.takes_metric else "update")
        object.__setattr__(self, "interval", validation.choice("interval", interval, INTERVALS))
        if self.takes_metric and interval != "evaluation":
            raise BadInput("interval", interval, f"{self.class_name} needs interval: evaluation")
        for key in _keys(self.class_name, self.options):
            _check_key(*key)

    @property
    def takes_metric(self) -> bool:
        """Whether the scheduler's `step` takes a metric."""
        parameters = [*inspect.signature(scheduler_class(self.class_name).step).parameters.values()]
        return len(parameters) > 1 and parameters[1].default is inspect.Parameter.empty

    def make(self, optimizer: torch.optim.Optimizer) -> torch.optim.lr_scheduler.LRScheduler:
        """Return a new scheduler of an optimizer.

        Raises:
            BadInput: torch refuses an option.
        """
        try:
            made: torch.optim.lr_scheduler.LRScheduler
            made = _made(self.class_name, self.options, optimizer)
            return made
        except BadInput:
            raise
        except Exception as error:  # torch raises errors of many types
            lines = str(error).splitlines() or [type(error).__name__]
            refused = f"refused by {self.class_name}: {lines[0]}"
            raise BadInput("options", dict(self.options), refused) from None

    def rate(self, lr: Any, iteration: Iteration) -> float:  # noqa: ANN401
        """Return the rate that the scheduler gives an optimizer of one parameter."""
        if isinstance(lr, np.ndarray):
            each: Any = np.array([self.rate(one, iteration) for one in lr.tolist()])
            return each  # type: ignore[no-any-return]
        if self.interval != "update":
            raise BadInput("interval", self.interval, "only trainings have epochs and evaluations")
        rates = _rates(self, float(lr))
        while len(rates.known) < iteration:
            rates.known.append(next(rates.further))
        rate: float = rates.known[iteration - 1]
        return rate

    def constant_from(self, iteration: Iteration) -> bool:
        """Return False: what a scheduler will do is not known."""
        return False


class _Rates:
    """The rates of one scheduler and learning rate, as far as they were asked for."""

    def __init__(self, schedule: TorchSchedule, lr: float) -> None:
        self.schedule = schedule
        self.known: list[float] = []
        self.further = self._iterate(lr)

    def _iterate(self, lr: float) -> Iterator[float]:
        parameter = torch.zeros(1, requires_grad=True)
        optimizer = torch.optim.SGD([parameter], lr=lr, momentum=0.5)
        scheduler = self.schedule.make(optimizer)
        while True:
            yield float(optimizer.param_groups[0]["lr"])
            optimizer.step()
            scheduler.step()


_CACHE: dict[tuple[str, str, float], _Rates] = {}


def _rates(schedule: TorchSchedule, lr: float) -> _Rates:
    key = schedule.class_name, repr(schedule.options), lr
    if key not in _CACHE:
        while len(_CACHE) >= 64:
            del _CACHE[next(iter(_CACHE))]
        _CACHE[key] = _Rates(schedule, lr)
    return _CACHE[key]


def scheduler_class(name: object) -> type[Any]:
    """Return a scheduler class of torch by its name, or any class by its import path.

    Raises:
        BadInput: there is no such class, or it does not have a scheduler's interface.
    """
    known = torch_schedulers()
    if isinstance(name, str) and name in known:
        return known[name]
    if not isinstance(name, str) or "." not in name:
        raise BadInput("class_name", name, nearest(str(name), known))
    try:
        found = load_by_path(name)
    except BadInput as error:
        raise BadInput("class_name", name, error.allowed) from None
    if not inspect.isclass(found) or not all(
        callable(getattr(found, each, None)) for each in ("step", "state_dict", "load_state_dict")
    ):
        raise BadInput("class_name", name, "must be a class with torch's scheduler interface")
    return found


def _made(name: object, options: Mapping[str, Any], optimizer: torch.optim.Optimizer) -> Any:  # noqa: ANN401
    """Return a scheduler with those that its options name."""
    build: Callable[..., Any] = scheduler_class(name)
    given = {key: _value(key, value, optimizer) for key, value in options.items()}
    if name == "OneCycleLR" and given.get("max_lr") is None:
        given["max_lr"] = [group["lr"] for group in optimizer.param_groups]
    if name == "ChainedScheduler":
        return build(given.pop("schedulers", []), optimizer=optimizer, **given)
    return build(optimizer, **given)


def _value(key: str, value: object, optimizer: torch.optim.Optimizer) -> object:
    if key == "schedulers" and isinstance(value, list | tuple):
        return [_made(*_part(each), optimizer) for each in value]
    if key in _FUNCTIONS:
        return (
            [_function(key, one) for one in value]
            if isinstance(value, list)
            else _function(key, value)
        )
    return value


def _function(key: str, value: object) -> object:
    if callable(value) or value is None:
        return value
    found = load_by_path(validation.text(f"options.{key}", value))
    if not callable(found):
        raise BadInput(f"options.{key}", value, "must name a function")
    return found


def _part(given: object) -> tuple[object, Mapping[str, Any]]:
    """Return class name and options of one of `schedulers`."""
    if not isinstance(given, Mapping) or not set(given) <= {"class_name", "options"}:
        raise BadInput(
            "options.schedulers", given, "must be a list of {class_name: …, options: {…}}"
        )
    return given.get("class_name"), given.get("options") or {}


def _keys(name: object, options: Mapping[str, Any]) -> Iterator[tuple[object, str, object]]:
    """Yield class, option and value of a scheduler and of those inside it."""
    for key, value in options.items():
        yield name, key, value
        if key == "schedulers" and isinstance(value, list | tuple):
            for each in value:
                yield from _keys(*_part(each))


def _check_key(name: object, key: str, value: object) -> None:
    parameters = inspect.signature(scheduler_class(name)).parameters
    allowed = [each for each in parameters if each not in ("optimizer", "last_epoch", "verbose")]
    if key in allowed or any(p.kind is p.VAR_KEYWORD for p in parameters.values()):
        return
    raise BadInput(f"options.{key}", value, f"{name} takes {', '.join(allowed)}")
