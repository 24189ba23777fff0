"""Rows that become runs besides: the best trials of a sweep, and some spread over all of them."""

from __future__ import annotations

import io
import json
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import torch

from gdexp.descent import Result, Status
from gdexp.sweeps.plan import Plan
from gdexp.sweeps.results.answers import Answers
from gdexp.sweeps.study import header_of, is_row
from gdexp.tracking import (
    ALL_SEEDS,
    NOTE_TAG,
    PlannedRun,
    Record,
    ShardFolder,
    ShardRow,
    Store,
    descent_note,
    loss_levels,
)

SAMPLE = 10
"""For so many of the best one more trial has a run, whatever came of it."""

FEWEST = 3
"""Of these there are so many at least."""

AT_ONCE = 50
"""Trials whose rows are in memory together."""

PARENT = "mlflow.parentRunId"


def promoted(plan: Plan, found: Answers, store: Store, parent: str) -> Answers:
    """Give the best trials and a sample runs of their own, and put the shards in order.

    Again is harmless: a trial that has a run keeps it.

    Args:
        plan: of the sweep.
        found: by which trials are the best.
        store: that holds the shards and takes the runs.
        parent: the run id of the sweep; nobody else may be writing its shards.

    Returns:
        The same answers, with the run ids of the trials that have runs.

    Raises:
        StorageFailed: a shard cannot be read, or the store not be written to.
    """
    if not any(is_row(record.run_id) for record in found.records):
        return found
    shards = store.shards(parent)
    shards.tidy()
    runs = {
        int(run.data.tags["gdexp.trial"]): str(run.info.run_id)
        for run in store.children(parent)
        if run.info.status == "FINISHED" and run.data.tags.get("gdexp.trial", "").isdecimal()
    }
    parameters = {trial.number: trial.params for trial in found.trials}
    wanted = [number for number in chosen(found, plan.tracking.best or 1) if number not in runs]
    for begin in range(0, len(wanted), AT_ONCE):
        written = []
        for number, rows in _trials(shards, set(wanted[begin : begin + AT_ONCE])):
            made = _runs(plan, store, parent, parameters[number], rows)
            runs[number] = made[-1][0].run_id
            written += made
        store.write(written)
    return found.with_runs(runs)


def chosen(found: Answers, best: int) -> list[int]:
    """The numbers of the trials that are to have runs, rising.

    Args:
        found: at least one trial.
        best: how many of those with the smallest hitting times.
    """
    numbers = [trial.number for trial in found.trials]
    order = sorted(range(len(numbers)), key=lambda at: (found.records[at].hitting_time, at))
    sample = max(FEWEST, best // SAMPLE)
    spread = np.linspace(0, len(numbers) - 1, min(sample, len(numbers))).round().astype(int)
    return sorted({numbers[at] for at in [*order[:best], *spread.tolist()]})


def _trials(shards: ShardFolder, numbers: Collection[int]) -> Iterator[tuple[int, list[ShardRow]]]:
    """Trials with their rows, that of all seeds together last."""
    found: dict[int, list[ShardRow]] = {}
    for _, row in shards.rows(numbers):
        found.setdefault(row.trial, []).append(row)
    for number, rows in sorted(found.items()):
        yield number, sorted(rows, key=lambda row: (row.seed == ALL_SEEDS, row.seed))


def _runs(
    plan: Plan, store: Store, parent: str, parameters: Mapping[str, Any], rows: Sequence[ShardRow]
) -> list[tuple[PlannedRun, Record]]:
    """The runs of one trial, its own last."""
    *seeds, last = rows
    trial = store.prepare(header_of(last, parent), last.started)
    of_seeds = [store.prepare(header_of(row, trial.run_id), row.started) for row in seeds]
    written = []
    for pending, row in zip([*of_seeds, trial], rows, strict=True):
        tags = {**row.record.tags, PARENT: str(pending.header.parent)}
        record = replace(row.record, tags=tags)
        if row.seed != ALL_SEEDS:
            record = _described(plan, store, parameters, pending.run_id, row.seed, record)
        written.append((pending, record))
    return written


def _described(
    plan: Plan,
    store: Store,
    parameters: Mapping[str, Any],
    run_id: str,
    seed: int,
    record: Record,
) -> Record:
    """A record with the description on its page, and with the levels of a thinned history."""
    experiment = plan.experiment(parameters, seed)
    experiment = experiment.capped(json.loads(record.params.get("stopping.cap", "null")))
    result = Result(
        status=Status(record.tags["gdexp.status"]),
        trace=record.trace,
        initial=_tensor(record, "initial.npy"),
        final=_tensor(record, "final.npy"),
        rule=experiment.rule,
        stopping=experiment.stopping,
        f_star=experiment.problem.reference,
        problem=experiment.problem.name,
    )
    note = descent_note(experiment, result, run_id, store.loss_link(run_id))
    return replace(record, tags={**record.tags, NOTE_TAG: note}, levels=loss_levels(experiment))


def _tensor(record: Record, name: str) -> torch.Tensor:
    return torch.from_numpy(np.load(io.BytesIO(record.artifacts[name]), allow_pickle=False))
