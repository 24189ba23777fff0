"""The losses at the starts of a sweep's trials, to prove what holds for every one of them."""

from __future__ import annotations

import itertools
import math

from gdexp.core import GdexpError
from gdexp.sweeps.plan import Plan
from gdexp.sweeps.space import Dimension

MOST_STARTS = 200
"""The most starts that are computed."""

START_KEYS = ("problem", "seed", "dtype", "device")
"""The keys that decide the loss at the start."""


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
            computed += math.prod(map(len, lists)) * plan.settings.seeds
            if computed > MOST_STARTS or not all(lists):
                return math.inf
            for values in itertools.product(*lists):
                point = {**chosen, **{d.name: v for d, v in zip(own, values, strict=True)}}
                for experiment in plan.experiments(plan.space.encoded(point)):
                    start = float(experiment.with_cap(0).run().trace[0])
                    gap = start - experiment.problem.reference
                    largest = max(largest, gap if math.isfinite(gap) else math.inf)
    except GdexpError:
        return math.inf
    return largest


def _values(dimension: Dimension) -> list[object]:
    """Return the values to compute starts with: one if the start does not depend on them."""
    if dimension.key.partition(".")[0] not in START_KEYS:
        return dimension.corners()[:1]
    listed = dimension.values()
    return [] if listed is None or len(listed) > MOST_STARTS else list(listed)
