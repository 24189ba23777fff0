"""The threshold table: the fewest iterations to every threshold, from all loss traces.

A trace answers a threshold only down to where it went. A trial that ended at its own threshold, or
by the cap, is censored beyond: it has not failed there.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from rich.table import Table

from gdexp.config import flatten
from gdexp.core import csv_bytes, format_value
from gdexp.descent import GRADIENT_NORM, ITERATIONS, LOSS, SECONDS
from gdexp.display import terminal
from gdexp.sweeps.objective import COUNTED
from gdexp.sweeps.plan import LR, THRESHOLD, Plan
from gdexp.sweeps.pruning import NONE
from gdexp.sweeps.results.start_gaps import has_one_start, largest_start_gap
from gdexp.sweeps.study import Column, ThresholdCounts, TrialRecord, is_row
from gdexp.sweeps.thresholds import study_sign, study_thresholds
from gdexp.tracking import escape_markdown

if TYPE_CHECKING:
    from optuna.trial import FrozenTrial

LOOSEST_WINS = (
    "A looser threshold never needs more iterations, so a sweep of both drifts to the loosest. "
    "The table is what all traces together say of each threshold."
)
ALL_TRACES = "What all traces together say of every threshold, not only of the one that was asked:"

FEWEST, REACHED_BY = "fewest of the traces", "reached by"
"""Headings: the fewest iterations of the traces that reach a threshold, and how many do."""


@dataclass(frozen=True)
class ThresholdRow:
    """The trial whose trace reaches a threshold at the least cost; None where none does.

    Attributes:
        iterations: of that trial; None too where a study of an earlier version does not know them.
        cost: what `sweep.cost` counts, where it counts something else than iterations.
        reached: how many trials reach the threshold.
        total: all trials.
        at_least: the least count that a censored trial can need; None if none is censored.
        at_start: whether every start in the space is within the threshold.
    """

    threshold: float
    iterations: float | None = None
    trial: int | None = None
    run_id: str | None = None
    parameters: Mapping[str, Any] | None = None
    reached: int = 0
    total: int = 0
    at_least: float | None = None
    at_start: bool = False
    cost: float | None = None

    @property
    def count(self) -> float | None:
        """What is counted: the cost, else the iterations."""
        return self.iterations if self.cost is None else self.cost

    @property
    def is_hidden(self) -> bool:
        """Whether a trial that was not continued may need less than is known."""
        if self.at_least is None:
            return False
        return self.count is None or self.at_least < self.count


def threshold_rows(
    plan: Plan, trials: Sequence[FrozenTrial], records: Sequence[TrialRecord]
) -> list[ThresholdRow]:
    """Return one row for each threshold of the study, from finished trials and their records."""
    thresholds, in_iterations = study_thresholds(plan), cost_name(plan) == ITERATIONS
    fewest: list[tuple[float, int]] = [(math.inf, -1)] * len(thresholds)
    reached, at_least = [0] * len(thresholds), [math.inf] * len(thresholds)
    for place, record in enumerate(records):  # one at a time: a study may hold 100,000 trials
        counts = _counts(plan, record)
        for at, (hit, bound) in enumerate(zip(counts.hits, counts.bounds, strict=True)):
            if hit is not None:
                reached[at] += 1
                fewest[at] = min(fewest[at], (hit, place))
            if bound is not None:
                at_least[at] = min(at_least[at], bound)
    rows = []
    for at, threshold in enumerate(thresholds):
        known = at_least[at] if at_least[at] < math.inf else None
        row = ThresholdRow(threshold, reached=reached[at], total=len(trials), at_least=known)
        if reached[at]:
            hit, best = fewest[at]
            trial, run_id = trials[best], records[best].run_id
            iterations = hit if in_iterations else _iterations(plan, records[best])[at]
            row = replace(
                row,
                iterations=iterations,
                cost=None if in_iterations else hit,
                trial=trial.number,
                run_id=run_id,
                parameters=trial.params,
            )
        rows.append(row)
    at_once = [row.threshold for row in rows if row.iterations == 0]
    if not at_once or not _of_loss(plan) or plan.tells_failures:
        return rows
    gap = min(at_once) if has_one_start(plan) else largest_start_gap(plan)
    return [replace(row, at_start=gap <= row.threshold) for row in rows]


def _counts(plan: Plan, record: TrialRecord) -> ThresholdCounts:
    """Return what is counted at the thresholds."""
    if cost_name(plan) == SECONDS and record.beside is not None:
        return ThresholdCounts(*record.beside)
    return record.at_thresholds(plan.settings.trial_seeds)


def _iterations(plan: Plan, record: TrialRecord) -> Column:
    """Return the iterations at the thresholds where something else is counted."""
    if cost_name(plan) == SECONDS:
        return record.hits
    return (None,) * len(record.hits) if record.beside is None else record.beside[0]


def cost_name(plan: Plan) -> str:
    """Return what the table counts: one of the values of `sweep.cost`."""
    costs = (SECONDS, *COUNTED)
    return next((each.kind for each in plan.objectives if each.kind in costs), ITERATIONS)


def _of_loss(plan: Plan) -> bool:
    stopping = plan.base["stopping"]
    of_norm = stopping.get("measure") == GRADIENT_NORM
    return bool(stopping.get("metric", LOSS) == LOSS and not of_norm)


def threshold_note(plan: Plan) -> str:
    """Return the sentence that explains the table."""
    note = LOOSEST_WINS if THRESHOLD in plan.space.keys and not plan.pareto else ALL_TRACES
    if not plan.settings.race:
        return note
    return f"{note[:-1]}, over the {plan.settings.trial_seeds} seeds of every trial{note[-1]}"


def censoring_note(plan: Plan, rows: Sequence[ThresholdRow]) -> str | None:
    """Return what the table does not know because trials were not continued, and what helps."""
    hidden = [row.threshold for row in rows if row.is_hidden]
    if not hidden:
        return None
    goal, capped, ways = plan.settings.continue_to, plan.settings.cap is not None, []
    pruned = plan.pruner.name != NONE
    looser = goal is None or study_sign(plan) * (goal - hidden[-1]) > 0
    if not plan.tells_failures and looser:
        ways.append(f"sweep.continue_to={hidden[-1]:g}")
    if capped:
        ways.append("sweep.cap=null")
    if pruned and (ways or goal is not None):  # alone it completes nothing
        ways.append(f"sweep.pruner={NONE}")
    by = [name for name, used in (("the cap", capped), ("the pruner", pruned)) if used]
    end = " or by ".join(["at its own threshold", *by])
    text = (
        f"A trial ends {end} and was not continued: it may need fewer iterations than those that "
        "reach a tighter one."
    )
    if not ways:
        return text
    return f"{text} {' and '.join(ways)} {'complete' if ways[1:] else 'completes'} the table."


def thresholds_csv(plan: Plan, rows: Sequence[ThresholdRow]) -> bytes:
    """Return the table of `threshold_cells` as a CSV file."""
    return csv_bytes(threshold_cells(plan, rows))


def threshold_cells(plan: Plan, rows: Sequence[ThresholdRow]) -> list[list[object]]:
    """Return the names of the columns, then one row for each threshold.

    Where `sweep.cost` is not iterations it names the column beside them, and `at_least` is in the
    same unit: the least that a trial can need that was not continued so far.
    """
    keys = sorted({key for row in rows for key in row.parameters or ()})
    cost = cost_name(plan)
    costs = [] if cost == ITERATIONS else [cost]
    cells: list[list[object]] = [["threshold", "iterations", *costs, *keys, "trial", "run_id"]]
    cells[0] += ["reached", "trials", "at_least"]
    for row in rows:
        counts = [row.iterations, *([row.cost] if costs else [])]
        values = [(row.parameters or {}).get(key) for key in keys]
        known = [row.reached, row.total, row.at_least]
        cells.append([row.threshold, *counts, *values, row.trial, row.run_id, *known])
    return cells


def threshold_table(plan: Plan, rows: Sequence[ThresholdRow]) -> Table:
    """Return the table for the terminal, with a column for each parameter."""
    names = [name for name in plan.space.names if name != THRESHOLD]
    names = [name for name in names if any(name in (row.parameters or {}) for row in rows)]
    table = Table(box=None, padding=(0, 1), header_style="bold")
    for heading in ("threshold", fewest(plan), *map(terminal.escape_text, names), REACHED_BY):
        table.add_column(heading, justify="right")
    table.add_column("run" if plan.tracks else "trial")
    for row in rows:
        of_metric = plan.base["stopping"].get("metric", LOSS) != LOSS
        threshold = f"{row.threshold:g}" if of_metric else f"{row.threshold:.0e}"
        reached = f"{row.reached:,} of {row.total:,}"
        if row.count is None:
            table.add_row(threshold, f"[dim]{_count(row)}[/dim]", *("" for _ in names), reached)
            continue
        parameters = {name: (row.parameters or {}).get(name, "") for name in names}
        # Where every start is within the threshold, no parameter plays a part.
        values = ["any" if row.at_start else format_value(value) for value in parameters.values()]
        run_id = row.run_id or "/"
        shown = plan.tracks and not is_row(run_id)
        run = str(row.trial) + (f" ({run_id[:8]})" if shown else "")
        table.add_row(threshold, _count(row), *map(terminal.escape_text, values), reached, run)
    return table


def fewest(plan: Plan) -> str:
    """Return the heading of the counts: what is fewest."""
    cost = cost_name(plan)
    return FEWEST if cost == ITERATIONS else f"fewest {cost}"


def threshold_markdown(plan: Plan, rows: Sequence[ThresholdRow]) -> list[str]:
    """Return the table as lines of Markdown."""
    return [
        f"| threshold | {fewest(plan)} | learning rate | {REACHED_BY} | trial |",
        "|---|---|---|---|---|",
        *(_markdown_row(plan, row) for row in rows),
    ]


def _markdown_row(plan: Plan, row: ThresholdRow) -> str:
    reached = f"{row.reached:,} of {row.total:,}"
    if row.count is None:
        return f"| {row.threshold:g} | {_count(row)} | | {reached} | |"
    rate = "any" if row.at_start else escape_markdown(_learning_rate(plan, row))
    return f"| {row.threshold:g} | {_count(row)} | {rate} | {reached} | {row.trial} |"


def _count(row: ThresholdRow) -> str:
    """Return the least count in words; of censored trials alone what they need at least."""
    if row.count is not None:
        return f"{row.count:,.6g}"
    return "not reached" if row.at_least is None else f">= {row.at_least:,.6g} (not continued)"


def _learning_rate(plan: Plan, row: ThresholdRow) -> str:
    return format_value(flatten(plan.trial_config(row.parameters or {})).get(LR, ""))
