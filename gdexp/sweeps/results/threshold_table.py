"""The threshold table: the fewest iterations to every threshold, from all loss traces."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from rich.table import Table

from gdexp.config import flatten
from gdexp.core import format_value
from gdexp.descent import THRESHOLDS
from gdexp.display import terminal
from gdexp.sweeps.plan import LR, THRESHOLD, Plan
from gdexp.sweeps.results.csv_file import csv_bytes
from gdexp.sweeps.study import TrialRecord, is_row
from gdexp.tracking import inert

if TYPE_CHECKING:
    from optuna.trial import FrozenTrial

LOOSEST_WINS = (
    "A looser threshold never needs more iterations, so a sweep of both drifts to the loosest. "
    "The table is what all traces together say of each threshold."
)
ALL_TRACES = "What all traces together say of every threshold, not only of the one that was asked:"


@dataclass(frozen=True)
class ThresholdRow:
    """The trial that reached a threshold in the fewest iterations; None where none did."""

    threshold: float
    iterations: float | None = None
    trial: int | None = None
    run_id: str | None = None
    parameters: Mapping[str, Any] | None = None


def threshold_rows(
    trials: Sequence[FrozenTrial], records: Sequence[TrialRecord]
) -> list[ThresholdRow]:
    """Return one row for each of `THRESHOLDS`, from finished trials and their records."""
    return [_row(index, trials, records) for index in range(len(THRESHOLDS))]


def _row(index: int, trials: Sequence[FrozenTrial], records: Sequence[TrialRecord]) -> ThresholdRow:
    reached = [
        (hit, position)
        for position, record in enumerate(records)
        if (hit := record.hits[index]) is not None
    ]
    if not reached:
        return ThresholdRow(THRESHOLDS[index])
    hit, best = min(reached)
    trial = trials[best]
    return ThresholdRow(THRESHOLDS[index], hit, trial.number, records[best].run_id, trial.params)


def threshold_note(plan: Plan) -> str:
    """Return the sentence that explains the table."""
    return LOOSEST_WINS if THRESHOLD in plan.space.keys and not plan.pareto else ALL_TRACES


def thresholds_csv(rows: Sequence[ThresholdRow]) -> bytes:
    """Return the table as a CSV file."""
    keys = sorted({key for row in rows for key in row.parameters or ()})
    cells: list[list[object]] = [["threshold", "iterations", *keys, "trial", "run_id"]]
    for row in rows:
        values = [(row.parameters or {}).get(key) for key in keys]
        cells.append([row.threshold, row.iterations, *values, row.trial, row.run_id])
    return csv_bytes(cells)


def threshold_table(plan: Plan, rows: Sequence[ThresholdRow]) -> Table:
    """Return the table for the terminal, with a column for each parameter."""
    names = [name for name in plan.space.names if name != THRESHOLD]
    names = [name for name in names if any(name in (row.parameters or {}) for row in rows)]
    table = Table(box=None, padding=(0, 2), header_style="bold")
    for heading in ("threshold", "fewest iterations", *map(terminal.escape_text, names)):
        table.add_column(heading, justify="right")
    table.add_column("run")
    for row in rows:
        threshold = f"{row.threshold:.0e}"
        if row.iterations is None:
            table.add_row(threshold, "[dim]not reached[/dim]", *["" for _ in names], "")
            continue
        parameters = {name: (row.parameters or {}).get(name, "") for name in names}
        # Where the start is within the threshold, no parameter plays a part.
        values = [format_value(value) if row.iterations else "any" for value in parameters.values()]
        run_id = row.run_id or "/"
        run = str(row.trial) + ("" if is_row(run_id) else f" ({run_id[:8]})")
        table.add_row(threshold, f"{row.iterations:,.6g}", *map(terminal.escape_text, values), run)
    return table


def threshold_markdown(plan: Plan, rows: Sequence[ThresholdRow]) -> list[str]:
    """Return the table as lines of Markdown."""
    return [
        "| threshold | iterations | learning rate | trial |",
        "|---|---|---|---|",
        *(_markdown_row(plan, row) for row in rows),
    ]


def _markdown_row(plan: Plan, row: ThresholdRow) -> str:
    if row.iterations is None:
        return f"| {row.threshold:g} | not reached | | |"
    rate = inert(_learning_rate(plan, row)) if row.iterations else "any"
    return f"| {row.threshold:g} | {row.iterations:,.6g} | {rate} | {row.trial} |"


def _learning_rate(plan: Plan, row: ThresholdRow) -> str:
    return format_value(flatten(plan.trial_config(row.parameters or {})).get(LR, ""))
