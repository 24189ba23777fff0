"""The report of a benchmark: one HTML file that needs no network."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
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
from gdexp.suite.profile_bands import Band, Profiles
from gdexp.suite.running_times import LEVEL, distribution, running_times
from gdexp.suite.targets import DECADES

HEADINGS = (
    "solver",
    "dimension",
    "targets met",
    "interval",
    "functions solved",
    "score",
    "its interval",
)

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
            str(row["solver"]),
            str(row["dimension"]),
            f"{row['targets_met']:.3f}",
            f"{row['low']:.3f}–{row['high']:.3f}",
            f"{row['functions_solved']}/{row['functions']}",
            f"{row['score']:.3f}",
            f"{row['score_low']:.3f}–{row['score_high']:.3f}",
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
            rows.append((solver.name, f"f{function}", rate, *map(_number, times), met))
    targets = (f"{target:g}" for target in DECADES)
    return Table(("solver", "function", "rate", *targets, "met 1e-8"), rows)


def _number(value: float) -> str:
    return "-" if not np.isfinite(value) else f"{value:.3g}"


def charts(outcome: Outcome, dimension: int) -> list[Chart]:
    """Return the distribution of running times and both profiles of every solver."""
    profiles = Profiles(outcome, dimension)
    most = outcome.budget
    distributions = {
        solver.name: distribution(solver.of_dimension(dimension), dimension, most)
        for solver in outcome.solvers
    }
    note = f"Bands: {LEVEL:.0%} bootstrap intervals over descents. Dashes: one rate."
    tasks = f"{note} A task is a function with a target of 10, 1, …, 1e-8."
    return [
        _chart(
            outcome,
            {name: Band(d.budgets, d.share, d.low, d.high) for name, d in distributions.items()},
            f"distribution-{dimension}",
            f"share of targets met, dimension {dimension}",
            ("evaluations / dimension", "share of function, instance, start, target"),
            note,
        ),
        _chart(
            outcome,
            profiles.performance(),
            f"performance-{dimension}",
            f"performance profile (Dolan and Moré 2002), dimension {dimension}",
            ("expected running time relative to the fastest solver", "share of tasks"),
            tasks,
        ),
        _chart(
            outcome,
            profiles.data(),
            f"data-{dimension}",
            f"data profile (Moré and Wild 2009), dimension {dimension}",
            ("expected running time / (dimension + 1)", "share of tasks"),
            tasks,
        ),
    ]


def _chart(
    outcome: Outcome,
    bands: Mapping[str, Band],
    name: str,
    title: str,
    labels: tuple[str, str],
    note: str,
) -> Chart:
    series = []
    rules = list(dict.fromkeys(solver.rule for solver in outcome.solvers))
    for solver in outcome.solvers:
        place, band = rules.index(solver.rule), bands[solver.name]
        colour = PALETTE[place] if place < len(PALETTE) else GREY
        if solver.rate_of == "dimension":
            series.append(Series(solver.name, band.x, band.share, "dashes", colour))
        else:
            line = Series(
                solver.name, band.x, band.share, "line", colour, low=band.low, high=band.high
            )
            series.append(line)
    return Chart(name, title, *labels, series, x_log=True, share=True, note=note)


def report(name: str, outcome: Outcome, solvers: Sequence[dict[str, Any]]) -> str:
    """Return the report as HTML.

    Args:
        name: of the benchmark.
        outcome: of it.
        solvers: the rows of its solvers.
    """
    drawn = {n: charts(outcome, n) for n in outcome.dimensions}
    body = [
        f"<p>{EXPLANATION}</p>",
        f"<p class=note>Budget: {outcome.budget:,} evaluations × dimension. The descents took "
        f"{format_duration(outcome.seconds)}.</p>",
        "<h2>Solvers</h2>",
        html_table(solver_table(solvers)),
    ]
    for dimension in outcome.dimensions:
        body += [
            *map(html_chart, drawn[dimension]),
            f"<h2>Expected running time / dimension, dimension {dimension}</h2>",
            "<p class=note>All evaluations, those of failures included, over the successes, "
            "divided by the dimension; - was never met. The intervals are in running_times.csv."
            "</p>",
            html_table(running_time_table(outcome, dimension)),
        ]
    return report_page(
        "gdexp benchmark, bbob",
        name,
        "\n".join(body),
        [each for some in drawn.values() for each in some],
    )


def file_name(solver: Solver) -> str:
    """Return a solver's name as the name of a folder."""
    kept = "".join(letter if letter.isalnum() or letter in "=._" else "-" for letter in solver.name)
    return "-".join(filter(None, kept.split("-")))
