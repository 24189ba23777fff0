"""MLflow runs for the best trials of a sweep, and for a sample, made from their shard rows."""

from __future__ import annotations

import json
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from gdexp.descent import Status
from gdexp.sweeps.plan import Plan
from gdexp.sweeps.results.sweep_result import SweepResult
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
    stored_files,
)

BEST_PER_SAMPLE = 10
"""For so many of the best trials, one trial of the sample gets a run."""

LEAST_SAMPLE = 3
"""The smallest sample, in trials."""

TRIALS_AT_ONCE = 50
"""Trials whose rows are in memory together."""

PARENT = "mlflow.parentRunId"

TRACE = "trace.npy"

SIGNATURE = "gdexp.signature"
"""The tag that a failed trial lacks."""


def create_trial_runs(plan: Plan, result: SweepResult, store: Store, parent: str) -> SweepResult:
    """Create runs for the best trials and for a sample, and join the shards.

    It can be repeated: a trial that has a run keeps it.

    Args:
        plan: of the sweep.
        result: what the sweep found.
        store: that holds the shards and the runs.
        parent: the run id of the sweep; no other process may write its shards meanwhile.

    Returns:
        The same result, with the run ids of the trials that have runs.

    Raises:
        StorageFailed: a shard cannot be read, or the store cannot be written to.
    """
    if not any(is_row(record.run_id) for record in result.records):
        return result
    shards = store.shards(parent)
    shards.tidy()
    runs = {
        int(run.tags["gdexp.trial"]): run.run_id
        for run in store.children(parent)
        if run.status == "FINISHED" and run.tags.get("gdexp.trial", "").isdecimal()
    }
    parameters = {trial.number: trial.params for trial in result.trials}
    wanted = [
        number
        for number in trials_for_runs(plan, result, plan.tracking.best or 1)
        if number not in runs
    ]
    for begin in range(0, len(wanted), TRIALS_AT_ONCE):
        written = []
        for number, rows in _trials(shards, set(wanted[begin : begin + TRIALS_AT_ONCE])):
            made = _runs(plan, store, parent, parameters[number], rows)
            runs[number] = made[-1][0].run_id
            written += made
        store.write(written)
    return result.with_run_ids(runs)


def trials_for_runs(plan: Plan, result: SweepResult, best: int) -> list[int]:
    """Return the numbers of the trials that get runs, rising.

    Args:
        plan: of the sweep.
        result: of at least one trial.
        best: how many of the trials with the best values.
    """
    numbers = [trial.number for trial in result.trials]
    first, count = plan.objectives[0], len(plan.objectives)

    def rank(at: int) -> tuple[bool, float, int]:
        record = result.records[at]
        return record.is_estimate, first.signed(record.told(count)[0]), at

    order = sorted(range(len(numbers)), key=rank)
    size = min(max(LEAST_SAMPLE, best // BEST_PER_SAMPLE), len(numbers))
    sample = np.linspace(0, len(numbers) - 1, size).round().astype(int)
    winner = [] if result.best is None else [result.best]  # after a race it need not be the first
    return sorted({numbers[at] for at in [*winner, *order[:best], *sample.tolist()]})


def _trials(shards: ShardFolder, numbers: Collection[int]) -> Iterator[tuple[int, list[ShardRow]]]:
    """Yield each trial with its rows, the one of all seeds together last."""
    found: dict[int, list[ShardRow]] = {}
    for _, row in shards.rows(numbers):
        found.setdefault(row.trial, []).append(row)
    for number, rows in sorted(found.items()):
        yield number, sorted(rows, key=lambda row: (row.seed == ALL_SEEDS, row.seed))


def _runs(
    plan: Plan, store: Store, parent: str, parameters: Mapping[str, Any], rows: Sequence[ShardRow]
) -> list[tuple[PlannedRun, Record]]:
    """Return the runs of one trial and its seeds, the trial's own last."""
    *seeds, last = rows
    trial = store.prepare(header_of(last, parent), last.started)
    of_seeds = [store.prepare(header_of(row, trial.run_id), row.started) for row in seeds]
    written = []
    for pending, row in zip([*of_seeds, trial], rows, strict=True):
        tags = {**row.record.tags, PARENT: str(pending.header.parent)}
        record = replace(row.record, tags=tags)
        if row.seed != ALL_SEEDS and SIGNATURE in row.record.tags:
            record = _with_note(plan, store, parameters, pending.run_id, row.seed, record)
        written.append((pending, record))
    return written


def _with_note(
    plan: Plan,
    store: Store,
    parameters: Mapping[str, Any],
    run_id: str,
    seed: int,
    record: Record,
) -> Record:
    """Return a record with the note for the page of its run, and with its levels for charts."""
    experiment = plan.experiment_at(parameters, seed)
    experiment = experiment.with_cap(json.loads(record.params.get("stopping.cap", "null")))
    files = stored_files({n: each for n, each in record.artifacts.items() if n != TRACE})
    stored = files._replace(arrays={**files.arrays, TRACE: record.trace})
    result = experiment.stored_result(Status(record.tags["gdexp.status"]), stored)
    curves = experiment.recorded(result).curves
    note = descent_note(experiment, result, run_id, store.loss_link(run_id))
    return replace(
        record, tags={**record.tags, NOTE_TAG: note}, levels=loss_levels(experiment), curves=curves
    )
