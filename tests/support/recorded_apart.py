"""Descents that a sweep records beside its trials: of races, confirmations, held-out problems."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from pathlib import Path


def recorded_apart(folder: Path, trial_tag: str, tag: str) -> list[tuple[int, str]]:
    """Return the trial and a tag of each FINISHED descent with both tags, in order.

    Args:
        folder: of the store.
        trial_tag: holds the number of the trial.
        tag: the other one.
    """
    query = (
        "select a.value, b.value from tags a join tags b using (run_uuid) join runs using"
        " (run_uuid) where a.key=? and b.key=? and status='FINISHED'"
    )
    with closing(sqlite3.connect(folder / "mlflow.db")) as database:
        found = database.execute(query, (trial_tag, tag))
        return sorted((int(trial), str(value)) for trial, value in found)
