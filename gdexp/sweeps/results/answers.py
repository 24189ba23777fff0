"""What a sweep found: the best trial, and the fewest iterations to every threshold."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

from gdexp.config import shortest_command
from gdexp.core import GdexpError
from gdexp.descent import THRESHOLDS
from gdexp.sweeps.plan import LR, THRESHOLD, Plan
from gdexp.sweeps.results.importance import importances
from gdexp.sweeps.results.lr_interval import Interval, sharing
from gdexp.sweeps.results.pareto import front
from gdexp.sweeps.study import TrialRecord, completed_trials

if TYPE_CHECKING:
    from optuna import Study
    from optuna.trial import FrozenTrial


@dataclass(frozen=True)
class Fewest:
    """The trial that reached a threshold in the fewest iterations; None where none did."""

    threshold: float
    iterations: float | None = None
    trial: int | None = None
    run_id: str | None = None
    parameters: Mapping[str, Any] | None = None


@dataclass(frozen=True)
class Answers:
    """Everything that the end of a sweep reports.

    Attributes:
        trials: the finished ones, in order.
        records: what is known of each.
        best: position of the trial with the smallest hitting time; None before any has finished.
        interval: the learning rates that share the best trial's count, where one was swept.
        fewest: one entry for each of `THRESHOLDS`.
        front: positions of the trials that no other beats in both threshold and hitting time.
        counts: finished trials by status.
        steps: iterations made by all trials together.
        saved: iterations that the cap is reckoned to have saved.
        reused: descents taken from earlier runs.
        importance: how much each swept key decides of the hitting time, from 0 to 1.
    """

    trials: Sequence[FrozenTrial]
    records: Sequence[TrialRecord]
    best: int | None
    fewest: Sequence[Fewest]
    front: Sequence[int]
    counts: Mapping[str, int]
    steps: int
    saved: float
    reused: int
    interval: Interval | None = None
    importance: Mapping[str, float] = field(default_factory=dict)

    @classmethod
    def of(cls, study: Study, plan: Plan) -> Answers:
        """Read every answer from the finished trials, and look for the interval."""
        trials = completed_trials(study)
        records = [TrialRecord.of(trial) for trial in trials]
        times = [record.hitting_time for record in records]
        best = times.index(min(times)) if times else None
        return cls(
            trials=trials,
            records=records,
            best=best,
            interval=None if best is None else _interval(plan, trials[best], records[best]),
            fewest=[_fewest(i, trials, records) for i in range(len(THRESHOLDS))],
            front=front([(record.threshold, record.hitting_time) for record in records]),
            counts=Counter(record.status for record in records),
            steps=sum(record.steps for record in records),
            saved=sum(record.saved for record in records),
            reused=sum(record.reused for record in records),
            importance=importances(trials),
        )

    def with_runs(self, runs: Mapping[int, str]) -> Answers:
        """The same, with the run ids of the trials that have runs, by the trials' numbers."""
        numbers = [trial.number for trial in self.trials]
        return replace(
            self,
            records=[
                replace(record, run_id=runs.get(number, record.run_id))
                for number, record in zip(numbers, self.records, strict=True)
            ],
            fewest=[
                entry
                if entry.trial is None
                else replace(entry, run_id=runs.get(entry.trial, entry.run_id))
                for entry in self.fewest
            ],
        )

    @property
    def best_trial(self) -> tuple[FrozenTrial, TrialRecord] | None:
        """The best trial and what is known of it."""
        return None if self.best is None else (self.trials[self.best], self.records[self.best])


def repeat_command(plan: Plan, parameters: Mapping[str, Any]) -> str:
    """The command that runs one trial alone; with several seeds, all of them."""
    configured = plan.trial_config(parameters)
    command = shortest_command(configured)
    if plan.settings.seeds == 1:
        return command
    first = int(configured["seed"])
    seeds = f"seed='range({first},{first + plan.settings.seeds})'"
    kept = [word for word in command.split() if not word.startswith("seed=")]
    return " ".join([*kept, "-m", seeds])


def _interval(plan: Plan, trial: FrozenTrial, record: TrialRecord) -> Interval | None:
    """The learning rates that share a trial's counts; None where that cannot be said."""
    if LR not in plan.space.keys or record.successes < plan.settings.seeds:
        return None
    try:
        return sharing(plan.experiments(trial.params), record.counts)
    except GdexpError:  # code of the problem that fails elsewhere: no answer is lost but this one
        return None


def _fewest(index: int, trials: Sequence[FrozenTrial], records: Sequence[TrialRecord]) -> Fewest:
    reached = [
        (hit, position)
        for position, record in enumerate(records)
        if (hit := record.hits[index]) is not None
    ]
    if not reached:
        return Fewest(THRESHOLDS[index])
    hit, at = min(reached)
    return Fewest(THRESHOLDS[index], hit, trials[at].number, records[at].run_id, trials[at].params)


def threshold_swept(plan: Plan) -> bool:
    """Whether the trials differ in their threshold."""
    return THRESHOLD in plan.space.keys
