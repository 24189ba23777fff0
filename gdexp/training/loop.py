"""The loop of one training, from its seeds until its stopping rule ends it.

It is the loop that one writes by hand: seed, make the model, and for each batch compute the loss,
its gradients and the update. The loss of batch k + 1, of the weights after k updates, is read at
iteration k, before update k + 1.
"""

from __future__ import annotations

import math
import time
from array import array
from collections.abc import Callable
from contextlib import nullcontext
from functools import partial

import numpy as np
import torch
from torch import nn

from gdexp.checkpoints import Checkpointing
from gdexp.core import BadInput, GdexpError, nearest, release_freed_memory, signals
from gdexp.descent import (
    LOSS,
    Monitor,
    Monitors,
    Plateau,
    Status,
    Stopping,
    Watch,
    exact_arithmetic,
)
from gdexp.training.batches import Batches
from gdexp.training.evaluation import evaluated
from gdexp.training.kept_weights import ALL, Kept
from gdexp.training.loop_state import Met, load_loop_state, loop_state
from gdexp.training.metrics import MetricTrace
from gdexp.training.random_state import seed_generators, unchanged_generators
from gdexp.training.result import Tensors, TrainingResult
from gdexp.training.training import Training
from gdexp.training.updates import Updates, UpdateSettings
from gdexp.training.weights import (
    copied,
    digests,
    flat_vector,
    moved_into,
    tensors_of,
    trained_parameters,
)


def stopping_monitor(stopping: Stopping, monitor: Monitor | None) -> Monitor | None:
    """Return what hears the readings: a given monitor, and the stopping rule's patience."""
    if stopping.patience is None:
        return monitor
    maximize = stopping.sign < 0
    own = Plateau(stopping.patience, stopping.min_delta, stopping.metric, maximize)
    return own if monitor is None else Monitors([own, monitor])


class TrainingLoop:
    """One training, from its start to its end.

    Args:
        make: returns the user's object; it is called once the generators are seeded.
        name: of the training, for errors and results.
        settings: of the updates.
        stopping: the stopping rule.
        seed: of all generators.
        dtype: of the weights.
        device: of the model and the batches.
        monitor: hears the readings and may end the training.
        watch: as in `descend`; it sees the mini-batch losses.
        kept: what the result keeps of the weights.
        checkpoints: where the training is saved, and goes on if there is a checkpoint.
        rehearses: whether the order of the batches is checked first.
    """

    def __init__(
        self,
        make: Callable[[], Training],
        name: str,
        settings: UpdateSettings,
        stopping: Stopping,
        *,
        seed: int = 0,
        dtype: torch.dtype = torch.float32,
        device: torch.device | str = "cpu",
        monitor: Monitor | None = None,
        watch: Watch | None = None,
        kept: Kept = ALL,
        checkpoints: Checkpointing | None = None,
        rehearses: bool = False,
    ) -> None:
        self._make, self.name, self.settings, self.stopping = make, name, settings, stopping
        self.seed, self.dtype, self.device = seed, dtype, torch.device(device)
        self._monitor, self._watch, self._kept = stopping_monitor(stopping, monitor), watch, kept
        self._watch_at = -1 if watch is None else 0
        self._level, self._limit = stopping.level, stopping.limit
        self._most_seconds = math.inf if stopping.max_seconds is None else stopping.max_seconds
        self._checkpoints, self._rehearses = checkpoints, rehearses

    def run(self) -> TrainingResult:
        """Train until the end; the process's random generators are restored after it.

        Raises:
            BadInput: the training returns something that cannot be used.
        """
        with unchanged_generators(), exact_arithmetic(self.device), torch.enable_grad():
            self._begin()
            try:
                with nullcontext() if self._checkpoints is None else self._checkpoints.shielded():
                    status = self._train()
            finally:
                self.batches.close()
            if status is None:
                signals.check()
                raise AssertionError("only a signal ends a training so")
            return self._result(status)

    @property
    def seconds(self) -> float:
        """Wall time of the loop so far."""
        return self.seconds_before + time.perf_counter() - self._started

    def _begin(self) -> None:
        """Seed all generators and make the training, its model and its updates."""
        self.iteration = 0
        self.losses = array("d")
        self.metrics: dict[str, MetricTrace] = {}
        self.heard: list[tuple[int, dict[str, float], float]] = []
        self.best = math.inf
        self.best_state: Tensors | None = None
        self.pending: dict[str, float] = {}
        self.met: Met | None = None
        self.seconds_before = 0.0
        seed_generators(self.seed)
        self.training = self._make()
        self.training.device, self.training.dtype = self.device, self.dtype
        seed_generators(self.seed)
        model: object = self.training.model()
        if not isinstance(model, nn.Module):
            kind = type(model).__name__
            raise BadInput("problem", self.name, f"its model must return an nn.Module, not {kind}")
        self.model = model.to(self.device, self.dtype).train()
        groups = self.training.parameter_groups(self.model)
        self.updates = Updates(self.settings, self.model, groups)
        self.generator = torch.Generator().manual_seed(self.seed)
        self.batches = Batches(self.training, self.generator, self.name)
        if self._rehearses:
            self.batches.check_order()
        tensors = tensors_of(self.model)
        self.initial_digests = digests(tensors) if self._kept.digests else {}
        self._initial = flat_vector(self.model) if self._kept.tensors else torch.empty(0)
        self._started = time.perf_counter()

    def _train(self) -> Status | None:
        """Make updates until one of the limits; return how the training ended.

        None where a signal ends it, after a checkpoint.
        """
        status = None if self._resumed() else self._evaluate()
        training, model, updates, stopping = self.training, self.model, self.updates, self.stopping
        every, accumulate, of_loss = stopping.every, updates.accumulate, stopping.metric == LOSS
        record, finite = self.losses.append, math.isfinite
        while status is None:
            if self.iteration >= self._limit:
                return self._ended(stopping.limit_status)
            if self.seconds >= self._most_seconds:
                return self._ended(Status.OUT_OF_TIME)
            is_due = self._checkpoints is not None and self._checkpoints.is_due()
            batches = self.batches.take(
                accumulate, stopping.max_epochs, updates.end_epoch, mark=is_due
            )
            if not batches:
                return self._ended(Status.MAX_EPOCHS)
            value = updates.gradients([partial(training.loss, model, each) for each in batches])
            record(value)
            if self.iteration == self._watch_at and self._watch is not None:
                self._watch_at = self._watch(self.iteration, self.losses)
            if not finite(value):
                return Status.DIVERGED
            if of_loss and value <= self._level and self._reached(value):
                return self._ended(Status.CONVERGED)
            if self.iteration % every == 0 and (status := self._loss_read(value)) is not None:
                return self._ended(status)
            if not updates.apply():
                return Status.DIVERGED
            self.iteration += 1
            if self.iteration % every == 0:
                status = self._evaluate()
            if is_due and status is None and self._save():
                return None
        return status

    def _resumed(self) -> bool:
        """Go to the newest checkpoint; return whether there is one that can be used."""
        if self._checkpoints is None or (state := self._checkpoints.load(self.device)) is None:
            return False
        try:
            load_loop_state(self, state)
        except GdexpError as error:
            self._checkpoints.refuse(str(error))
            self.batches.close()
            self._begin()
            return False
        self.stopping = self.stopping.allowing(self.iteration)  # the cap may be lower by now
        self._limit, self._started = self.stopping.limit, time.perf_counter()
        if self.met is not None:
            self._go_on()
        if self._monitor is not None:
            for iteration, metrics, seconds in self.heard:
                self._monitor.reading(iteration, metrics, seconds)
        if self._watch is not None:
            self._watch_at = self._watch(self.iteration - 1, self.losses)
        return True

    def _save(self) -> bool:
        """Make a checkpoint; return whether a signal waited for it."""
        assert self._checkpoints is not None, "one is due"
        self._checkpoints.save(self.iteration, loop_state(self))
        return signals.received()

    def _reached(self, value: float) -> bool:
        """Note that a reading is within the threshold; return whether the training ends here."""
        stopping = self.stopping
        if stopping.sign * value <= stopping.sign * stopping.goal:
            return True
        if self.iteration % stopping.every:
            self._evaluate(between=True)  # as at the end of a training that does not go on
        keeps = self._kept.model != "none"
        self.met = Met(
            self.batches.epoch,
            digests(tensors_of(self.model)) if self._kept.digests else {},
            flat_vector(self.model) if self._kept.tensors else torch.empty(0),
            self._state() if keeps else {},
        )
        self._go_on()
        return False

    def _go_on(self) -> None:
        """Go on after the threshold to a tighter one: nothing else but the updates ends it."""
        self._level = self.stopping.sign * self.stopping.goal
        self._limit, self._most_seconds = self.stopping.max_iterations, math.inf
        self._monitor = None

    def _evaluate(self, between: bool = False) -> Status | None:
        """Evaluate the model; return why the training ends here, if it does.

        Args:
            between: whether it is not one of the evaluations that schedules count.
        """
        with self.updates.averaged():
            metrics = evaluated(self.training, self.model, self.generator, self.name)
        self._check_names(metrics)
        for name, value in metrics.items():
            self.metrics.setdefault(name, MetricTrace()).add(self.iteration, value)
        losses = {LOSS: self.losses[-1]} if self.losses else {}
        if not between:
            self.updates.evaluated({**losses, **metrics})
        goal = self.stopping.metric
        if goal == LOSS:
            self.pending = metrics  # heard with the loss, which is read after this
            return None
        if goal in metrics:
            self._keep_best(metrics[goal])
        said = self._heard({**losses, **metrics})
        is_within = goal in metrics and self.stopping.sign * metrics[goal] <= self._level
        if not is_within:
            return said
        return Status.CONVERGED if self._reached(metrics[goal]) else None

    def _loss_read(self, value: float) -> Status | None:
        """Let the monitor hear a loss, with the metrics of the same iteration."""
        if self.stopping.metric != LOSS:
            return None
        self._keep_best(value)
        return self._heard({LOSS: value, **self.pending})

    def _heard(self, metrics: dict[str, float]) -> Status | None:
        if self._monitor is None:
            return None
        seconds = self.seconds
        if self._checkpoints is not None:
            self.heard.append((self.iteration, metrics, seconds))
        return self._monitor.reading(self.iteration, metrics, seconds)

    def _ended(self, status: Status) -> Status:
        """Evaluate at the last update, if that was not done; return how the training ended."""
        if self.iteration % self.stopping.every == 0:
            return status
        return Status.CONVERGED if self._evaluate() is Status.CONVERGED else status

    def _check_names(self, metrics: dict[str, float]) -> None:
        """Refuse, at the first evaluation, a stopping metric that it does not return."""
        goal = self.stopping.metric
        if self.iteration == 0 and goal != LOSS and goal not in metrics:
            raise BadInput("stopping.metric", goal, nearest(goal, [LOSS, *metrics]))

    def _keep_best(self, value: float) -> None:
        """Keep the model's state if the value is the best so far and the best is wanted."""
        number = self.stopping.sign * value
        if self.met is not None or math.isnan(number) or number >= self.best:
            return
        self.best = number
        if self._kept.model == "best":
            self.best_state = self._state()

    def _state(self) -> Tensors:
        """Return copies of the parameters and buffers that evaluations read."""
        with self.updates.averaged():
            return copied(tensors_of(self.model))

    def _result(self, status: Status) -> TrainingResult:
        seconds, goal = self.seconds, self.stopping.metric
        for each in self.model.parameters():
            each.grad = None
        modes = {**self.training.modes, goal: "max" if self.stopping.sign < 0 else "min"}
        final_digests = digests(tensors_of(self.model)) if self._kept.digests else {}
        state: Tensors = {}
        keeps = self._kept.model != "none"
        if keeps and self.updates.averages:
            state, keeps = self._state(), False
        del self.updates  # the record needs its memory
        final = flat_vector(self.model) if self._kept.tensors else torch.empty(0)
        parameters, tensors = trained_parameters(self.model), tensors_of(self.model)
        if keeps:
            state = moved_into(tensors, final, parameters) if final.numel() else tensors
        parts = {name: tuple(each.shape) for name, each in parameters.items()}
        del self.model, parameters, tensors
        release_freed_memory()
        met = self.met or Met(self.batches.epoch, final_digests, final, state)
        return TrainingResult(
            status=status if self.met is None else Status.CONVERGED,
            trace=np.array(self.losses),
            initial=self._initial,
            final=met.final,
            rule=self.settings.rule,
            stopping=self.stopping,
            problem=self.name,
            seconds=seconds,
            updates_made=self.iteration,
            epochs=met.epochs,
            readings={name: each.readings() for name, each in self.metrics.items()},
            modes={name: mode for name, mode in modes.items() if name in self.metrics},
            digests={"initial": self.initial_digests, "final": met.digests},
            parts=parts,
            state=met.state,
            best_state=self.best_state,
        )
