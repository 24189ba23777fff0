"""The Pareto front: the trials that no other beats in both threshold and hitting time."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from rich.table import Table

from gdexp.core import format_value
from gdexp.display import terminal
from gdexp.sweeps.plan import THRESHOLD
from gdexp.sweeps.results.markdown import markdown_parameters
from gdexp.sweeps.study import TrialRecord

if TYPE_CHECKING:
    from optuna.trial import FrozenTrial

MOST_ROWS = 30


def non_dominated(points: Sequence[tuple[float, float]]) -> list[int]:
    """Return the positions of the points on the Pareto front, both numbers minimised.

    A point is on the front unless another point is no larger in both numbers and smaller in
    one. Of equal points only the first is on it. One sort finds them (H. T. Kung, F. Luccio,
    F. P. Preparata, On finding the maxima of a set of vectors, 1975, for two dimensions).

    Args:
        points: threshold and hitting time of each trial, in the order of the trials. Infinity
            is a value like others. A point with a value that is not a number is left out.

    Returns:
        Positions in `points`, with thresholds strictly rising and hitting times strictly falling.
    """
    known = [i for i, point in enumerate(points) if not any(map(math.isnan, point))]
    front: list[int] = []
    for i in sorted(known, key=lambda i: (points[i], i)):
        if not front or points[i][1] < points[front[-1]][1]:
            front.append(i)
    return front


def front_table(front: Sequence[tuple[FrozenTrial, TrialRecord]]) -> Table:
    """Return the front as a table for the terminal."""
    table = Table(box=None, padding=(0, 2), header_style="bold")
    rows = front[:MOST_ROWS]
    names = list(dict.fromkeys(name for trial, _ in rows for name in _others(trial.params)))
    for name in ("threshold", "hitting time", "iterations", *names, "trial"):
        table.add_column(terminal.escape_text(name), justify="right")
    for trial, record in rows:
        counts = f"{record.hitting_time:,.5g}", f"{record.iterations:,.6g}"
        values = (terminal.escape_text(format_value(trial.params.get(name, ""))) for name in names)
        table.add_row(f"{record.threshold:.3g}", *counts, *values, str(trial.number))
    if len(front) > MOST_ROWS:
        table.caption = f"and {len(front) - MOST_ROWS} more in front.csv"
    return table


def front_markdown(front: Sequence[tuple[FrozenTrial, TrialRecord]]) -> list[str]:
    """Return the front as lines of Markdown."""
    lines = [
        "The front: no trial has both a tighter threshold and a smaller hitting time.",
        "",
        "| threshold | hitting time | iterations | parameters | trial |",
        "|---|---|---|---|---|",
    ]
    for trial, record in front[:MOST_ROWS]:
        lines.append(
            f"| {record.threshold:.3g} | {record.hitting_time:,.6g} | {record.iterations:,.6g} "
            f"| {markdown_parameters(_others(trial.params))} | {trial.number} |"
        )
    if len(front) > MOST_ROWS:
        lines += ["", f"and {len(front) - MOST_ROWS} more in `front.csv`"]
    return lines


def _others(parameters: Mapping[str, Any]) -> dict[str, Any]:
    """Return the parameters without the threshold, which has a column of its own."""
    return {name: value for name, value in parameters.items() if name != THRESHOLD}
