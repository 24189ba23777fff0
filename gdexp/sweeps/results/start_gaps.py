"""The losses at the starts of a sweep's trials, to prove what holds for every one of them."""

from __future__ import annotations

import itertools
import math

import torch

from gdexp.core import GdexpError
from gdexp.descent import exact_arithmetic, starting_point
from gdexp.experiment import Experiment
from gdexp.sweeps.plan import Plan
from gdexp.sweeps.space import Dimension

MOST_STARTS = 200
"""The most starts that are computed."""

START_KEYS = ("problem", "seed", "dtype", "device")
"""The keys that decide the loss at the start."""


def has_one_start(plan: Plan) -> bool:
    """Return whether all trials begin at the same loss, so that one of them proves it for all."""
    return plan.descents == 1 and not any(map(_moves_start, plan.space.dimensions))


def largest_start_gap(plan: Plan) -> float:
    """Return the largest loss − f* at any start in the space.

    Infinite if it is not proven: the starts are too many or infinitely many, or one of them, or
    its loss, cannot be computed.
    """
    largest, computed = 0.0, 0
    try:
        for chosen in plan.space.combinations():
            own = plan.space.dimensions_with(chosen)
            lists = [_values(d) for d in own]
            computed += math.prod(map(len, lists)) * plan.descents
            if computed > MOST_STARTS or not all(lists):
                return math.inf
            for values in itertools.product(*lists):
                point = {**chosen, **{d.name: v for d, v in zip(own, values, strict=True)}}
                for experiment in plan.experiments(plan.space.encoded(point)):
                    gap = _start_gap(experiment)
                    largest = max(largest, gap if math.isfinite(gap) else math.inf)
    except GdexpError:
        return math.inf
    return largest


def _start_gap(experiment: Experiment) -> float:
    dtype, device, function = experiment.dtype, experiment.device, experiment.function
    if function is None:
        return math.inf
    with experiment.problem_errors(), torch.enable_grad(), exact_arithmetic(device):
        start = starting_point(function, experiment.seed)
        x = start.to(device=device, dtype=dtype).requires_grad_()
        return function.to(dtype, device).loss(x).item() - function.reference


def _moves_start(dimension: Dimension) -> bool:
    return dimension.key.partition(".")[0] in START_KEYS


def _values(dimension: Dimension) -> list[object]:
    """Return the values to compute starts with: one if the start does not depend on them."""
    if not _moves_start(dimension):
        return dimension.corners()[:1]
    listed = dimension.values()
    return [] if listed is None or len(listed) > MOST_STARTS else list(listed)
