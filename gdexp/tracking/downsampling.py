"""Which losses of a long trace go to the metric history, which charts are drawn from."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np
import numpy.typing as npt

from gdexp.descent import Trace

FEWEST = 10
"""The smallest number that a trace can be thinned to."""


def kept_iterations(
    trace: Trace, points: int | None, levels: Iterable[float] = ()
) -> npt.NDArray[np.int64]:
    """The iterations whose losses are kept, in order.

    Always kept are the first and the last, those of the smallest and the largest loss, the first
    that is no number, and both sides of every crossing of a level; the rest are evenly spaced.

    Args:
        trace: the loss at iterations 0 … n, shape (n + 1,).
        points: how many to keep, more where the crossings alone are more; None keeps all.
        levels: losses whose crossings are kept.
    """
    count = len(trace)
    if points is None or count <= points:
        return np.arange(count)
    must = {0, count - 1}
    wrong = np.isnan(trace)
    if wrong.any():
        must.add(int(np.argmax(wrong)))
    if not wrong.all():
        must |= {int(np.nanargmin(trace)), int(np.nanargmax(trace))}
    kept = np.array(sorted(must), dtype=np.int64)
    for level in levels:
        within = trace <= level
        after = np.flatnonzero(within[1:] != within[:-1]) + 1
        kept = np.union1d(kept, np.concatenate([after - 1, after]))
    free = points - len(kept)
    if free > 0:  # of evenly spaced ones some are kept already: ask for as many as are left
        others = np.setdiff1d(np.arange(count), kept, assume_unique=True)
        chosen = np.linspace(0, len(others) - 1, free).round().astype(np.int64)
        kept = np.union1d(kept, others[chosen])
    return kept.astype(np.int64)
