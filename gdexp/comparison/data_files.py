"""The numbers of a comparison as files for other programs: two CSV tables, and JSON of both."""

from __future__ import annotations

import json
import math
from typing import Any

from gdexp.comparison.comparison import RECORDED_METRICS, Comparison
from gdexp.comparison.summary import answer
from gdexp.core import csv_bytes

RUNS, THRESHOLDS, WHOLE = "runs.csv", "thresholds.csv", "comparison.json"
"""The names of the files."""


def data_files(comparison: Comparison) -> dict[str, bytes]:
    """Return the files by name.

    `runs.csv` has a row for each run, best first: id, rank, status, name, trial, metrics, the
    params that differ, and the distance of its final tensor from that of the reference.
    `thresholds.csv` has a row for each run and threshold: the hitting time, or the fewest
    iterations that it can need where the run was not continued (`at_least`); both are empty where
    the run failed to come there. `comparison.json` holds the same, and the answer as a sentence; a
    number that JSON lacks is null.
    """
    runs, thresholds = _runs(comparison), _thresholds(comparison)
    whole = {
        "sweep": None if comparison.sweep is None else comparison.sweep.run_id,
        "answer": answer(comparison),
        "best": comparison.best.run_id,
        "reference": comparison.reference.run_id,
        "runs": runs,
        "thresholds": thresholds,
        "left_out": [
            {"run_id": each.run.run_id, "reason": each.reason} for each in comparison.left_out
        ],
    }
    text = json.dumps(_plain(whole), indent=2, ensure_ascii=False, allow_nan=False) + "\n"
    return {RUNS: _table(runs), THRESHOLDS: _table(thresholds), WHOLE: text.encode()}


def _runs(comparison: Comparison) -> list[dict[str, Any]]:
    keys = list(comparison.params)
    return [
        {
            "run_id": run.run_id,
            "rank": rank,
            "status": run.status,
            "name": run.name,
            "trial": run.trial,
            **{name: run.metrics.get(name) for name in RECORDED_METRICS},
            **{key: run.values.get(key) for key in keys},
            "largest_distance": _finite(comparison.distances[run.run_id].largest),
            "mean_distance": _finite(comparison.distances[run.run_id].mean),
        }
        for rank, run in enumerate(comparison.ranked, 1)
    ]


def _thresholds(comparison: Comparison) -> list[dict[str, Any]]:
    return [
        {
            "run_id": run.run_id,
            "metric": run.metric,
            "threshold": threshold,
            "hitting_time": comparison.times[run.run_id][place],
            "at_least": comparison.bounds[run.run_id][place],
        }
        for run in comparison.ranked
        for place, threshold in enumerate(comparison.thresholds)
    ]


def _table(rows: list[dict[str, Any]]) -> bytes:
    """Return rows with equal keys as CSV, the keys first."""
    cells = [[_cell(value) for value in row.values()] for row in rows]
    return csv_bytes([list(rows[0]), *cells])


def _cell(value: object) -> object:
    return json.dumps(value, default=str) if isinstance(value, dict | list | tuple) else value


def _finite(value: float) -> float | None:
    return value if math.isfinite(value) else None


def _plain(value: Any) -> Any:  # noqa: ANN401
    """Return a value that JSON can hold: no NaN, no infinity."""
    if isinstance(value, dict):
        return {str(key): _plain(each) for key, each in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(each) for each in value]
    if isinstance(value, float) and not math.isfinite(value):
        return None
    return value if isinstance(value, str | int | float | bool | None) else str(value)
