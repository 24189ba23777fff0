"""The run of a loop of the user's own: its metrics are read, and it is ended at its threshold.

A generator function yields a dictionary of metrics after each step or epoch. A plain function calls
`gdexp.report` instead.
"""

from __future__ import annotations

import inspect
import math
import time
from array import array
from collections.abc import Callable, Generator, Mapping
from typing import Any

import numpy as np
import torch

from gdexp.checkpoints import Checkpointing, generator_states
from gdexp.core import BadInput, nearest, signals
from gdexp.descent import LOSS, Monitor, Status, Stopping, Watch, exact_arithmetic
from gdexp.optimizers import OwnRule
from gdexp.training.checkpoint import Checkpoint
from gdexp.training.loop import stopping_monitor
from gdexp.training.metrics import MetricTrace, metric_numbers
from gdexp.training.random_state import seed_generators, unchanged_generators
from gdexp.training.reports import Stopped, receiving
from gdexp.training.result import TrainingResult


class OwnLoop:
    """One run of a user's loop.

    Args:
        function: a generator function, or one that calls `gdexp.report`.
        arguments: that it is called with.
        name: of the loop, for errors and results.
        stopping: the stopping rule.
        seed: of all generators.
        device: on which the arithmetic is made exact.
        monitor: hears the readings and may end the loop.
        watch: as in `descend`; it sees the readings of the stopping metric.
        checkpoints: where the `Checkpoint`s that it yields are saved.
    """

    def __init__(
        self,
        function: Callable[..., object],
        arguments: Mapping[str, Any],
        name: str,
        stopping: Stopping,
        *,
        seed: int = 0,
        device: torch.device | str = "cpu",
        monitor: Monitor | None = None,
        watch: Watch | None = None,
        checkpoints: Checkpointing | None = None,
    ) -> None:
        self._function, self._arguments, self.name = function, dict(arguments), name
        self.stopping, self._seed = stopping, seed
        self._device = torch.device(device)
        self._monitor, self._watch = stopping_monitor(stopping, monitor), watch
        self._checkpoints, self._takes_checkpoint = checkpoints, _takes_checkpoint(function)
        self._watch_at = 0
        self._shown = array("d")
        self.iteration = 0
        self.metrics: dict[str, MetricTrace] = {}
        self.heard: list[tuple[int, dict[str, float], float]] = []
        self._seconds_before, self._started = 0.0, time.perf_counter()
        self._status: Status | None = None
        self._level, self._met = stopping.level, False

    def run(self) -> TrainingResult:
        """Run the loop until it ends, or is ended.

        Raises:
            BadInput: it yields something else than metrics, or never the stopping metric.
        """
        with unchanged_generators(), exact_arithmetic(self._device), torch.enable_grad():
            seed_generators(self._seed)
            resumed = self._resumed()
            self._started = time.perf_counter()
            status = self._run(resumed)
        if not self.metrics:
            raise self._silent()
        return self._result(status)

    @property
    def seconds(self) -> float:
        """Wall time of the loop so far."""
        return self._seconds_before + time.perf_counter() - self._started

    def _run(self, resumed: Checkpoint | None) -> Status:
        given = dict(self._arguments)
        if self._takes_checkpoint:
            given["checkpoint"] = resumed
        with receiving(self._reported):
            try:
                made = self._function(**given)
            except Stopped:
                assert self._status is not None, "a report ended the loop"
                return self._status
            if isinstance(made, Generator):
                return self._iterated(made)
        self._check_metric()
        return self._status or self.stopping.limit_status

    def _iterated(self, steps: Generator[object, None, object]) -> Status:
        """Take what the generator yields until it ends or is ended, and close it."""
        try:
            for item in steps:
                status = self._yielded(item)
                if status is not None:
                    return status
        except Stopped:
            assert self._status is not None, "a report ended the loop"
            return self._status
        finally:
            steps.close()
        self._check_metric()
        return self._status or self.stopping.limit_status

    def _yielded(self, item: object) -> Status | None:
        """Take one item: metrics, a checkpoint, or both as a pair."""
        checkpoint = None
        if isinstance(item, tuple) and len(item) == 2 and isinstance(item[1], Checkpoint):
            item, checkpoint = item
        elif isinstance(item, Checkpoint):
            self._save(item)
            return None
        status = self._step(self.iteration + 1, metric_numbers(self.name, item))
        if checkpoint is not None and status is None:
            self._save(checkpoint)
        return status

    def _reported(self, step: int, metrics: Mapping[str, Any]) -> bool:
        """Take what `gdexp.report` was given; return whether the loop is to end."""
        if self._status is None:
            if step < self.iteration:
                raise BadInput("report", step, f"must be at least the last step, {self.iteration}")
            self._status = self._step(step, metric_numbers(self.name, metrics))
        return self._status is not None

    def _step(self, iteration: int, metrics: dict[str, float]) -> Status | None:
        """Read the metrics of an iteration; return why the loop ends here, if it does."""
        self.iteration = iteration
        for name, value in metrics.items():
            self.metrics.setdefault(name, MetricTrace()).add(iteration, value)
        stopping, goal = self.stopping, self.stopping.metric
        self._show(metrics.get(goal))
        said = self._heard(metrics)
        if not math.isfinite(metrics.get(LOSS, 0.0)):
            return Status.DIVERGED
        if goal in metrics and stopping.sign * metrics[goal] <= self._level:
            if self._met or not stopping.goes_on or self._is_at_goal(metrics[goal]):
                return Status.CONVERGED
            self._go_on()
            said = None
        if iteration >= (stopping.max_iterations if self._met else stopping.limit):
            return self._limit()
        most = math.inf if self._met or stopping.max_seconds is None else stopping.max_seconds
        return Status.OUT_OF_TIME if self.seconds >= most else said

    def _is_at_goal(self, value: float) -> bool:
        return self.stopping.sign * value <= self.stopping.sign * self.stopping.goal

    def _go_on(self) -> None:
        """Go on after the threshold to a tighter one: nothing else but the updates ends it."""
        self._met, self._monitor = True, None
        self._level = self.stopping.sign * self.stopping.goal

    def _limit(self) -> Status:
        self._check_metric()
        return self.stopping.limit_status

    def _show(self, value: float | None) -> None:
        """Let the watch see the last value of the stopping metric; it checks signals too."""
        if value is not None:
            self._shown.append(value)
        if self._watch is None or value is None:
            signals.check()
        elif self.iteration >= self._watch_at:
            self._watch_at = self._watch(self.iteration, self._shown)

    def _heard(self, metrics: dict[str, float]) -> Status | None:
        if self._monitor is None:
            return None
        seconds = self.seconds
        if self._checkpoints is not None:
            self.heard.append((self.iteration, metrics, seconds))
        return self._monitor.reading(self.iteration, metrics, seconds)

    def _check_metric(self) -> None:
        """Refuse a stopping metric that the loop never gave."""
        goal = self.stopping.metric
        if goal not in self.metrics and self.stopping.has_threshold:
            known = self.metrics
            raise (
                BadInput("stopping.metric", goal, nearest(goal, known)) if known else self._silent()
            )

    def _silent(self) -> BadInput:
        """Return the error of a loop that gave no metrics."""
        allowed = (
            "gave no metrics: it must yield a dictionary after each step, or call gdexp.report"
        )
        return BadInput("problem", self.name, allowed)

    def _save(self, checkpoint: Checkpoint) -> None:
        """Save what the loop needs to go on, if it is time."""
        if not self._takes_checkpoint:
            allowed = "yields a gdexp.Checkpoint, so it must have a parameter checkpoint=None"
            raise BadInput("problem", self.name, f"{allowed}, from which it goes on")
        if self._checkpoints is None or not self._checkpoints.is_due():
            return
        columns = {
            name: (np.array(each.updates), np.array(each.values))
            for name, each in self.metrics.items()
        }
        state = {
            "iteration": self.iteration,
            "seconds": self.seconds,
            "metrics": columns,
            "heard": list(self.heard),
            "met": self._met,
            "own": dict(checkpoint),
            "generators": generator_states(),
        }
        self._checkpoints.save(self.iteration, state)
        signals.check()

    def _resumed(self) -> Checkpoint | None:
        """Take up the newest checkpoint; return what the loop put into it."""
        state = None if self._checkpoints is None else self._checkpoints.load(self._device)
        if state is None:
            return None
        self.iteration, self._seconds_before = state["iteration"], state["seconds"]
        for name, (updates, values) in state["metrics"].items():
            trace = self.metrics.setdefault(name, MetricTrace())
            trace.updates.extend(updates.tolist())
            trace.values.extend(values.tolist())
        self.heard = list(state["heard"])
        # The cap may be lower by now, and the loop ends after one more step at the earliest.
        self.stopping = self.stopping.allowing(self.iteration + 1)
        if state.get("met", False):  # checkpoints of earlier versions do not say it
            self._go_on()
        if self._monitor is not None:
            for iteration, metrics, seconds in self.heard:
                self._monitor.reading(iteration, metrics, seconds)
        return Checkpoint(state["own"], generators=state["generators"])

    def _result(self, status: Status) -> TrainingResult:
        goal = self.stopping.metric
        modes = {**getattr(self._function, "modes", {})}
        modes[goal] = "max" if self.stopping.sign < 0 else "min"
        return TrainingResult(
            status=Status.CONVERGED if self._met else status,
            trace=np.empty(0),
            initial=torch.empty(0),
            final=torch.empty(0),
            rule=OwnRule(),
            stopping=self.stopping,
            problem=self.name,
            seconds=self.seconds,
            updates_made=self.iteration,
            readings={name: each.readings() for name, each in self.metrics.items()},
            modes={name: mode for name, mode in modes.items() if name in self.metrics},
            digests={"initial": {}, "final": {}},
        )


def _takes_checkpoint(function: Callable[..., object]) -> bool:
    """Return whether a loop has the parameter `checkpoint`, from which it goes on."""
    try:
        return "checkpoint" in inspect.signature(function).parameters
    except (TypeError, ValueError):
        return False
