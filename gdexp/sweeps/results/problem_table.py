"""The best trial on each of several problems (`sweep.problems`)."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from rich.table import Table

from gdexp.core import csv_bytes
from gdexp.descent import Status
from gdexp.display import terminal
from gdexp.sweeps.means import geometric_mean
from gdexp.sweeps.objective import HITTING_TIME
from gdexp.sweeps.plan import Plan
from gdexp.sweeps.results.best_known import (
    BestKnown,
    best_known,
    closed_form_note,
    counted_name,
    least_count,
    mean_ratio,
)
from gdexp.sweeps.study import TrialRecord
from gdexp.tracking import escape_markdown

if TYPE_CHECKING:
    from optuna.trial import FrozenTrial

TITLE = "The best trial on each problem, beside the best known count there:"
COLUMNS = ("problem", "iterations", "successes", "told", "ended", "at_least", "best_known", "ratio")


@dataclass(frozen=True)
class ProblemRow:
    """The best trial on one problem.

    Attributes:
        problem: its name.
        iterations: that it needs there, over the seeds that converged.
        successes: the seeds that converged.
        count: what is minimised: the iterations, or what `sweep.cost` says.
        fewest: the smallest of all trials there.
        fewest_trial: that trial.
        best_known: the best known count there.
        best_known_from: `given`, `closed form`, or a trial.
        ratio: of count and best known, each taken for 1 if it is smaller.
    """

    problem: str
    iterations: float
    successes: int
    count: float
    fewest: float
    fewest_trial: int
    best_known: float
    best_known_from: str
    ratio: float


@dataclass(frozen=True)
class _OnProblem:
    """A trial on one problem.

    Attributes:
        iterations: the expected ones; None where no seed converged.
        successes: the seeds that converged.
        told: what Optuna is told of it, or would be of this problem alone.
        ended: its status there; None where not known.
        at_least: the fewest iterations that it can need, where all its descents were censored.
    """

    iterations: float | None
    successes: int
    told: float
    ended: str | None
    at_least: float | None


def problem_rows(
    plan: Plan, trials: Sequence[FrozenTrial], records: Sequence[TrialRecord], best: int | None
) -> list[ProblemRow]:
    """Return a row for each problem; none without a best trial, or with one problem.

    Args:
        plan: of the sweep.
        trials: the finished ones.
        records: of the trials.
        best: position of the best one.
    """
    if best is None or len(plan.problems) < 2:
        return []
    counted = [
        (trial.number, [_counted(plan, each) for each in _on_problems(record)])
        for trial, record in zip(trials, records, strict=True)
        if record.each is not None
    ]
    rows = []
    for at, (problem, own) in enumerate(
        zip(plan.problems, _on_problems(records[best]), strict=True)
    ):
        known = [(counts[at], number) for number, counts in counted]
        fewest, number = min((count, number) for count, number in known if count is not None)
        of_trials = BestKnown(fewest, f"trial {number}")
        found = best_known(plan, problem, trials[best].params, of_trials)
        count = _counted(plan, own)
        assert found is not None, "the trials know one"
        assert own.iterations is not None, "the best trial solves every problem"
        assert count is not None, "so it has a count"
        ratio = found.ratio(count, least_count(plan))
        needed = own.iterations, own.successes, count
        rows.append(
            ProblemRow(problem.name, *needed, fewest, number, found.count, found.source, ratio)
        )
    return rows


def _counted(plan: Plan, own: _OnProblem) -> float | None:
    """Return what is minimised on one problem; None where no seed converged."""
    if own.iterations is None or plan.objectives[0].kind == HITTING_TIME:
        return own.iterations
    return own.told


def _on_problems(record: TrialRecord) -> list[_OnProblem]:
    """Return what is known of a trial on each problem."""
    told = record.each or ()
    seeds = len(record.counts) // (len(told) or 1)
    ends = record.ends or (None,) * len(told)
    if record.status == Status.CONVERGED:
        ends = (str(Status.CONVERGED),) * len(told)
    found = []
    for at, (successes, value, ended) in enumerate(zip(record.solved, told, ends, strict=True)):
        spent = sum(record.counts[at * seeds : (at + 1) * seeds])
        censored = not successes and ended is not None and not Status(ended).hopeless
        found.append(
            _OnProblem(
                spent / successes if successes else None,
                successes,
                value,
                ended,
                spent / seeds + 1 if censored else None,
            )
        )
    return found


def problem_facts(plan: Plan, rows: Sequence[ProblemRow]) -> list[tuple[str, str]]:
    """Return the line of the report that holds what is minimised."""
    mean = mean_ratio([each.ratio for each in rows])
    if mean is None:
        return []
    what = f"the best known {counted_name(plan)}"
    return [("ratio", f"{mean:.4g} × {what}, as the geometric mean over {len(rows)} problems")]


def problem_table(plan: Plan, rows: Sequence[ProblemRow]) -> Table:
    """Return the table for the terminal."""
    table = Table(box=None, padding=(0, 1), header_style="bold")
    table.add_column("problem")
    for heading in _headings(plan):
        table.add_column(heading, justify="right")
    for each in rows:
        table.add_row(terminal.escape_text(each.problem), *_cells(each))
    table.add_row("geometric mean", *_mean_cells(plan, rows))
    return table


def problem_markdown(plan: Plan, rows: Sequence[ProblemRow]) -> list[str]:
    """Return the same as lines of Markdown."""
    if not rows:
        return []
    lines = [f"| {' | '.join([escape_markdown(each.problem), *_cells(each)])} |" for each in rows]
    return [
        TITLE,
        "",
        f"| {' | '.join(['problem', *_headings(plan)])} |",
        "|---|---|---|---|---|",
        *lines,
        f"| {' | '.join(['geometric mean', *_mean_cells(plan, rows)])} |",
        "",
        *(f"{note}\n" for note in closed_form_note(each.best_known_from for each in rows)),
    ]


def problems_csv(
    name: str,
    plan: Plan,
    trials: Iterable[tuple[FrozenTrial, TrialRecord]],
    best: Sequence[ProblemRow],
) -> dict[str, bytes]:
    """Return the file of all trials on each problem by this name; nothing with one problem.

    Args:
        name: of the file.
        plan: of the sweep.
        trials: the finished ones, with their records.
        best: the rows of the best trial; none without one.
    """
    if len(plan.problems) < 2:
        return {}
    known = [BestKnown(row.best_known, row.best_known_from) for row in best]
    rows: list[list[object]] = [["trial", *COLUMNS]]
    for trial, record in trials:
        for at, own in enumerate(_on_problems(record)):
            values = [own.iterations, own.successes, own.told, own.ended, own.at_least]
            count = _counted(plan, own)
            ratio = (
                known[at].ratio(count, least_count(plan)) if known and count is not None else None
            )
            best_count = known[at].count if known else None
            rows.append([trial.number, plan.problems[at].name, *values, best_count, ratio])
    return {name: csv_bytes(rows)}


def problem_fields(rows: Sequence[ProblemRow]) -> list[dict[str, Any]]:
    """Return the rows as plain values."""
    return [dict(vars(each)) for each in rows]


def _headings(plan: Plan) -> list[str]:
    return [counted_name(plan), "best known", "from", "ratio"]


def _cells(each: ProblemRow) -> list[str]:
    counts = f"{each.count:,.6g}", f"{each.best_known:,.6g}"
    return [*counts, each.best_known_from, f"{each.ratio:.4g}"]


def _mean_cells(plan: Plan, rows: Sequence[ProblemRow]) -> list[str]:
    least = least_count(plan)
    own = geometric_mean([each.count for each in rows], least)
    best = geometric_mean([each.best_known for each in rows], least)
    return [f"{own:,.6g}", f"{best:,.6g}", "", f"{mean_ratio([each.ratio for each in rows]):.4g}"]
