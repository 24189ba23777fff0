"""The table of trials: one CSV row for each finished trial."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

from gdexp.sweeps.results.csv_file import csv_bytes
from gdexp.sweeps.study import ADDED, TrialRecord

if TYPE_CHECKING:
    from optuna.trial import FrozenTrial

OUTCOME_COLUMNS = ("hitting_time", "iterations", "status", "final_loss", "run_id")
"""Attributes of `TrialRecord`."""


def trials_csv(
    trials: Iterable[tuple[FrozenTrial, TrialRecord]],
    keys: Iterable[str],
    added: Iterable[FrozenTrial] = (),
) -> bytes:
    """Return a CSV file with one row for each trial.

    Args:
        trials: in the order of the rows.
        keys: the parameters that have a column; empty where a trial lacks one.
        added: the trials that the user added to the study; their rows come last.
    """
    keys = list(keys)
    rows: list[list[object]] = [["trial", *keys, *OUTCOME_COLUMNS]]
    for trial, record in trials:
        parameters = [trial.params.get(key) for key in keys]
        outcome = [getattr(record, name) for name in OUTCOME_COLUMNS]
        rows.append([trial.number, *parameters, *outcome])
    for trial in added:
        parameters = [trial.params.get(key) for key in keys]
        rows.append([trial.number, *parameters, trial.values[0], None, ADDED, None, None])
    return csv_bytes(rows)
