"""How a sweep's trials are kept: each a run in MLflow, or each a row of the sweep's shards."""

from __future__ import annotations

import time
from collections.abc import Sequence
from typing import Any

from gdexp.sweeps.plan import Plan
from gdexp.sweeps.study import RUN_NAME
from gdexp.sweeps.trial import Asked, Done
from gdexp.sweeps.worker.run_records import TrialRecorder, TrialRuns
from gdexp.sweeps.worker.run_writer import RunWriter
from gdexp.tracking import TOGETHER, Pending, Record, Row, Store


def recorder_and_writer(
    plan: Plan, store: Store, parent: str
) -> tuple[TrialRecorder, RunWriter[Any]]:
    """What opens and describes the trials of a sweep, and what writes them.

    Args:
        plan: of the sweep; `tracking.children` says how.
        store: that takes them.
        parent: the run id of the sweep.
    """
    behind = store.settings.is_server
    if plan.tracking.best is None:
        return TrialRecorder(plan, store, parent), RunWriter(store.write, behind)
    shards = store.shards(parent)
    return RowRecorder(plan, store, parent), RunWriter(lambda r: shards.write(as_rows(r)), behind)


class RowRecorder(TrialRecorder):
    """Describes trials that become rows. MLflow hears of them when the sweep ends, or never.

    What would be a run id is `PARENT/TRIAL`, or `PARENT/TRIAL/SEED` of one of several seeds:
    `+rerun` takes it as it takes a run id.
    """

    def open(self, asked: Asked) -> TrialRuns:
        """Name the rows of a trial."""
        trial, *seeds = self._openings(asked)
        name, started = f"{self._parent}/{asked.number}", int(time.time() * 1000)
        return TrialRuns(
            Pending(name, trial(self._parent), started),
            [Pending(f"{name}/{i}", seed(name), started) for i, seed in enumerate(seeds)],
        )

    def show(self, opened: TrialRuns) -> None:
        """Nothing: a row is there when it is whole."""

    def abandon(self, opened: TrialRuns, status: str) -> None:
        """Nothing: a row is there when it is whole."""

    def _tags(self, run: Pending, done: Done) -> dict[str, str]:
        return {} if done.source is None else {"gdexp.reused_from": done.source}


def as_rows(runs: Sequence[tuple[Pending, Record]]) -> list[Row]:
    """Rows of what would be runs, with the tags that these begin with."""
    several = {pending.opening.parent for pending, _ in runs if pending.opening.kind == "seed"}
    rows = []
    for pending, record in runs:
        _, trial, *seed = pending.run_id.split("/")
        opening = {**pending.opening.all_tags(), RUN_NAME: pending.opening.name}
        row = Record(
            params=record.params,
            metrics=record.metrics,
            trace=record.trace,
            tags={**opening, **record.tags},
            artifacts=record.artifacts,
        )
        alone = TOGETHER if pending.run_id in several else 0
        rows.append(Row(int(trial), int(seed[0]) if seed else alone, row, pending.started))
    return rows
