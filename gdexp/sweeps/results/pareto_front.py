"""The Pareto front: the trials that no other beats in all objectives."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from rich.table import Table

from gdexp.core import format_value
from gdexp.display import terminal
from gdexp.sweeps.plan import THRESHOLD, Plan
from gdexp.sweeps.results.markdown import markdown_parameters
from gdexp.sweeps.study import TrialRecord
from gdexp.tracking import escape_markdown

if TYPE_CHECKING:
    from optuna.trial import FrozenTrial

MOST_ROWS = 30


def non_dominated(points: Sequence[Sequence[float]]) -> list[int]:
    """Return the positions of the points on the Pareto front, all numbers minimised.

    A point is on the front unless another point is no larger in all numbers and smaller in one. Of
    equal points only the first is on it. Two numbers take one sort (H. T. Kung, F. Luccio, F. P.
    Preparata, On finding the maxima of a set of vectors, 1975).

    Args:
        points: such as threshold and hitting time of each trial, in the order of the trials.
            Infinity is a value like others. A point with a value that is no number is left out.

    Returns:
        Positions in `points`, with the first numbers rising; of two numbers the second fall.
    """
    known = [i for i, point in enumerate(points) if not any(map(math.isnan, point))]
    front: list[int] = []
    for i in sorted(known, key=lambda i: (tuple(points[i]), i)):
        # Those before it in the order are the only ones that can beat it; of two numbers the last.
        others = front[-1:] if len(points[i]) == 2 else front
        if not any(_is_no_larger(points[other], points[i]) for other in others):
            front.append(i)
    return front


def _is_no_larger(one: Sequence[float], other: Sequence[float]) -> bool:
    return all(a <= b for a, b in zip(one, other, strict=True))


def front_title(plan: Plan) -> str:
    """Return the sentence above the front."""
    if plan.pareto:
        return "No trial has both a tighter threshold and a smaller hitting time than these:"
    names = ", ".join(each.title for each in plan.objectives)
    return f"No trial is better than these in all of {names}:"


def front_table(plan: Plan, front: Sequence[tuple[FrozenTrial, TrialRecord]]) -> Table:
    """Return the front as a table for the terminal."""
    table = Table(box=None, padding=(0, 2), header_style="bold")
    rows = front[:MOST_ROWS]
    names = list(dict.fromkeys(name for trial, _ in rows for name in _others(trial.params)))
    for name in (*_headings(plan), *names, "trial"):
        table.add_column(terminal.escape_text(name), justify="right")
    for trial, record in rows:
        values = (terminal.escape_text(format_value(trial.params.get(name, ""))) for name in names)
        table.add_row(*_cells(plan, record), *values, str(trial.number))
    if len(front) > MOST_ROWS:
        table.caption = f"and {len(front) - MOST_ROWS} more in front.csv"
    return table


def front_markdown(plan: Plan, front: Sequence[tuple[FrozenTrial, TrialRecord]]) -> list[str]:
    """Return the front as lines of Markdown."""
    title = front_title(plan).rstrip(":")
    if plan.pareto:
        title = "The front: no trial has both a tighter threshold and a smaller hitting time"
    headings = _headings(plan)
    lines = [
        f"{title}.",
        "",
        f"| {' | '.join(map(escape_markdown, headings))} | parameters | trial |",
        "|---" * (len(headings) + 2) + "|",
    ]
    for trial, record in front[:MOST_ROWS]:
        lines.append(
            f"| {' | '.join(_cells(plan, record))} "
            f"| {markdown_parameters(_others(trial.params))} | {trial.number} |"
        )
    if len(front) > MOST_ROWS:
        lines += ["", f"and {len(front) - MOST_ROWS} more in `front.csv`"]
    return lines


def _headings(plan: Plan) -> list[str]:
    """Return the headings of the objectives, and of the iterations."""
    if not plan.told_objectives:
        return ["threshold", "hitting time", "iterations"]
    counted = [] if plan.tells_failures else ["iterations"]
    return [*(each.title for each in plan.objectives), *counted]


def _cells(plan: Plan, record: TrialRecord) -> list[str]:
    """Return what stands under the headings."""
    iterations = f"{record.iterations:,.6g}"
    if not plan.told_objectives:
        return [f"{record.threshold:.3g}", f"{record.hitting_time:,.6g}", iterations]
    counted = [] if plan.tells_failures else [iterations]
    return [*(f"{value:,.6g}" for value in record.told(len(plan.objectives))), *counted]


def _others(parameters: Mapping[str, Any]) -> dict[str, Any]:
    """Return the parameters without the threshold, which has a column of its own."""
    return {name: value for name, value in parameters.items() if name != THRESHOLD}
