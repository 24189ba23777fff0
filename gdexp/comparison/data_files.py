"""The numbers of a comparison as files for other programs: two CSV tables, and JSON of both."""

from __future__ import annotations

import json
import math
import sys
from typing import Any

from gdexp.comparison.comparison import RECORDED_METRICS, Comparison
from gdexp.comparison.reported import reported_metrics
from gdexp.comparison.summary import answer
from gdexp.core import csv_bytes, json_output

RUNS, THRESHOLDS, WHOLE = "runs.csv", "thresholds.csv", "comparison.json"
"""The names of the files."""


def data_files(comparison: Comparison) -> dict[str, bytes]:
    """Return the files by name.

    `runs.csv` has a row for each run, best first: id, rank, status, name, trial, the largest and
    mean distance of its final tensor from that of the reference, metrics and the params that
    differ. `thresholds.csv` has a row for each run and threshold: the hitting time, or the fewest
    iterations that it can need where the run was not continued (`at_least`); both are empty where
    the run failed to come there. `comparison.json` holds the same, and the answer as a sentence; a
    number that JSON lacks is one of the texts inf, -inf and nan.
    """
    whole = data(comparison)
    text = json.dumps(json_output.plain(whole), indent=2, ensure_ascii=False, allow_nan=False)
    return {
        RUNS: _table([_flat(row) for row in whole["runs"]]),
        THRESHOLDS: _table(whole["thresholds"]),
        WHOLE: f"{text}\n".encode(),
    }


def data(comparison: Comparison) -> dict[str, Any]:
    """Return the numbers of a comparison; `gdexp/cli/json_fields.py` says what each means."""
    return {
        "sweep": None if comparison.sweep is None else comparison.sweep.run_id,
        "answer": answer(comparison),
        "best": comparison.best.run_id,
        "reference": comparison.reference.run_id,
        "cost": comparison.cost,
        "runs": _runs(comparison),
        "thresholds": _thresholds(comparison),
        "left_out": [
            {"run_id": each.run.run_id, "reason": each.reason} for each in comparison.left_out
        ],
    }


def _runs(comparison: Comparison) -> list[dict[str, Any]]:
    keys, reported = list(comparison.params), reported_metrics(comparison.runs)
    return [
        {
            "run_id": run.run_id,
            "rank": rank,
            "status": run.status,
            "name": run.name,
            "trial": run.trial,
            "largest_distance": _known(comparison.distances[run.run_id].largest),
            "mean_distance": _known(comparison.distances[run.run_id].mean),
            "metrics": {
                name: _recorded(run.metrics[name])
                for name in (*RECORDED_METRICS, *reported)
                if name in run.metrics
            },
            "params": {key: run.values.get(key) for key in keys},
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


def _known(value: float) -> float | None:
    return None if math.isnan(value) else value


def _recorded(value: float) -> float:
    """Return a metric as it was: MLflow stores an infinite one as the largest double."""
    return math.copysign(math.inf, value) if abs(value) >= sys.float_info.max else value


def _flat(run: dict[str, Any]) -> dict[str, Any]:
    """Return a run's metrics and params as columns beside the rest."""
    rest = {key: value for key, value in run.items() if key not in ("metrics", "params")}
    metrics = {name: run["metrics"].get(name) for name in RECORDED_METRICS}
    return {**rest, **metrics, **run["params"]}


def _table(rows: list[dict[str, Any]]) -> bytes:
    """Return rows with equal keys as CSV, the keys first."""
    cells = [[_cell(value) for value in row.values()] for row in rows]
    return csv_bytes([list(rows[0]), *cells])


def _cell(value: object) -> object:
    return json.dumps(value, default=str) if isinstance(value, dict | list | tuple) else value
