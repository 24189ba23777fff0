"""The thresholds at which runs are compared."""

from __future__ import annotations

from collections.abc import Collection, Sequence

from gdexp.core import BadInput, validation
from gdexp.descent import GRADIENT_NORM, LOSS, THRESHOLDS, metric_thresholds
from gdexp.runs import TrackedRun


def wanted_thresholds(
    runs: Sequence[TrackedRun], own: Collection[float], given: Sequence[float]
) -> tuple[set[float], str]:
    """Return the thresholds of the hitting times, and the direction of what they are of.

    Args:
        runs: that are compared.
        own: their own thresholds.
        given: those that were asked; the usual ones are of losses and gradient norms.

    Raises:
        BadInput: a threshold is not a number above 0, or those of some runs are of the gradient
            norm, and those of others are not.
    """
    (metric, mode), *others = {(run.metric, run.mode) for run in runs}
    if others and GRADIENT_NORM in {run.metric for run in runs}:
        raise BadInput(
            "+compare",
            "",
            "some thresholds are of the gradient norm (stopping.measure), others are not: compare "
            "these runs apart",
        )
    if others or metric in (LOSS, GRADIENT_NORM):
        return {validation.positive("thresholds", each) for each in given}, "min"
    if tuple(given) == THRESHOLDS and own:
        return set(metric_thresholds(own, mode)), mode
    return {validation.number("thresholds", each) for each in given}, mode
