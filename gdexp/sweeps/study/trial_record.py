"""The record of a finished trial in the study; the sweep's results need no other file."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from gdexp.descent import PENALTY, THRESHOLDS, Cap, Result, Status
from gdexp.sweeps.failure import Failure
from gdexp.sweeps.study.threshold_counts import (
    Column,
    ThresholdCounts,
    of_earlier_version,
    of_one_seed,
    threshold_counts,
)

if TYPE_CHECKING:
    from optuna.trial import FrozenTrial

RECORD = "gdexp.record"

ADDED = "added"
"""What stands in place of a status where the user added the trial to the study."""


def is_added(trial: FrozenTrial) -> bool:
    """Return whether a finished trial was added by the user (`study.add_trial`, a dashboard).

    It counts, and the sampler learns from it. It never wins: no descent shows its value.
    """
    return RECORD not in trial.user_attrs


@dataclass(frozen=True)
class TrialRecord:
    """One finished trial.

    Attributes:
        run_id: its run, a child of the sweep's run.
        status: why its descent ended; of several, converged if all did, else the first other.
        iterations: updates until the end; of several seeds the expected running time, or all
            updates where no seed converged.
        hitting_time: the value that Optuna is told.
        final_loss: the last loss; of several seeds the mean.
        threshold: the target.
        counts: updates of each seed; fewer than the seeds if the cap ended the trial.
        successes: the number of seeds that converged.
        saved: an estimate of the iterations that the cap saved; 0 if it did not end the trial.
        hits: iterations to each of `THRESHOLDS` (of several seeds the expected running time);
            None where not reached. `at_thresholds` tells failures from censored counts.
        steps: updates that this sweep made itself.
        reused: the number of descents that were taken from earlier runs.
        reason: why the trial failed, in one line; empty where it did not.
        bounds: for each of `THRESHOLDS` the fewest iterations where the trial was not continued to
            it, else None. None in all: follows from the other fields.
        updates: updates of all traces, continuations included; None: the sum of `counts`.
    """

    run_id: str
    status: str
    iterations: float
    hitting_time: float
    final_loss: float
    threshold: float
    counts: tuple[int, ...]
    successes: int
    saved: float
    hits: Column
    steps: int
    reused: int = 0
    reason: str = ""
    bounds: Column | None = None
    updates: int | None = None

    @classmethod
    def build(
        cls, run_id: str, results: Sequence[Result], cap: Cap, seeds: int, reused: Sequence[bool]
    ) -> TrialRecord:
        """Return the record of a trial from the results of its seeds.

        Args:
            run_id: of the trial.
            results: in the order of the seeds.
            cap: as it was before this trial.
            seeds: the number of seeds of a trial.
            reused: for each result, whether it was taken from an earlier run.
        """
        first = results[0]
        counts = [result.iterations for result in results]
        reached = [result.converged for result in results]
        others = [result.status for result in results if not result.converged]
        others.sort(key=lambda status: status is not Status.BELOW_MINIMUM)  # it concerns all
        updates = [result.updates for result in results]
        hits, bounds = threshold_counts(results, seeds)
        iterations: float = counts[0] if seeds == 1 else sum(counts) / max(sum(reached), 1)
        return cls(
            run_id=run_id,
            status=str(others[0] if others else first.status),
            iterations=iterations,
            hitting_time=objective_value(results, cap, seeds),
            final_loss=float(np.mean([result.final_loss for result in results])),
            threshold=first.threshold,
            counts=tuple(counts),
            successes=sum(reached),
            saved=sum(map(_saved, results)),
            hits=hits,
            steps=sum(n for n, known in zip(updates, reused, strict=True) if not known),
            reused=sum(reused),
            bounds=None if seeds == 1 and updates == counts else bounds,
            updates=None if updates == counts else sum(updates),
        )

    @classmethod
    def of_failure(
        cls, run_id: str, failure: Failure, stopping: Mapping[str, Any], done: Sequence[Result]
    ) -> TrialRecord:
        """Return the record of a trial that failed.

        Args:
            run_id: of the trial.
            failure: why it has no result.
            stopping: the group `stopping` of its config.
            done: results of the seeds before the one that failed.
        """
        counts = [result.iterations for result in done]
        projected = sum(result.hitting_time for result in done)
        return cls(
            run_id=run_id,
            status=str(Status.FAILED),
            iterations=sum(counts),
            hitting_time=projected + float(PENALTY * int(stopping["max_iterations"])),
            final_loss=math.nan,
            threshold=float(stopping["threshold"]),
            counts=tuple(counts),
            successes=0,
            saved=0.0,
            hits=(None,) * len(THRESHOLDS),
            steps=sum(result.updates for result in done),
            reason=failure.reason,
            bounds=(None,) * len(THRESHOLDS),
        )

    @property
    def can_win(self) -> bool:
        """Whether the trial has a count: some seed converged, and its f* holds."""
        return self.successes > 0 and self.status != Status.BELOW_MINIMUM

    def at_thresholds(self, seeds: int) -> ThresholdCounts:
        """Return the counts at each of `THRESHOLDS`, with bounds where they are censored.

        Args:
            seeds: the number of seeds of a trial.
        """
        if self.bounds is not None:
            return ThresholdCounts(self.hits, self.bounds)
        if seeds == 1:
            return of_one_seed(self.hits, self.status, self.counts[0])
        capped = self.status == Status.CAPPED or self.saved > 0 or len(self.counts) < seeds
        return of_earlier_version(self.hits, self.threshold, self.counts, self.successes, capped)

    @property
    def trace_updates(self) -> int:
        """The updates of all traces together."""
        return sum(self.counts) if self.updates is None else self.updates

    def count(self, cap: Cap) -> None:
        """Let the trial limit later trials, if it converged from every seed."""
        if self.status == Status.CONVERGED:
            cap.add(self.threshold, self.counts)

    def as_attribute(self) -> dict[str, Any]:
        """Return the record as Optuna stores it; without what follows from the rest."""
        return {
            name: list(value) if isinstance(value, tuple) else value
            for name, value in vars(self).items()
            if value is not None and value != ""
        }

    @classmethod
    def of(cls, trial: FrozenTrial) -> TrialRecord:
        """Return the record of a finished trial."""
        given = dict(trial.user_attrs[RECORD])
        for name in {"counts", "hits", "bounds"} & given.keys():
            given[name] = tuple(given[name])
        return cls(**given)


def objective_value(results: Sequence[Result], cap: Cap, seeds: int) -> float:
    """Return the number that is minimised.

    With one seed it is the hitting time, or its projection. With several it is the expected
    running time (N. Hansen et al., COCO: performance assessment, 2016): all iterations divided
    by the number of successes. Where no seed converged it is the sum of the projections, as if
    the first success came after all of them; a trial with a success never has more. In a trial
    that the cap ended, the seeds that did not run count as the incumbent's, so the trial never
    looks better than the incumbent.
    """
    projected = [result.hitting_time for result in results]
    if seeds == 1:
        return projected[0]
    if any(result.status is Status.CAPPED for result in results) or len(results) < seeds:
        sums = cap.incumbent(results[0].threshold) or [0] * seeds
        left = sums[-1] - sums[len(results) - 1]
        return max(sum(projected) + left, sums[-1] + 1) / seeds
    successes = sum(result.converged for result in results)
    if not successes or any(result.status is Status.BELOW_MINIMUM for result in results):
        return sum(projected)
    return sum(result.iterations for result in results) / successes


def _saved(result: Result) -> float:
    """Return the iterations from the cap to the projected end, or to the limit."""
    if result.status is not Status.CAPPED:
        return 0.0
    return min(result.hitting_time, result.stopping.max_iterations) - result.iterations
