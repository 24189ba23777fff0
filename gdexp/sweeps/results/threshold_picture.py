"""The threshold table as a picture, for MLflow's charts, which show no tables."""

from __future__ import annotations

from collections.abc import Sequence

from gdexp.display import table_png
from gdexp.sweeps.plan import THRESHOLD, Plan
from gdexp.sweeps.results.threshold_table import ThresholdRow, cost_name

MOST_SHOWN, MOST_COLUMNS, MOST_LETTERS = 2, 8, 12
"""Of the picture: swept keys, thresholds beside one another, letters of a value that is a word."""

PICTURE_WIDTH = 4.4
"""Of the picture, in inches: that of MLflow's card where two are beside one another."""


def thresholds_png(plan: Plan, rows: Sequence[ThresholdRow]) -> bytes:
    """Return the table as a picture: a column for each threshold, the loosest first.

    It is wide and low, because MLflow's card for pictures is.
    """
    names = [name for name in plan.space.names if name != THRESHOLD]
    shown = [name for name in names if any(name in (r.parameters or {}) for r in rows)][:MOST_SHOWN]
    total = max((row.total for row in rows), default=0)
    blocks = []
    for begin in range(0, len(rows), MOST_COLUMNS):
        part = rows[begin : begin + MOST_COLUMNS]
        lines = [
            ["threshold", *(f"{row.threshold:.3g}" for row in part)],
            [cost_name(plan), *(_short_count(row) for row in part)],
            *(
                [name.rpartition(".")[2], *(_short_value(name, row) for row in part)]
                for name in shown
            ),
            [f"reached, of {total:,}", *(f"{row.reached:,}" for row in part)],
            ["trial", *("" if row.trial is None else str(row.trial) for row in part)],
        ]
        blocks.append(lines)
    return table_png(blocks, width=PICTURE_WIDTH)


def _short_count(row: ThresholdRow) -> str:
    if row.count is not None:
        return f"{row.count:,.4g}" if row.count < 1e4 else f"{row.count:.2g}"
    return "-" if row.at_least is None else f">={row.at_least:,.4g}"


def _short_value(name: str, row: ThresholdRow) -> str:
    value = (row.parameters or {}).get(name, "")
    if row.at_start and value != "":
        return "any"
    return f"{value:.4g}" if isinstance(value, float) else str(value)[:MOST_LETTERS]
