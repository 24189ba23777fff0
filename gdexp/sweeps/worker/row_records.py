"""Trials recorded as rows of a sweep's Parquet shards (`tracking.children=best:N`)."""

from __future__ import annotations

import time
from collections.abc import Callable

from gdexp.sweeps.study import RUN_NAME
from gdexp.sweeps.trial import AskedTrial, FinishedDescent
from gdexp.sweeps.worker.run_records import TrialRecorder, TrialRuns
from gdexp.sweeps.worker.run_writer import Runs
from gdexp.tracking import ALL_SEEDS, PlannedRun, Record, ShardRow, Store


def row_writer(store: Store, parent: str) -> Callable[[Runs], None]:
    """Return a function that writes what would be runs as rows of a sweep's shards.

    Args:
        store: that holds the sweep's run.
        parent: the run id of the sweep.
    """
    shards = store.shards(parent)
    return lambda runs: shards.write(_rows([(run, store.kept(record)) for run, record in runs]))


class RowRecorder(TrialRecorder):
    """Records trials as rows. The best ones become runs in MLflow when the sweep ends.

    A row's id is `PARENT/TRIAL`, or `PARENT/TRIAL/SEED` for one of several seeds. `+rerun` accepts
    it in place of a run id.
    """

    def reserve(self, asked: AskedTrial) -> TrialRuns:
        """Return the ids of a trial's rows."""
        trial, *seeds = self._headers(asked)
        name, started = f"{self._parent}/{asked.number}", int(time.time() * 1000)
        return TrialRuns(
            PlannedRun(name, trial(self._parent), started),
            [PlannedRun(f"{name}/{i}", seed(name), started) for i, seed in enumerate(seeds)],
        )

    def show(self, runs: TrialRuns) -> None:
        """Do nothing: a row is written when it is complete."""

    def abandon(self, runs: TrialRuns, status: str) -> None:
        """Do nothing: a row is written when it is complete."""

    def drop(self, run: PlannedRun) -> None:
        """Do nothing: the row of a seed without a result is not written."""

    def _tags(self, run: PlannedRun, descent: FinishedDescent) -> dict[str, str]:
        return {} if descent.source is None else {"gdexp.reused_from": descent.source}


def _rows(runs: Runs) -> list[ShardRow]:
    """Return the rows of what would be runs, with the tags that these runs would have."""
    several = {pending.header.parent for pending, _ in runs if pending.header.kind == "seed"}
    rows = []
    for pending, record in runs:
        _, trial, *seed = pending.run_id.split("/")
        header = {**pending.header.all_tags(), RUN_NAME: pending.header.name}
        row = Record(
            params=record.params,
            metrics=record.metrics,
            trace=record.trace,
            tags={**header, **record.tags},
            artifacts=record.artifacts,
        )
        alone = ALL_SEEDS if pending.run_id in several else 0
        rows.append(ShardRow(int(trial), int(seed[0]) if seed else alone, row, pending.started))
    return rows
