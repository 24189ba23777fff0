"""The trials that no other trial beats in both threshold and hitting time."""

from __future__ import annotations

import math
from collections.abc import Sequence


def non_dominated(points: Sequence[tuple[float, float]]) -> list[int]:
    """The Pareto front of trials, both numbers minimised.

    A point is on it unless another is no larger in both numbers and smaller in one; of equal
    points the first is. It takes one sort (H. T. Kung, F. Luccio, F. P. Preparata, On finding
    the maxima of a set of vectors, 1975, for two dimensions).

    Args:
        points: threshold and hitting time of each trial, in the order of the trials; infinity
            is a value like others, a point with a value that is not a number is left out.

    Returns:
        Positions in `points`, thresholds rising and hitting times falling strictly.
    """
    known = [i for i, point in enumerate(points) if not any(map(math.isnan, point))]
    chosen: list[int] = []
    for i in sorted(known, key=lambda i: (points[i], i)):
        if not chosen or points[i][1] < points[chosen[-1]][1]:
            chosen.append(i)
    return chosen
