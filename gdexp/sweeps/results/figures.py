"""The pictures of a whole sweep, as PNG files."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING

from gdexp.descent import Status
from gdexp.display import BLUE, GREY, LIGHT_BLUE, LIGHT_ORANGE, Chart
from gdexp.sweeps.plan import LR
from gdexp.sweeps.results.sweep_result import SweepResult
from gdexp.sweeps.results.threshold_table import cost_name

if TYPE_CHECKING:
    from gdexp.sweeps.plan import Plan

MARKERS = {
    Status.CONVERGED: "o",
    Status.MAX_ITERATIONS: "^",
    Status.CAPPED: "^",
    Status.STALLED: "s",
    Status.DIVERGED: "x",
    Status.BELOW_MINIMUM: "v",
    Status.PRUNED: "^",
    Status.PLATEAU: "s",
    Status.OUT_OF_TIME: "^",
    Status.MAX_EPOCHS: "^",
    Status.FINISHED: "o",
}

MANY_TIMES = 20
"""A value that shrinks by more has a log axis."""


def sweep_pictures(plan: Plan, result: SweepResult) -> Mapping[str, bytes]:
    """Return the pictures by file name; none without a finished trial."""
    if not result.trials:
        return {}
    drawn = {
        "fewest.png": _fewest(plan, result),
        "incumbent.png": _incumbent(plan, result),
    }
    if LR in plan.space.keys:
        drawn["iterations_by_lr.png"] = _by_learning_rate(plan, result)
    return drawn


def learning_rates(plan: Plan, result: SweepResult) -> list[float | None]:
    """Return the learning rate of each trial; None where it was not swept."""
    return [plan.space.by_key(trial.params).get(LR) for trial in result.trials]


def _by_learning_rate(plan: Plan, result: SweepResult) -> bytes:
    """Draw each trial's iterations over its learning rate on log axes, marked by status.

    With ten seeds or more a grey line is the 95 % interval of the expected running time.
    """
    chart = Chart(
        6.4,
        4.0,
        title=f"{plan.problem_name}: iterations by learning rate",
        x_label="learning rate",
        y_label="iterations",
        x_log=True,
        y_log=True,
    )
    rates = learning_rates(plan, result)
    for rate, low, high in _intervals(result, rates):
        chart.line([rate, rate], [max(low, 0.5), max(high, 0.5)], GREY)
    for status, marker in MARKERS.items():
        points = [
            (rate, max(record.iterations, 0.5))
            for rate, record in zip(rates, result.records, strict=True)
            if rate is not None and record.status == status
        ]
        if points:
            lrs, iterations = zip(*points, strict=True)
            colour = LIGHT_BLUE if status == "converged" else LIGHT_ORANGE
            chart.marks(lrs, iterations, colour, marker, label=status)
    return chart.png()


def _intervals(
    result: SweepResult, rates: Sequence[float | None]
) -> Iterator[tuple[float, float, float]]:
    """Yield learning rate and finite 95 % interval of each trial that has them."""
    if result.evidence is None:
        return
    by_number = {trial.number: rate for trial, rate in zip(result.trials, rates, strict=True)}
    for each in (result.evidence.best, *result.evidence.others):
        rate = by_number[each.trial]
        if rate is None or each.low is None or each.high is None or math.isinf(each.high):
            continue
        yield rate, each.low, each.high


def _fewest(plan: Plan, result: SweepResult) -> bytes:
    """Draw the least count of the trials whose traces reach each threshold."""
    chart = Chart(
        6.4,
        3.6,
        title="fewest of the traces that reach each threshold",
        x_label="threshold (tighter to the right)",
        y_label=cost_name(plan),
        x_log=True,
        x_inverted=True,
        y_floor=0,
    )
    reached = [(row.threshold, row.count) for row in result.thresholds if row.count is not None]
    if reached:
        thresholds, counts = zip(*reached, strict=True)
        chart.line(thresholds, counts, BLUE, marker="o")
    return chart.png()


def _incumbent(plan: Plan, result: SweepResult) -> bytes:
    """Draw the best value so far over the gradient steps of all trials so far."""
    first = plan.objectives[0]
    spent, best, steps, values = 0, first.worst, [], []
    for record in result.records:
        spent += record.steps
        told = record.told(len(plan.objectives))[0]
        if not record.is_estimate and first.signed(told) < first.signed(best):
            best = told
        if math.isfinite(best):
            steps.append(float(max(spent, 1)))
            values.append(best)
    chart = Chart(
        6.4,
        3.6,
        title="what the sweep spent for its answer",
        x_label="gradient steps spent",
        y_label=f"best {first.title} so far",
        x_log=True,
        y_log=bool(values) and min(values) > 0 and max(values) > MANY_TIMES * min(values),
    )
    if not steps:
        return chart.png()
    chart.steps(steps, values, BLUE)
    chart.marks(steps[-1:], values[-1:], GREY)
    return chart.png()
