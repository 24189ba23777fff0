"""The pictures of a whole sweep, as PNG files."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

from gdexp.descent import Status
from gdexp.display import BLUE, GREY, ORANGE, figure_with_axes, png
from gdexp.sweeps.plan import LR
from gdexp.sweeps.results.sweep_result import SweepResult

if TYPE_CHECKING:
    from matplotlib.figure import Figure

    from gdexp.sweeps.plan import Plan

MARKERS = {
    Status.CONVERGED: "o",
    Status.MAX_ITERATIONS: "^",
    Status.CAPPED: "^",
    Status.STALLED: "s",
    Status.DIVERGED: "x",
    Status.BELOW_MINIMUM: "v",
}


def sweep_pictures(plan: Plan, result: SweepResult) -> Mapping[str, bytes]:
    """Return the pictures by file name; none without a finished trial."""
    if not result.trials:
        return {}
    drawn = {
        "fewest.png": png(_fewest(result)),
        "incumbent.png": png(_incumbent(result)),
    }
    if LR in plan.space.keys:
        drawn["iterations_by_lr.png"] = png(_by_learning_rate(plan, result))
    return drawn


def learning_rates(plan: Plan, result: SweepResult) -> list[float | None]:
    """Return the learning rate of each trial; None where it was not swept."""
    return [plan.space.by_key(trial.params).get(LR) for trial in result.trials]


def _by_learning_rate(plan: Plan, result: SweepResult) -> Figure:
    """Draw each trial's iterations over its learning rate on log axes, marked by status."""
    figure, axes = figure_with_axes(6.4, 4.0)
    rates = learning_rates(plan, result)
    for status, marker in MARKERS.items():
        points = [
            (rate, max(record.iterations, 0.5))
            for rate, record in zip(rates, result.records, strict=True)
            if rate is not None and record.status == status
        ]
        if points:
            lrs, iterations = zip(*points, strict=True)
            colour = BLUE if status == "converged" else ORANGE
            axes.scatter(
                lrs, iterations, marker=marker, s=22, alpha=0.7, color=colour, label=status
            )
    axes.set_xscale("log")
    axes.set_yscale("log")
    axes.set_xlabel("learning rate")
    axes.set_ylabel("iterations")
    axes.set_title(f"{plan.problem_name}: iterations by learning rate")
    axes.legend(frameon=False)
    return figure


def _fewest(result: SweepResult) -> Figure:
    """Draw the fewest iterations of the trials whose traces reach each threshold."""
    figure, axes = figure_with_axes(6.4, 3.6)
    reached = [(r.threshold, r.iterations) for r in result.thresholds if r.iterations is not None]
    if reached:
        thresholds, iterations = zip(*reached, strict=True)
        axes.plot(thresholds, iterations, marker="o", color=BLUE)
    axes.set_xscale("log")
    axes.invert_xaxis()
    axes.set_xlabel("threshold (tighter to the right)")
    axes.set_ylabel("iterations")
    axes.set_ylim(bottom=0)
    axes.set_title("fewest of the traces that reach each threshold")
    return figure


def _incumbent(result: SweepResult) -> Figure:
    """Draw the best hitting time so far over the gradient steps of all trials so far."""
    figure, axes = figure_with_axes(6.4, 3.6)
    spent, best, steps, values = 0, float("inf"), [], []
    for record in result.records:
        spent += record.steps
        best = min(best, record.hitting_time)
        steps.append(max(spent, 1))
        values.append(best)
    axes.step(steps, values, where="post", color=BLUE)
    axes.scatter(steps[-1:], values[-1:], color=GREY, s=18)
    axes.set_xscale("log")
    axes.set_xlabel("gradient steps spent")
    axes.set_ylabel("best hitting time so far")
    axes.set_title("what the sweep spent for its answer")
    return figure
