"""The report of a benchmark: one HTML file that needs no network."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from gdexp.comparison import (
    GREY,
    PALETTE,
    Chart,
    Series,
    Table,
    html_chart,
    html_table,
    report_page,
)
from gdexp.core import format_duration
from gdexp.suite.outcome import Outcome, Solver
from gdexp.suite.running_times import LEVEL, distribution, running_times
from gdexp.suite.tables import solver_rows
from gdexp.suite.targets import DECADES

HEADINGS = ("dimension", "solver", "targets met", "interval", "functions solved", "score")

EXPLANATION = (
    "A target is a distance from the minimum: 51 of them, from 100 to 1e-8. An evaluation is one "
    "loss with its gradient. “Targets met” is the share of function, instance, start and target "
    "that were met within the budget, with its bootstrap interval over the descents. A function "
    "is solved if a descent met 1e-8. The score is AlgoPerf's: the mean of the performance profile "
    "of expected running times over ratios from 1 to 4. A rule's learning rate is swept for each "
    "function, or one rate for all functions of a dimension (“one rate”), on other instances."
)


def solver_table(rows: Sequence[dict[str, Any]]) -> Table:
    """Return the solvers of each dimension, as text."""
    cells = [
        (
            str(row["dimension"]),
            str(row["solver"]),
            f"{row['targets_met']:.3f}",
            f"{row['low']:.3f}–{row['high']:.3f}",
            f"{row['functions_solved']}/{row['functions']}",
            f"{row['score']:.3f}",
        )
        for row in rows
    ]
    return Table(HEADINGS, cells)


def running_time_table(outcome: Outcome, dimension: int) -> Table:
    """Return the expected running times divided by the dimension, of each function and solver."""
    rows = []
    for function in outcome.functions:
        for solver in outcome.solvers:
            attempts = solver.of_dimension(dimension)[function]
            found = running_times(attempts, DECADES)
            times = (each.evaluations.value / dimension for each in found)
            rate = "" if attempts.rate is None else f"{attempts.rate:g}"
            met = f"{found[-1].successes}/{found[-1].descents}"
            rows.append((f"f{function}", solver.name, rate, *map(_number, times), met))
    targets = (f"{target:g}" for target in DECADES)
    return Table(("function", "solver", "rate", *targets, "met 1e-8"), rows)


def _number(value: float) -> str:
    return "-" if not np.isfinite(value) else f"{value:.3g}"


def distribution_chart(outcome: Outcome, dimension: int) -> Chart:
    """Return the empirical distribution of running times of every solver."""
    series = []
    rules = list(dict.fromkeys(solver.rule for solver in outcome.solvers))
    for solver in outcome.solvers:
        place = rules.index(solver.rule)
        colour = PALETTE[place] if place < len(PALETTE) else GREY
        found = distribution(solver.of_dimension(dimension), dimension, outcome.budget)
        x, y, name = found.budgets, found.share, solver.name
        if solver.rate_of == "dimension":
            series.append(Series(name, x, y, "dashes", colour))
        else:
            series.append(Series(name, x, y, "line", colour, low=found.low, high=found.high))
    return Chart(
        f"distribution-{dimension}",
        f"share of targets met, dimension {dimension}",
        "evaluations / dimension",
        "share of function, instance, start, target",
        series,
        x_log=True,
        share=True,
        note=f"Bands: {LEVEL:.0%} bootstrap intervals over descents. Dashes: one rate.",
    )


def report(name: str, outcome: Outcome) -> str:
    """Return the report as HTML."""
    charts = {n: distribution_chart(outcome, n) for n in outcome.dimensions}
    body = [
        f"<p>{EXPLANATION}</p>",
        f"<p class=note>Budget: {outcome.budget:,} evaluations × dimension. The descents took "
        f"{format_duration(outcome.seconds)}.</p>",
        "<h2>Solvers</h2>",
        html_table(solver_table(solver_rows(outcome))),
    ]
    for dimension in outcome.dimensions:
        body += [
            html_chart(charts[dimension]),
            f"<h2>Expected running time / dimension, dimension {dimension}</h2>",
            "<p class=note>All evaluations, those of failures included, over the successes, "
            "divided by the dimension; - was never met. The intervals are in running_times.csv."
            "</p>",
            html_table(running_time_table(outcome, dimension)),
        ]
    return report_page("gdexp benchmark, bbob", name, "\n".join(body), [*charts.values()])


def file_name(solver: Solver) -> str:
    """Return a solver's name as the name of a folder."""
    kept = "".join(letter if letter.isalnum() or letter in "=._" else "-" for letter in solver.name)
    return "-".join(filter(None, kept.split("-")))
