"""What trials of another application have beside hitting times: metrics, and their curves."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from gdexp.comparison.figure_model import Floats
from gdexp.comparison.formatting import text
from gdexp.config import APPLICATION
from gdexp.descent import LOSS
from gdexp.runs import BEST_FIRST_TAG, DESCENDING, TrackedRun

RETURNED = "returned"
SUMMED_UP = ("best/", "last/")
GAP = "loss - f*"


def reported_metrics(runs: Sequence[TrackedRun]) -> list[str]:
    """Return the metrics that other applications returned or reported: of each the best and last.

    What ranks the trials of a sweep comes first.
    """
    names = dict.fromkeys(filter(None, (ranking_metric(run)[0] for run in runs)))
    for run in runs:
        if run.values.get("problem.name") != APPLICATION:
            continue
        for name in sorted(run.metrics):
            summed_up = name.startswith(SUMMED_UP) and RETURNED not in name
            if summed_up or name.startswith(RETURNED):
                names.setdefault(name)
    return list(names)


def ranking_metric(run: TrackedRun) -> tuple[str, bool]:
    """Return the metric that ranks the trials of a run's sweep, and whether its largest is best.

    The name is empty where hitting times rank them.
    """
    order = "" if run.sweep is None else run.sweep.tags.get(BEST_FIRST_TAG, "")
    metric, _, direction = order.rpartition(" ")
    return metric, direction == DESCENDING


def value_text(run: TrackedRun) -> str:
    """Return the value that ranks a run: `returned = 0.25`; empty where hitting times do."""
    metric, _ = ranking_metric(run)
    return f"{metric} = {text(run.metrics[metric])}" if metric in run.metrics else ""


def curve_name(runs: Sequence[TrackedRun]) -> str:
    """Return what the curves show: the loss, its gap where problems have an f*, or a metric."""
    if not all(run.is_training for run in runs):
        return GAP
    if any(run.trace.size for run in runs):
        return LOSS
    return next(filter(None, map(_shown, runs)), LOSS)


def has_curves(runs: Sequence[TrackedRun]) -> bool:
    """Return whether any run has losses or readings over its iterations."""
    return not all(run.is_training for run in runs) or any(
        run.trace.size or _shown(run) is not None for run in runs
    )


def curve(run: TrackedRun) -> Floats:
    """Return what the curve of a run shows at iterations 0 … n.

    The gaps of its losses; where it has no losses the readings of its metric, each held until the
    next one. NaN before the first reading.
    """
    if run.trace.size or not run.is_training:
        return run.gaps
    found = np.full(run.updates + 1, np.nan)
    metric = _shown(run)
    if metric is None:
        return found
    steps, values = run.readings[metric].T
    place = np.searchsorted(steps, np.arange(run.updates + 1), side="right") - 1
    found[place >= 0] = values[place[place >= 0]]
    return found


def _shown(run: TrackedRun) -> str | None:
    """Return the metric whose readings are drawn: that of its threshold, else the first one."""
    names = [name for name in run.readings if not name.startswith(RETURNED)]
    return run.metric if run.metric in names else next(iter(names), None)
