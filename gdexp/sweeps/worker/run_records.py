"""What MLflow is given of a trial: one run, or with several seeds one with a child for each."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import Any

import numpy as np

from gdexp.descent import Result, Trace
from gdexp.experiment import captured, environment
from gdexp.sweeps.plan import Plan
from gdexp.sweeps.study import TrialRecord
from gdexp.sweeps.trial import Asked, Done, Ran
from gdexp.tracking import (
    NOTE_TAG,
    PlannedRun,
    Record,
    RunHeader,
    Store,
    config_yaml,
    descent_note,
    descent_record,
    json_bytes,
    params,
    run_display,
)


@dataclass(frozen=True)
class Opened:
    """The runs of a trial, known before its descents.

    Attributes:
        trial: a child of the sweep's run.
        seeds: children of the trial's, one for each descent; none where there is one seed.
    """

    trial: PlannedRun
    seeds: Sequence[PlannedRun]

    @property
    def runs(self) -> list[PlannedRun]:
        """All of them, the trial's last: once it is finished, all are."""
        return [*self.seeds, self.trial]


class Recording:
    """Opens and writes the runs of trials.

    Args:
        plan: that the trials belong to.
        store: that takes them.
        parent: the run id of the sweep.
    """

    def __init__(self, plan: Plan, store: Store, parent: str) -> None:
        self._plan = plan
        self._store = store
        self._parent = parent

    def open(self, asked: Asked) -> Opened:
        """Reserve the runs of a trial."""
        first, *others = self._headers(asked)
        trial = self._store.prepare(first(self._parent))
        return Opened(trial, [self._store.prepare(each(trial.run_id)) for each in others])

    def show(self, opened: Opened) -> None:
        """Let the runs be seen while their descents go on."""
        for pending in (opened.trial, *opened.seeds):
            self._store.show(pending)

    def abandon(self, opened: Opened, status: str) -> None:
        """Set the status of runs that did not get to their end."""
        for pending in opened.runs:
            self._store.abandon(pending, status)

    def records(
        self, opened: Opened, ran: Ran, record: TrialRecord
    ) -> list[tuple[PlannedRun, Record]]:
        """What is to be written of a trial."""
        number, parameters = ran.asked.number, self._parameters(ran.asked)
        if not opened.seeds:
            return [self._descent(opened.trial, ran.descents[0], number, parameters)]
        written = [
            self._descent(pending, done, number, parameters)
            for pending, done in zip(opened.seeds, ran.descents, strict=False)
        ]
        together = _dressed(_trial(ran, record), record.status, number, parameters)
        return [*written, (opened.trial, together)]

    def _descent(
        self, run: PlannedRun, done: Done, number: int, parameters: Mapping[str, Any]
    ) -> tuple[PlannedRun, Record]:
        """What is to be written of one descent."""
        made = captured(done.experiment.config, done.engine, whole=False)
        record = descent_record(done.experiment, done.result, made, self._tags(run, done))
        return run, _dressed(record, str(done.result.status), number, parameters)

    def _headers(self, asked: Asked) -> list[Callable[[str], RunHeader]]:
        """What the runs of a trial begin with, given the run above: its own, then its seeds'."""
        tags = {"gdexp.trial": str(asked.number), "gdexp.study": self._plan.name}
        name = run_display.trial_title(asked.number, self._parameters(asked))
        seeds = [e.seed for e in asked.experiments] if self._plan.settings.seeds > 1 else []
        return [
            lambda above: RunHeader(name, "trial", above, tags),
            *(partial(_of_seed, name, tags, seed) for seed in seeds),
        ]

    def _tags(self, run: PlannedRun, done: Done) -> dict[str, str]:
        """What MLflow's page shows of a descent, and where it was taken from."""
        link = self._store.loss_link(run.run_id)
        tags = {NOTE_TAG: descent_note(done.experiment, done.result, run.run_id, link)}
        return tags if done.source is None else {**tags, "gdexp.reused_from": done.source}

    def _parameters(self, asked: Asked) -> Mapping[str, Any]:
        return self._plan.space.by_key(asked.trial.params)


def _of_seed(name: str, tags: Mapping[str, str], seed: int, above: str) -> RunHeader:
    return RunHeader(f"{name} seed={seed}", "seed", above, {**tags, "gdexp.seed": str(seed)})


def _dressed(record: Record, status: str, number: int, parameters: Mapping[str, Any]) -> Record:
    """A record with what MLflow's charts need of it: log scales, and the status as a colour."""
    return replace(
        record,
        metrics={**record.metrics, **run_display.chart_metrics(parameters, record.metrics)},
        tags={**record.tags, run_display.COLOUR_TAG: run_display.status_colour(status, number)},
    )


def _trial(ran: Ran, record: TrialRecord) -> Record:
    """The record of a trial of several seeds: what its descents come to together."""
    results = [done.result for done in ran.descents]
    first = ran.descents[0].experiment
    composed = {**first.config, "seed": [e.seed for e in ran.asked.experiments]}
    rows = [
        {
            "seed": done.experiment.seed,
            "status": str(done.result.status),
            "iterations": done.result.iterations,
            "hitting_time": done.result.hitting_time,
            "final_loss": done.result.final_loss,
        }
        for done in ran.descents
    ]
    return Record(
        params=params(composed),
        metrics={
            "expected_running_time": record.hitting_time,
            "iterations": record.iterations,
            "hitting_time": record.hitting_time,
            "successes": record.successes,
            "steps": sum(record.counts),
            "final_loss": record.final_loss,
            "min_loss": min(result.min_loss for result in results),
            "max_loss": max(result.max_loss for result in results),
            "seconds": sum(result.seconds for result in results),
        },
        trace=median_trace(results),
        tags={"gdexp.status": record.status},
        artifacts={
            "config.yaml": config_yaml(composed),
            "environment.json": json_bytes(environment()),
            "seeds.json": json_bytes(rows),
        },
    )


def median_trace(results: Sequence[Result]) -> Trace:
    """The median loss of several descents at each iteration; one that ended keeps its last loss."""
    longest = max(len(result.trace) for result in results)
    padded = np.empty((len(results), longest))
    for row, result in zip(padded, results, strict=True):
        row[: len(result.trace)] = result.trace
        row[len(result.trace) :] = result.trace[-1]
    finite = np.where(np.isnan(padded), np.inf, padded)
    return np.asarray(np.quantile(finite, 0.5, axis=0, method="lower"))
