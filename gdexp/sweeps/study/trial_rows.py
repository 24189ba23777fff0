"""Trials that are rows of Parquet files instead of MLflow runs (`tracking.children=best:N`)."""

from __future__ import annotations

from collections.abc import Collection

from gdexp.tracking import Opening, Row, Store

RUN_NAME = "mlflow.runName"
"""The tag that holds the name of a run, and of a row."""


def is_row(run_id: str) -> bool:
    """Return whether the id in a trial's record is that of a row, not of a run."""
    return "/" in run_id


def existing_rows(store: Store, parent: str, run_ids: Collection[str]) -> set[str]:
    """Return the ids whose row exists; a trial's row is written after the rows of its seeds."""
    wanted = {int(run_id.split("/")[1]) for run_id in run_ids if is_row(run_id)}
    if not wanted:
        return set()
    found = store.shards(parent).rows(wanted, columns=())
    return {f"{parent}/{r.trial}" for _, r in found if r.record.tags["gdexp.kind"] == "trial"}


def opening_of(row: Row, parent: str) -> Opening:
    """Return what an MLflow run of a row's descent is opened with."""
    tags = dict(row.record.tags)
    return Opening(tags.pop(RUN_NAME), tags["gdexp.kind"], parent, tags)
