"""Trials that are rows of Parquet files and not runs of their own (`tracking.children=best:N`)."""

from __future__ import annotations

from collections.abc import Collection

from gdexp.tracking import RunHeader, ShardRow, Store

RUN_NAME = "mlflow.runName"
"""The tag in which MLflow keeps a run's name, and a row its own."""


def is_row(run_id: str) -> bool:
    """Whether what a trial's record names is a row and no run."""
    return "/" in run_id


def kept_rows(store: Store, parent: str, run_ids: Collection[str]) -> set[str]:
    """Those of the rows that are there; a trial's own is written after those of its seeds."""
    wanted = {int(run_id.split("/")[1]) for run_id in run_ids if is_row(run_id)}
    if not wanted:
        return set()
    found = store.shards(parent).rows(wanted, columns=())
    return {f"{parent}/{r.trial}" for _, r in found if r.record.tags["gdexp.kind"] == "trial"}


def header_of(row: ShardRow, parent: str) -> RunHeader:
    """What a run of a row's descent begins with."""
    tags = dict(row.record.tags)
    return RunHeader(tags.pop(RUN_NAME), tags["gdexp.kind"], parent, tags)
