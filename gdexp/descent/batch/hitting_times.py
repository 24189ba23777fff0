"""The hitting times of many descents: `crossing` and `projection` by columns.

The same operations in the same order, so the same bits as for one descent; logarithms are those of
the engine.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from functools import partial

import numpy as np
import numpy.typing as npt

from gdexp.descent.batch.hyperparameters import distinct
from gdexp.descent.stopping import PENALTY, Stopping

Floats = npt.NDArray[np.float64]
Integers = npt.NDArray[np.int64]
Chosen = npt.NDArray[np.bool_]
Axis = Callable[[Floats], Floats]


def python_logarithms(values: Floats) -> Floats:
    """Return Python's logarithms: those of numpy may differ in the last bit."""
    return np.array(list(map(math.log, values.tolist())), dtype=np.float64)


def hitting_times(
    iterations: Integers,
    final: Floats,
    before: Floats,
    midway: Floats,
    stoppings: Sequence[Stopping],
    converged: Chosen,
    hopeless: Chosen,
    logarithms: Axis = python_logarithms,
) -> Floats:
    """The hitting time of each row, or its projection; arrays of shape (rows,).

    Args:
        iterations: that were made.
        final: the last loss, less f*.
        before: the loss before it, less f*.
        midway: the loss in the middle of a row that did not converge, less f*.
        stoppings: the rows' stopping rules.
        converged: the rows that reached their threshold.
        hopeless: those that no further iterations would bring to their threshold.
        logarithms: of the engine that computed the losses.
    """
    own, which = distinct(stoppings)
    absolute, given = own[0].absolute, np.array([each.threshold for each in own])
    axis = _halves if absolute else logarithms
    known = np.isfinite(given)
    levels = np.full(len(own), -math.inf)
    levels[known] = axis(given[known])
    thresholds, levels = given[which], levels[which]
    worst = np.array([float(PENALTY * each.max_iterations) for each in own])[which]
    allowed = iterations + 1.0

    moved, ended = iterations > 0, ~converged & ~hopeless
    times = np.where(hopeless, worst, np.where(moved, np.maximum(worst, allowed), allowed))
    times[converged] = 0.0
    late = converged & moved
    crossings = _linear_crossings if absolute else partial(_crossings, logarithms)
    times[late] = crossings(
        iterations[late], before[late], final[late], thresholds[late], levels[late]
    )
    falling = ended & moved & (final < midway)
    if not absolute:
        falling &= final > 0
    made = iterations[falling]
    reached = _projections(made, axis(midway[falling]), axis(final[falling]), levels[falling])
    times[falling] = np.maximum(np.minimum(reached, worst[falling]), allowed[falling])
    return times


def _crossings(
    logarithms: Axis,
    k: Integers,
    before: Floats,
    after: Floats,
    threshold: Floats,
    logarithm: Floats,
) -> Floats:
    """The times of first hits at iterations k >= 1, from the gaps before and after them."""
    after = np.maximum(after, math.ulp(0.0))
    start = logarithms(before)
    with np.errstate(divide="ignore", invalid="ignore"):
        fell = start - logarithms(after)
        linear = (before - threshold) / (before - after)
        fraction = np.where(fell == 0, linear, (start - logarithm) / fell)
    earlier = k.astype(np.float64) - 1
    times = np.minimum(np.maximum(earlier + fraction, np.nextafter(earlier, earlier + 1)), k)
    return np.where(np.isfinite(before), times, k)


def _linear_crossings(
    k: Integers, before: Floats, after: Floats, threshold: Floats, half: Floats
) -> Floats:
    """The times of first hits on a linear axis; `half` is half of the threshold."""
    fall = _halves(before) - _halves(after)
    with np.errstate(divide="ignore", invalid="ignore"):
        fraction = np.where(fall > 0, (_halves(before) - half) / fall, 1.0)
    earlier = k.astype(np.float64) - 1
    times: Floats = np.maximum(earlier + fraction, np.nextafter(earlier, earlier + 1))
    return np.minimum(times, earlier + 1)


def _projections(made: Integers, midway: Floats, last: Floats, threshold: Floats) -> Floats:
    """Where losses that fell from the middle on would meet the threshold at the same rate.

    Losses and threshold are logarithms, or on a linear axis halves.
    """
    rate = (midway - last) / (made - made // 2)
    with np.errstate(divide="ignore", invalid="ignore"):
        remaining = np.where(rate > 0, (last - threshold) / rate, np.inf)
    return made.astype(np.float64) + remaining


def _halves(values: Floats) -> Floats:
    return values / 2
