"""The thresholds of a study's tables, and whether a larger one is tighter."""

from __future__ import annotations

from gdexp.descent import LOSS, MODES, THRESHOLDS, metric_thresholds
from gdexp.sweeps.plan import Plan

KEY = "stopping.threshold"


def study_thresholds(plan: Plan) -> tuple[float, ...]:
    """Return the thresholds of a study's tables, the loosest first.

    The usual ones of the loss; of another metric those around what the trials are asked for.
    """
    stopping = plan.base["stopping"]
    if stopping.get("metric", LOSS) == LOSS:
        return THRESHOLDS
    asked = [
        float(value) for d in plan.space.dimensions if d.key == KEY for value in d.corners()
    ] or [each for each in (stopping.get("threshold"),) if each is not None]
    return metric_thresholds(asked, MODES[study_sign(plan) < 0])


def study_sign(plan: Plan) -> int:
    """Return -1 where a larger threshold is tighter, as of a metric that is maximised; else 1."""
    stopping = plan.base["stopping"]
    if stopping.get("metric", LOSS) == LOSS:
        return 1
    if stopping.get("mode") is None:  # the user's class says it
        return plan.examples()[0].stopping.sign
    return -1 if stopping["mode"] == "max" else 1
