"""The readings of a trial as its pruner sees them: steps and values.

A step counts the updates of the trial. The seeds of a trial run one after the other: the steps of
the second begin where those of the first end if it makes all its updates. A value is the metric's
mean over the seeds that have run, of each its last reading, and of the one that runs its present
reading. So every seed counts in it as it does in the objective.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from gdexp.core import BadInput
from gdexp.descent import LOSS, Result


class Reading(NamedTuple):
    """One reading of a trial.

    Attributes:
        step: the updates of the trial.
        value: of the metric; smaller or larger is better.
    """

    step: int
    value: float


Readings = Sequence[Reading]


def seed_readings(result: Result, metric: str, before: Sequence[float] = ()) -> list[Reading]:
    """Return the readings of a seed of a trial: those that its monitor heard, and its end.

    Args:
        result: of the seed.
        metric: that is read.
        before: the last readings of the seeds before it.
    """
    try:
        curve, stopping = result.curve(metric), result.stopping
    except BadInput:  # no evaluation returned it
        return []
    if metric == LOSS:
        curve = curve[: result.iterations + 1]  # where it went on, nothing was heard any more
        last = len(curve) - 1
        curve = curve[sorted({*range(0, last + 1, stopping.every), last})]
    first = len(before) * stopping.max_iterations
    return [
        Reading(first + int(iteration), mean([*before, value]))
        for iteration, value in curve.tolist()
        if iteration > 0 or not before
    ]


def last_reading(result: Result, metric: str) -> float:
    """Return the reading of a metric at the end of a result; NaN where there is none."""
    if metric == LOSS:
        return result.final_loss
    try:
        values = result.curve(metric)[:, 1]
    except BadInput:
        return math.nan
    return float(values[-1]) if values.size else math.nan


def mean(values: Sequence[float]) -> float:
    """Return the mean; of one value itself."""
    return values[0] if len(values) == 1 else float(np.mean(values))
