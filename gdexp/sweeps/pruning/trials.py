"""The trials of a sweep as Optuna's pruners see them, and the verdict on one that runs.

Optuna's own `report` and `should_prune` write to the study's storage at every reading, which takes
longer than thousands of updates. Here the finished trials are in memory, each with its readings,
which the study stores when it is told. A sweep that is continued reads them again, and its pruner
then says what it would have said without the break.
"""

from __future__ import annotations

import math
import warnings
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, NamedTuple

from gdexp.descent import SECONDS, Result, Status, hitting_cost
from gdexp.sweeps.objective import COUNTED, HITTING_TIME, Objective
from gdexp.sweeps.pruning.choice import WILCOXON, Pruner
from gdexp.sweeps.pruning.memory_study import RUNNING, MemoryStudy, made_trial
from gdexp.sweeps.pruning.readings import Reading, Readings, last_reading, mean, seed_readings

if TYPE_CHECKING:
    from optuna.pruners import BasePruner
    from optuna.trial import FrozenTrial

NOTHING = -1
"""The iteration of the last reading before there is one."""

HELD = 40
"""Doublings of its length over which a trial that ended by itself keeps its last reading."""


class FinishedReadings(NamedTuple):
    """A finished trial as a pruner sees it.

    Attributes:
        status: why it ended.
        value: of the objective.
        readings: in the order of their steps.
    """

    status: str
    value: float
    readings: Readings

    @property
    def is_whole(self) -> bool:
        """Whether its length tells that of others: it neither broke down nor was pruned."""
        return self.holds and not Status(self.status).hopeless

    @property
    def holds(self) -> bool:
        """Whether its last reading is what it would have later."""
        return self.status not in (Status.PRUNED, Status.FAILED)


class HeldReadings(dict[int, float]):
    """Readings by step, of which the last holds for all later steps.

    A trial that converged early has no readings where slower ones are compared; it is still better
    than they are.
    """

    def __init__(self, readings: Mapping[int, float]) -> None:
        super().__init__(readings)
        self._last = max(readings)

    def __contains__(self, step: object) -> bool:
        return super().__contains__(step) or (isinstance(step, int) and step > self._last)

    def __missing__(self, step: int) -> float:
        if step > self._last:
            return self[self._last]
        raise KeyError(step)


class PrunedTrials:
    """The finished trials of a sweep, and the pruner that compares the next ones with them.

    A trial is compared with those that were finished when it began.

    Args:
        pruner: not `none`.
        name: of the study, on which hyperband's brackets depend.
        objective: of the sweep.
        metric: that is read.
        maximize: whether larger readings are better.
        length: the updates of a whole trial; None: as many as the first made that could go on.
    """

    def __init__(
        self,
        pruner: Pruner,
        name: str,
        objective: Objective,
        metric: str,
        *,
        maximize: bool = False,
        length: int | None = None,
    ) -> None:
        self.pruner, self.objective, self.metric = pruner, objective, metric
        self.by_seeds = pruner.name == WILCOXON
        larger = objective.maximize if self.by_seeds else maximize
        self._sign = -1.0 if larger else 1.0
        self._length, self._study = length, MemoryStudy(name)
        self._made: BasePruner | None = None
        self._made_for: int | None = None
        self._finished: dict[int, FinishedReadings] = {}

    def add(self, number: int, finished: FinishedReadings) -> None:
        """Add a finished trial; one without readings is never compared with."""
        if not finished.readings or number in self._finished:
            return
        before = self._whole_length()
        self._finished[number] = finished
        if self._whole_length() == before or not self.pruner.keeps_rungs:
            self._compare_with(number, finished)
            return
        self._study.clear()  # what was promoted follows from the length
        for other, each in self._finished.items():
            self._compare_with(other, each)

    @property
    def worst(self) -> float | None:
        """The worst value of the trials that ended by themselves; None where there is none.

        It is what the sampler is told of a pruned trial that is not worse. A projection from few
        readings can look better than the best trial; then samplers go there again and again. Told
        so, TPE finds the optimum in as few updates as with Optuna's PRUNED, and in fewer than with
        projections (`scripts/bench pruning`), and all samplers learn from the trial.
        """
        known = [each.value for each in self._finished.values() if each.holds]
        return max(known, key=self.objective.signed, default=None)

    def begin(self, number: int) -> TrialPruning:
        """Return what follows the readings of a trial that begins."""
        return TrialPruning(self, number)

    def judges(self, trial: FrozenTrial, step: int, value: float) -> bool:
        """Add a reading to a running trial; return whether the pruner ends it there."""
        trial.intermediate_values[step] = self._sign * value
        made = self._pruner()
        if made is None:
            return False
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # Optuna's and numpy's on readings that are no numbers
            return self._study.ask(made, trial)

    def _whole_length(self) -> int | None:
        """Return the updates of a whole trial; None while they are not known."""
        if self._length is not None:
            return self._length
        whole = [number for number, each in self._finished.items() if each.is_whole]
        return self._finished[min(whole)].readings[-1].step if whole else None

    def _pruner(self) -> BasePruner | None:
        """Return Optuna's pruner; None while something that it needs is not known."""
        length = self._whole_length()
        if length is None and self.pruner.needs_length:
            return None
        if self._made is None or length != self._made_for:
            self._made, self._made_for = self.pruner.build(length or 1), length
        return self._made

    def _compare_with(self, number: int, finished: FinishedReadings) -> None:
        """Let the pruner compare later trials with a finished one."""
        values = {step: self._sign * each for step, each in finished.readings}
        value = self.objective.signed(finished.value)
        trial = made_trial(number, values, value, finished.status)
        if finished.holds and not self.by_seeds:
            trial.intermediate_values = HeldReadings(values)
        if self.pruner.keeps_rungs:
            trial.system_attrs = self._rungs(number, finished)
        self._study.add(trial)

    def _rungs(self, number: int, finished: FinishedReadings) -> dict[str, Any]:
        """Return the values with which a trial was promoted: those of a run through its readings.

        A trial that ended by itself goes on to be promoted with its last reading.
        """
        trial = made_trial(number, {}, None, RUNNING)
        for step, value in finished.readings:
            self.judges(trial, step, value)
        step, value = finished.readings[-1]
        for doublings in range(1, HELD if finished.holds else 0):
            self.judges(trial, max(step, 1) << doublings, value)
        return dict(trial.system_attrs)


class TrialPruning:
    """The readings of one trial on its way, and the verdict on them; the monitor of its seeds.

    Args:
        trials: that were finished when it began.
        number: of the trial.

    Attributes:
        readings: those so far.
        pruned: whether the trial ended by the pruner.
    """

    def __init__(self, trials: PrunedTrials, number: int) -> None:
        self._trials, self._number = trials, number
        self._before: list[float] = []
        self._first, self._heard = 0, NOTHING
        self.readings: list[Reading] = []
        self.pruned = False
        self._trial = made_trial(number, {}, None, RUNNING)

    def reading(
        self, iteration: int, metrics: Mapping[str, float], seconds: float
    ) -> Status | None:
        """Hear a reading of the seed that runs; see `Monitor`."""
        if iteration <= self._heard:
            self._begin_seed_again()
        self._heard = iteration
        metric = self._trials.metric
        if self._trials.by_seeds or metric not in metrics or (iteration == 0 and self._before):
            return None
        value = mean([*self._before, metrics[metric]])
        return Status.PRUNED if self._judges(self._first + iteration, value) else None

    def end_seed(self, result: Result, is_last: bool) -> bool:
        """Note that a seed has ended; return whether the pruner ends the trial with it.

        Args:
            result: of the seed.
            is_last: whether the trial has no other seed.
        """
        self.pruned = result.status is Status.PRUNED
        if self._trials.by_seeds:
            step, value = len(self._before) + 1, seed_value(self._trials.objective, result)
            self.pruned = self._judges(step, value) and not is_last
        else:
            own = seed_readings(result, self._trials.metric, self._before)
            # Of a descent that ran the end alone is new; of one that was reused, all.
            heard = self.readings[-1].step if self.readings else NOTHING
            heard = max(heard, self._first if self._before else NOTHING)
            self.readings += [each for each in own if each.step > heard]
        self._before.append(last_reading(result, self._trials.metric))
        self._first = len(self._before) * result.stopping.max_iterations
        self._heard = NOTHING
        return self.pruned

    def _judges(self, step: int, value: float) -> bool:
        self.readings.append(Reading(step, value))
        return self._trials.judges(self._trial, step, value)

    def _begin_seed_again(self) -> None:
        """Drop the readings of the seed that runs: its descent began again, on another engine."""
        kept = [each for each in self.readings if each.step <= self._first and self._before]
        self.readings, self._trial = [], made_trial(self._number, {}, None, RUNNING)
        for step, value in kept:
            self._judges(step, value)


def seed_value(objective: Objective, result: Result) -> float:
    """Return the value of one seed of a trial, or what is known of it."""
    if objective.kind == HITTING_TIME:
        return result.hitting_time
    if objective.kind in (SECONDS, *COUNTED):
        return hitting_cost(result, objective.kind)
    value = objective.of_result(result)
    return objective.so_far(result) if math.isnan(value) else value
