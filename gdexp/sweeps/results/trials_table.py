"""The table of trials: one row for each finished trial."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING

from gdexp.core import csv_bytes
from gdexp.sweeps.objective import Objective
from gdexp.sweeps.study import ADDED, TrialRecord

if TYPE_CHECKING:
    from optuna.trial import FrozenTrial

OUTCOME_COLUMNS = ("hitting_time", "iterations", "status", "final_loss", "run_id")
"""Attributes of `TrialRecord`."""


def trials_csv(
    trials: Iterable[tuple[FrozenTrial, TrialRecord]],
    keys: Iterable[str],
    added: Iterable[FrozenTrial] = (),
    objectives: Sequence[Objective] = (),
) -> bytes:
    """Return the table as a CSV file; the arguments are those of `trial_cells`."""
    return csv_bytes(trial_cells(trials, keys, added, objectives))


def trial_cells(
    trials: Iterable[tuple[FrozenTrial, TrialRecord]],
    keys: Iterable[str],
    added: Iterable[FrozenTrial] = (),
    objectives: Sequence[Objective] = (),
) -> list[list[object]]:
    """Return the names of the columns, then one row for each trial.

    Args:
        trials: in the order of the rows.
        keys: the parameters that have a column; empty where a trial lacks one.
        added: the trials that the user added to the study; their rows come last.
        objectives: whose values have a column each, where hitting times are not the only ones;
            empty where a trial has none of its own.
    """
    keys = list(keys)
    names = [each.name for each in objectives]
    rows: list[list[object]] = [["trial", *keys, *OUTCOME_COLUMNS, *names]]
    for trial, record in trials:
        parameters = [trial.params.get(key) for key in keys]
        outcome = [getattr(record, name) for name in OUTCOME_COLUMNS]
        told = record.told(len(names)) if names and record.can_win else [None] * len(names)
        rows.append([trial.number, *parameters, *outcome, *told])
    for trial in added:
        parameters = [trial.params.get(key) for key in keys]
        values = list(trial.values)
        first = None if names else values[0]
        own = values if names else []
        rows.append([trial.number, *parameters, first, None, ADDED, None, None, *own])
    return rows
