"""Runs and experiments that were deleted in MLflow: for a while, or for good by `mlflow gc`."""

from __future__ import annotations

import sqlite3
from pathlib import Path

from gdexp.tracking.database_connection import connect
from gdexp.tracking.stored_run import StoredRuns


def missing_reason(runs: StoredRuns, run_id: str) -> str | None:
    """Return why a run is not among the active ones, and how to restore it; else None."""
    run = runs.run(run_id)
    if run is None:
        return f"MLflow run {run_id} was deleted for good"
    if run.active:
        return None
    experiment = runs.experiment(run.experiment_id)
    if experiment.active:
        what, restore = f"MLflow run {run_id}", f"runs restore --run-id {run_id}"
    else:
        what = f"tracking.experiment={experiment.name}"
        restore = f"experiments restore --experiment-id {experiment.experiment_id}"
    return f"{what} was deleted in MLflow; mlflow {restore} restores it"


def has_active_run(path: Path, run_id: str) -> bool:
    """Return whether a SQLite file has a run that is not deleted; true where that cannot be told.

    It waits only a moment, as it is called when something has failed.
    """
    query = "SELECT lifecycle_stage FROM runs WHERE run_uuid = ?"
    try:
        with connect(path, "ro", seconds=0.5) as connection:
            return bool(connection.execute(query, (run_id,)).fetchone() == ("active",))
    except sqlite3.Error:
        return True
