"""How a sweep's trials are kept: each a run in MLflow, or each a row of the sweep's shards."""

from __future__ import annotations

import time
from collections.abc import Sequence
from typing import Any

from gdexp.sweeps.plan import Plan
from gdexp.sweeps.study import RUN_NAME
from gdexp.sweeps.trial import Asked, Done
from gdexp.sweeps.worker.background_writer import Writing
from gdexp.sweeps.worker.run_records import Opened, Recording
from gdexp.tracking import ALL_SEEDS, PlannedRun, Record, ShardRow, Store


def keeping(plan: Plan, store: Store, parent: str) -> tuple[Recording, Writing[Any]]:
    """What opens and describes the trials of a sweep, and what writes them.

    Args:
        plan: of the sweep; `tracking.children` says how.
        store: that takes them.
        parent: the run id of the sweep.
    """
    behind = store.settings.is_server
    if plan.tracking.best is None:
        return Recording(plan, store, parent), Writing(store.write, behind)
    shards = store.shards(parent)
    return RowRecording(plan, store, parent), Writing(lambda r: shards.write(as_rows(r)), behind)


class RowRecording(Recording):
    """Describes trials that become rows. MLflow hears of them when the sweep ends, or never.

    What would be a run id is `PARENT/TRIAL`, or `PARENT/TRIAL/SEED` of one of several seeds:
    `+rerun` takes it as it takes a run id.
    """

    def open(self, asked: Asked) -> Opened:
        """Name the rows of a trial."""
        trial, *seeds = self._headers(asked)
        name, started = f"{self._parent}/{asked.number}", int(time.time() * 1000)
        return Opened(
            PlannedRun(name, trial(self._parent), started),
            [PlannedRun(f"{name}/{i}", seed(name), started) for i, seed in enumerate(seeds)],
        )

    def show(self, opened: Opened) -> None:
        """Nothing: a row is there when it is whole."""

    def abandon(self, opened: Opened, status: str) -> None:
        """Nothing: a row is there when it is whole."""

    def _tags(self, run: PlannedRun, done: Done) -> dict[str, str]:
        return {} if done.source is None else {"gdexp.reused_from": done.source}


def as_rows(runs: Sequence[tuple[PlannedRun, Record]]) -> list[ShardRow]:
    """Rows of what would be runs, with the tags that these begin with."""
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
