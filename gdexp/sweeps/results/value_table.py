"""The best trials of a sweep whose objective is a value of a metric."""

from __future__ import annotations

from typing import TYPE_CHECKING

from rich.table import Table

from gdexp.core import format_value
from gdexp.display import terminal
from gdexp.sweeps.plan import Plan
from gdexp.sweeps.results.markdown import markdown_parameters
from gdexp.sweeps.study import UNTRACKED, TrialRecord, is_row
from gdexp.tracking import escape_markdown

if TYPE_CHECKING:
    from optuna.trial import FrozenTrial

    from gdexp.sweeps.results.sweep_result import SweepResult

MOST_ROWS = 10


def best_trials(plan: Plan, result: SweepResult) -> list[tuple[FrozenTrial, TrialRecord]]:
    """Return the best trials of those that can win, the best first."""
    first = plan.objectives[0]
    able = [
        (first.signed(record.told(1)[0]), at)
        for at, record in enumerate(result.records)
        if record.can_win
    ]
    return [(result.trials[at], result.records[at]) for _, at in sorted(able)[:MOST_ROWS]]


def value_table(plan: Plan, result: SweepResult) -> Table:
    """Return the best trials as a table for the terminal."""
    rows = best_trials(plan, result)
    table = Table(box=None, padding=(0, 1), header_style="bold")
    had = dict.fromkeys(name for trial, _ in rows for name in trial.params)
    names = [name for name in dict.fromkeys([*plan.space.names, *had]) if name in had]
    title = plan.objectives[0].title
    iterates = any(record.iterations for _, record in rows)
    headings = _short(names) if plan.tells_failures else names
    for heading in (title, *([_counted(plan)] if iterates else []), *headings):
        table.add_column(terminal.escape_text(heading), justify="right")
    table.add_column("ended")
    table.add_column("run" if plan.tracks else "trial")
    for trial, record in rows:
        parameters = plan.space.decoded(trial.params)
        values = (terminal.escape_text(format_value(parameters.get(name, ""))) for name in names)
        is_run = record.run_id != UNTRACKED and not is_row(record.run_id)
        run = str(trial.number) + (f" ({record.run_id[:8]})" if is_run else "")
        counts = [f"{record.told(1)[0]:.6g}", *([f"{record.iterations:,.6g}"] if iterates else [])]
        table.add_row(*counts, *values, record.status, run)
    return table


def value_markdown(plan: Plan, result: SweepResult) -> list[str]:
    """Return the best trials as lines of Markdown."""
    title = escape_markdown(plan.objectives[0].title)
    lines = [
        f"| {title} | {_counted(plan)} | parameters | ended | trial |",
        "|---|---|---|---|---|",
    ]
    for trial, record in best_trials(plan, result):
        lines.append(
            f"| {record.told(1)[0]:.6g} | {record.iterations:,.6g} "
            f"| {markdown_parameters(trial.params)} | {record.status} | {trial.number} |"
        )
    return lines


def _counted(plan: Plan) -> str:
    """Return the heading of the number of iterations."""
    return "steps" if plan.tells_failures else "iterations"


def _short(names: list[str]) -> list[str]:
    """Return the last word of each key; the whole key where others end in the same."""
    last = [name.rpartition(".")[2] for name in names]
    pairs = zip(names, last, strict=True)
    return [short if last.count(short) == 1 else name for name, short in pairs]
