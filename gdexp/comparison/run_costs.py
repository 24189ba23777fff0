"""What tracked runs cost until an iterate: iterations, gradients, losses or seconds."""

from __future__ import annotations

import math
from collections.abc import Sequence

from gdexp.core import BadInput, validation
from gdexp.descent import COSTS, EVALUATIONS, GRADIENTS, ITERATIONS, SECONDS, cost_at_time
from gdexp.runs import TrackedRun, UnreadableRun

NAMES = {GRADIENTS: "gradient evaluations", EVALUATIONS: "loss evaluations"}
"""The words for costs that are counted in evaluations."""

METRICS = {GRADIENTS: "gradient_evaluations", EVALUATIONS: "loss_evaluations", SECONDS: "seconds"}
"""The recorded metric of each cost but the iterations."""


def check_cost(cost: str, runs: Sequence[TrackedRun]) -> str:
    """Return a cost that all runs have recorded.

    Raises:
        BadInput: there is no such cost, or a run has not recorded it.
    """
    validation.choice("compare.cost", cost, COSTS)
    for run in runs:
        if cost != ITERATIONS and not math.isfinite(run.metrics.get(METRICS[cost], math.nan)):
            missing = f"run {run.short} has not recorded its {cost_name(cost)}"
            raise BadInput("compare.cost", cost, f"{missing}: leave it out, or give {ITERATIONS}")
        try:
            _ = run.evaluations if cost in NAMES else None
        except UnreadableRun as error:
            raise BadInput("compare.cost", cost, f"run {run.short}: {error}") from None
    return cost


def cost_name(cost: str) -> str:
    """Return a cost in words."""
    return NAMES.get(cost, cost)


def cost_at(run: TrackedRun, cost: str, iteration: int) -> float:
    """Return what it cost a run to come to an iterate and to know its loss.

    Counts are those that were recorded until each iterate; where none were there is one loss for
    each iterate. Gradients are counted at every loss, or at every iterate with an update, as the
    run's total says. Seconds are shared out over the updates.
    """
    if cost == ITERATIONS:
        return iteration
    total = run.metrics[METRICS[cost]]
    if cost == SECONDS:
        return total * iteration / max(run.updates, 1)
    counts = run.evaluations
    made = iteration + 1 if counts is None else int(counts[iteration])
    if cost == EVALUATIONS or total == run.metrics[METRICS[EVALUATIONS]]:
        return made
    return iteration


def hitting_cost(run: TrackedRun, cost: str, time: float) -> float:
    """Return the cost of a hitting time, interpolated between two iterates as the time is."""
    if cost == ITERATIONS:
        return time
    return cost_at_time(time, lambda iteration: cost_at(run, cost, iteration))


def hitting_costs(run: TrackedRun, cost: str, thresholds: Sequence[float]) -> list[float | None]:
    """Return the costs of the hitting times at thresholds; None: failed or censored."""
    times = run.hitting_times(thresholds)
    return [None if time is None else hitting_cost(run, cost, time) for time in times]


def least_costs(run: TrackedRun, cost: str, thresholds: Sequence[float]) -> list[float | None]:
    """Return the least that thresholds can cost where a run was not continued; else None.

    One evaluation more than was made at least, and longer.
    """
    bounds = run.censoring_bounds(thresholds)
    if cost == ITERATIONS:
        return list(bounds)
    made = cost_at(run, cost, run.updates)
    least = made if cost == SECONDS else made + 1
    return [None if bound is None else least for bound in bounds]
