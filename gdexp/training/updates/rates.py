"""The learning rates of the updates: gdexp's schedules and torch's, on all parameter groups."""

from __future__ import annotations

import warnings
from collections.abc import Mapping
from typing import Any, Protocol

import torch

from gdexp.core import BadInput, nearest
from gdexp.optimizers import Schedule, TorchSchedule


class Rates(Protocol):
    """What sets the learning rate of each parameter group."""

    def after_update(self, count: int) -> None:
        """Set the rates of the next update.

        Args:
            count: the updates made.
        """

    def after_epoch(self) -> None:
        """Move on where epochs are counted."""

    def after_evaluation(self, metrics: Mapping[str, float]) -> None:
        """Move on where evaluations are counted."""

    def state_dict(self) -> dict[str, Any]:
        """Return what decides the later rates and is not in the optimizer."""

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Take a state."""


def rates_of(schedule: Schedule, optimizer: torch.optim.Optimizer) -> Rates:
    """Return what sets the rates of an optimizer, with those of the first update set.

    Raises:
        BadInput: torch refuses an option of the schedule.
    """
    if isinstance(schedule, TorchSchedule):
        return SchedulerRates(schedule, optimizer)
    return ScheduleRates(schedule, optimizer)


class ScheduleRates:
    """The rates of one of gdexp's schedules: a function of the group's first rate and the count."""

    def __init__(self, schedule: Schedule, optimizer: torch.optim.Optimizer) -> None:
        self._schedule = schedule
        self._groups = optimizer.param_groups
        if not schedule.constant:
            for group in self._groups:
                group.setdefault("initial_lr", group["lr"])
            self.after_update(0)

    def after_update(self, count: int) -> None:
        """Set the rates of update `count + 1`; a constant schedule leaves them to the optimizer."""
        if not self._schedule.constant:
            for group in self._groups:
                group["lr"] = self._schedule.rate(group["initial_lr"], count + 1)

    def after_epoch(self) -> None:
        """Do nothing."""

    def after_evaluation(self, metrics: Mapping[str, float]) -> None:
        """Do nothing."""

    def state_dict(self) -> dict[str, Any]:
        """Return nothing: the count and the optimizer decide all rates."""
        return {}

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Do nothing."""


class SchedulerRates:
    """The rates of a scheduler of torch."""

    def __init__(self, schedule: TorchSchedule, optimizer: torch.optim.Optimizer) -> None:
        self._schedule = schedule
        self._scheduler: Any = schedule.make(optimizer)

    def after_update(self, count: int) -> None:
        """Step the scheduler where it counts updates."""
        if self._schedule.interval == "update":
            self._step()

    def after_epoch(self) -> None:
        """Step the scheduler where it counts epochs."""
        if self._schedule.interval == "epoch":
            self._step()

    def after_evaluation(self, metrics: Mapping[str, float]) -> None:
        """Step the scheduler where it counts evaluations, with the metric that it takes.

        Raises:
            BadInput: there is no such metric.
        """
        if self._schedule.interval != "evaluation":
            return
        if not self._schedule.takes_metric:
            self._step()
            return
        name = self._schedule.metric
        if name not in metrics:
            raise BadInput("optimizer.schedule.metric", name, nearest(name, metrics))
        self._step(metrics[name])

    def state_dict(self) -> dict[str, Any]:
        """Return the scheduler's own state."""
        state: dict[str, Any] = self._scheduler.state_dict()
        return state

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Load the scheduler's own state."""
        self._scheduler.load_state_dict(dict(state))

    def _step(self, *metric: float) -> None:
        with warnings.catch_warnings():
            # A gradient scaler leaves out the optimizer's step at an overflow, as it should.
            warnings.filterwarnings("ignore", "Detected call of `lr_scheduler.step", UserWarning)
            self._scheduler.step(*metric)
