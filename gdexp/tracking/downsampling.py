"""The choice of losses of a long trace for the metric history, from which charts are drawn."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np
import numpy.typing as npt

from gdexp.descent import Trace

FEWEST = 10
"""The smallest number of losses that may be kept."""


def kept_iterations(
    trace: Trace, points: int | None, levels: Iterable[float] = ()
) -> npt.NDArray[np.int64]:
    """Return the iterations whose losses are kept, in order.

    These are always kept: the first and the last iteration, those of the smallest and the largest
    loss, the first NaN, and both sides of every crossing of a level. The rest are evenly spaced.

    Args:
        trace: the loss at iterations 0 … n, shape (n + 1,).
        points: how many to keep; more are kept where there are more crossings. None keeps all.
        levels: losses whose crossings are kept.
    """
    count = len(trace)
    if points is None or count <= points:
        return np.arange(count)
    needed = {0, count - 1}
    missing = np.isnan(trace)
    if missing.any():
        needed.add(int(np.argmax(missing)))
    if not missing.all():
        needed |= {int(np.nanargmin(trace)), int(np.nanargmax(trace))}
    kept = np.array(sorted(needed), dtype=np.int64)
    for level in levels:
        within = trace <= level
        after = np.flatnonzero(within[1:] != within[:-1]) + 1
        kept = np.union1d(kept, np.concatenate([after - 1, after]))
    free = points - len(kept)
    if free > 0:  # choose among the others only: some of all would be kept already
        others = np.setdiff1d(np.arange(count), kept, assume_unique=True)
        chosen = np.linspace(0, len(others) - 1, free).round().astype(np.int64)
        kept = np.union1d(kept, others[chosen])
    return kept.astype(np.int64)


def kept_points(points: npt.NDArray[np.float64], most: int | None) -> npt.NDArray[np.float64]:
    """Return a curve with at most so many points, the first and the last among them.

    Args:
        points: updates and values, shape (points, 2).
        most: how many to keep; None keeps all.
    """
    if most is None or len(points) <= most:
        return points
    return points[np.linspace(0, len(points) - 1, most).round().astype(np.int64)]
