"""The best trial on each of several problems (`sweep.problems`)."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from rich.table import Table

from gdexp.core import csv_bytes
from gdexp.display import terminal
from gdexp.sweeps.plan import Plan
from gdexp.sweeps.study import TrialRecord, geometric_mean
from gdexp.tracking import escape_markdown

if TYPE_CHECKING:
    from optuna.trial import FrozenTrial

    from gdexp.sweeps.results.sweep_result import SweepResult

COLUMNS = ("problem", "iterations", "successes", "fewest", "fewest_trial", "ratio")
NOTE = "The best trial on each problem; fewest is of any trial of this sweep there."


@dataclass(frozen=True)
class ProblemRow:
    """The best trial on one problem.

    Attributes:
        problem: its name.
        iterations: that it needs there, over the seeds that converged.
        successes: the seeds that converged.
        fewest: of all trials there.
        fewest_trial: that trial.
        ratio: of the two, each taken for 1 if it is smaller.
    """

    problem: str
    iterations: float
    successes: int
    fewest: float
    fewest_trial: int
    ratio: float


def problem_rows(plan: Plan, result: SweepResult) -> list[ProblemRow]:
    """Return a row for each problem; none without a best trial, or with one problem."""
    if result.best_trial is None or len(plan.problems) < 2:
        return []
    counted = [
        (trial.number, list(_counts(record)))
        for trial, record in zip(result.trials, result.records, strict=True)
        if record.each is not None
    ]
    own = list(_counts(result.best_trial[1]))
    rows = []
    for at, problem in enumerate(plan.problems):
        known = [(counts[at][0], number) for number, counts in counted]
        fewest, number = min((count, number) for count, number in known if count is not None)
        iterations, successes = own[at]
        assert iterations is not None, "the best trial solves every problem"
        ratio = max(iterations, 1.0) / max(fewest, 1.0)
        rows.append(ProblemRow(problem.name, iterations, successes, fewest, number, ratio))
    return rows


def _counts(record: TrialRecord) -> Iterator[tuple[float | None, int]]:
    """Yield the expected iterations of a trial on each problem, and its successes."""
    seeds = len(record.counts) // len(record.each or (0,))
    for at, successes in enumerate(record.solved):
        spent = sum(record.counts[at * seeds : (at + 1) * seeds])
        yield (spent / successes if successes else None), successes


def problem_table(rows: list[ProblemRow]) -> Table:
    """Return the table for the terminal."""
    table = Table(box=None, padding=(0, 1), header_style="bold")
    table.add_column("problem")
    for heading in ("iterations", "fewest", "of trial", "ratio"):
        table.add_column(heading, justify="right")
    for each in rows:
        table.add_row(terminal.escape_text(each.problem), *_cells(each))
    table.add_row("geometric mean", *_mean_cells(rows))
    return table


def problem_markdown(rows: list[ProblemRow]) -> list[str]:
    """Return the same as lines of Markdown."""
    if not rows:
        return []
    lines = [f"| {' | '.join([escape_markdown(each.problem), *_cells(each)])} |" for each in rows]
    return [
        NOTE,
        "",
        "| problem | iterations | fewest | of trial | ratio |",
        "|---|---|---|---|---|",
        *lines,
        f"| {' | '.join(['geometric mean', *_mean_cells(rows)])} |",
        "",
    ]


def problems_csv(
    name: str, plan: Plan, trials: Iterable[tuple[FrozenTrial, TrialRecord]]
) -> dict[str, bytes]:
    """Return the file of all trials on each problem by this name; nothing with one problem."""
    if len(plan.problems) < 2:
        return {}
    rows: list[list[object]] = [["trial", "problem", "iterations", "successes", "told"]]
    for trial, record in trials:
        if record.each is None:
            continue
        for problem, (count, successes), told in zip(
            plan.problems, _counts(record), record.each, strict=True
        ):
            rows.append([trial.number, problem.name, count, successes, told])
    return {name: csv_bytes(rows)}


def problem_fields(rows: list[ProblemRow]) -> list[dict[str, Any]]:
    """Return the rows as plain values."""
    return [{column: getattr(each, column) for column in COLUMNS} for each in rows]


def _cells(each: ProblemRow) -> list[str]:
    counts = f"{each.iterations:,.6g}", f"{each.fewest:,.6g}"
    return [*counts, str(each.fewest_trial), f"{each.ratio:.3g}"]


def _mean_cells(rows: list[ProblemRow]) -> list[str]:
    own, fewest = [each.iterations for each in rows], [each.fewest for each in rows]
    ratio = geometric_mean([each.ratio for each in rows])
    return [f"{geometric_mean(own):,.6g}", f"{geometric_mean(fewest):,.6g}", "", f"{ratio:.3g}"]
