"""The targets of COCO: distances from the minimum at which running times are read."""

from __future__ import annotations

import math
from collections.abc import Sequence

TARGETS: tuple[float, ...] = tuple(float(f"{10 ** (k / 5):.10g}") for k in range(10, -41, -1))
"""51 values of f(x) − f*, from 100 down to 1e-8, five in each factor of 10.

N. Hansen et al., COCO: performance assessment, arXiv:1605.03560, section 4.
"""

DECADES: tuple[float, ...] = TARGETS[::5]
"""100, 10, …, 1e-8: those that tables show."""

PRECISION = TARGETS[-1]
"""The last target: a descent that is within it has converged."""


def evaluations_to(events: Sequence[tuple[int, float]], target: float) -> float:
    """Return the evaluations until a target was first met; inf where it was not.

    Args:
        events: evaluations and gaps of the points that came below a target for the first time,
            in their order.
        target: the largest gap that meets it.
    """
    return next((count for count, gap in events if gap <= target), math.inf)
