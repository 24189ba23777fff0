"""Stopping rules, statuses and hitting times."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt

from gdexp.core import BadInput, gap_formula, validation
from gdexp.descent.status import CAME_NEAR_NOTHING as CAME_NEAR_NOTHING
from gdexp.descent.status import ENDED_FROM_OUTSIDE as ENDED_FROM_OUTSIDE
from gdexp.descent.status import Status as Status

PENALTY = 10
"""A hopeless descent, such as a diverged one, counts as this many times `max_iterations`."""

THRESHOLDS = (1e-1, 1e-2, 1e-3, 1e-4, 1e-5, 1e-6, 1e-7, 1e-8)
"""The thresholds at which runs are compared by default."""

LOSS = "loss"
"""The metric that every descent and training has: it is read at every iteration."""

MODES = ("min", "max")
"""The directions of a metric: which values are better."""

EVERY = 50
"""By default so many updates lie between two readings."""

Trace = npt.NDArray[np.float64]

Logarithm = Callable[[float], float]

GAP, GRADIENT_NORM, RELATIVE = MEASURES = ("gap", "gradient_norm", "relative")
"""What a threshold is of: the gap, the gradient's norm, or the share of the gap at the start."""


@dataclass(frozen=True)
class Stopping:
    """The stopping rule.

    A descent converges at the first iteration, 0 included, with `loss - f_star <= threshold`, or
    with `norm of the gradient <= threshold`.

    Args:
        threshold: the largest gap, or gradient norm, of a converged descent, > 0; with `absolute`
            any number. None: there is none, the descent ends by its limits alone; it is then
            minus infinity here.
        max_iterations: the most updates, >= 1.
        cap: the updates after which a descent ends as `capped`, >= 0; None for no cap.
        absolute: the loss itself is compared with the threshold, whatever its sign; `descend`
            sets it for a problem that is `absolute`.
        continue_to: a tighter threshold, > 0. A descent that converged goes on until it is within
            this one, or can go no further: `max_iterations` are made, the loss is not finite, or
            the state repeats. Only the trace becomes longer; status, iterations, final x and
            hitting time stay those at `threshold`. None: the descent ends at `threshold`.
        measure: what threshold and continue_to are of. `gap`: the loss above f*. `gradient_norm`:
            the Euclidean norm of the gradient at x_n, which needs no f*. `relative`: they are
            shares of the gap at the start; a descent's result has them as gaps.
        metric: what the threshold is of: `loss`, or a metric that a training's `evaluate` returns.
        mode: `min` or `max`, the better direction of the metric; None is min for the loss.
        every: the updates between two readings, >= 1; the first is at iteration 0.
        patience: the readings in a row without improvement after which a descent ends as
            `plateau`, >= 1; None: never. A reading that is not a number is no improvement.
        min_delta: by how much more than this a reading must be below the best one before it, to
            be an improvement; >= 0.
        max_seconds: the time after which a descent ends as `out_of_time`, > 0; None: no limit.
            Its continuation has none.
        max_epochs: the epochs of a training after which it ends as `max_epochs`, >= 1; None for
            no limit, and for descents that have no epochs.
    """

    threshold: float = 1e-5
    max_iterations: int = 100_000
    cap: int | None = None
    continue_to: float | None = None
    absolute: bool = False
    metric: str = LOSS
    mode: str | None = None
    every: int = EVERY
    patience: int | None = None
    min_delta: float = 0.0
    max_seconds: float | None = None
    max_epochs: int | None = None
    measure: str = GAP

    def __post_init__(self) -> None:
        validation.boolean("absolute", self.absolute)
        validation.text("metric", self.metric)
        validation.choice("measure", self.measure, MEASURES)
        if self.mode is not None:
            validation.choice("mode", self.mode, MODES)
        if self.metric == LOSS and self.mode == "max":
            raise BadInput("mode", self.mode, "must be min with metric=loss, which is minimised")
        if self.of_norm and (self.absolute or self.metric != LOSS):
            raise BadInput("measure", self.measure, "only without absolute, and with metric=loss")
        check = validation.number if self.absolute else validation.positive
        if self.threshold is None or self.threshold == -math.inf:
            object.__setattr__(self, "threshold", -math.inf)
            if self.continue_to is not None:
                raise BadInput("continue_to", self.continue_to, "needs a threshold")
        else:
            check("threshold", self.threshold)
        validation.integer("max_iterations", self.max_iterations, low=1, high=10**9)
        if self.cap is not None:
            validation.integer("cap", self.cap, low=0, high=10**9)
        if self.continue_to is not None:
            check("continue_to", self.continue_to)
        validation.integer("every", self.every, low=1, high=10**9)
        if self.patience is not None:
            validation.integer("patience", self.patience, low=1, high=10**9)
        validation.non_negative("min_delta", self.min_delta)
        if self.max_seconds is not None:
            validation.positive("max_seconds", self.max_seconds)
        if self.max_epochs is not None:
            validation.integer("max_epochs", self.max_epochs, low=1, high=10**9)

    @property
    def of_norm(self) -> bool:
        """Whether the threshold is of the gradient norm."""
        return self.measure == GRADIENT_NORM

    @property
    def has_threshold(self) -> bool:
        """Whether there is a threshold at which the descent converges."""
        return self.threshold > -math.inf

    @property
    def goal(self) -> float:
        """The threshold at which the trace ends: the tighter of `threshold` and `continue_to`."""
        further = self.continue_to
        if further is None:
            return self.threshold
        return max(self.threshold, further) if self.sign < 0 else min(self.threshold, further)

    @property
    def goes_on(self) -> bool:
        """Whether the trace goes on after the descent converged."""
        return self.goal != self.threshold

    @property
    def sign(self) -> int:
        """What the metric is multiplied by, so that smaller is better: 1, or -1 of `mode=max`."""
        return -1 if self.mode == "max" else 1

    @property
    def level(self) -> float:
        """The threshold of the metric multiplied by `sign`; minus infinity where there is none."""
        return self.sign * self.threshold if self.has_threshold else self.threshold

    def goal_text(self, f_star: float = 0.0) -> str:
        """Return what is asked of the metric, such as `loss <= 1e-05`."""
        if not self.has_threshold:
            return "its limits"
        if self.of_norm:
            return f"gradient norm <= {self.threshold:g}"
        if self.metric == LOSS:
            return f"{gap_formula(f_star)} <= {self.threshold:g}"
        return f"{self.metric} {'>=' if self.sign < 0 else '<='} {self.threshold:g}"

    @property
    def limit(self) -> int:
        """The most updates: `max_iterations`, or the cap when it is lower."""
        return self.max_iterations if self.cap is None else min(self.max_iterations, self.cap)

    @property
    def limit_status(self) -> Status:
        """The status of a descent that makes `limit` updates and does not converge."""
        capped = self.cap is not None and self.cap < self.max_iterations
        return Status.CAPPED if capped else Status.MAX_ITERATIONS

    def allowing(self, updates: int) -> Stopping:
        """Return the rule with a cap of so many updates at least: what was made stays made."""
        if self.cap is None or self.cap >= updates:
            return self
        return replace(self, cap=updates)


def first_hit(trace: Trace, threshold: float, f_star: float = 0.0) -> int | None:
    """Return the first iteration with `loss - f_star <= threshold`; None when there is none.

    A loss of minus infinity is no such loss: a descent diverges there.
    """
    gaps = trace - f_star
    hits = np.flatnonzero((gaps <= threshold) & (gaps > -math.inf))
    return int(hits[0]) if hits.size else None


def first_hits(trace: Trace, thresholds: Sequence[float], f_star: float = 0.0) -> list[int | None]:
    """Return `first_hit` for many thresholds, in one pass over the trace."""
    gaps = trace - f_star
    best = np.minimum.accumulate(np.where(np.isfinite(gaps), gaps, np.inf))
    positions = np.searchsorted(-best, -np.asarray(thresholds, dtype=np.float64), side="left")
    return [int(k) if k < best.size else None for k in positions]


def censoring_bounds(
    trace: Trace,
    thresholds: Sequence[float],
    goal: float,
    status: str,
    f_star: float = 0.0,
    hits: Sequence[int | None] | None = None,
) -> list[int | None]:
    """Return what is known of the thresholds that a trace says nothing of, because it was ended.

    A descent that converged, or that was ended from outside, could have gone on. Below the
    threshold where it was ended it is censored: it needs at least one iteration more than it
    made. It has not failed. A descent that used all iterations, diverged or stalled has failed
    there, and so has one whose continuation ended in such a way.

    Args:
        trace: the losses at iterations 0 … n.
        thresholds: those that are asked.
        goal: the threshold at which the trace ends once the descent converged.
        status: why the descent ended; an unknown one counts as ended from outside.
        f_star: the value that the thresholds are measured from.
        hits: what `first_hits` returns of the thresholds; None: it is not known yet.

    Returns:
        For each threshold the fewest iterations that the descent can need; None where the trace
        answers, by a hit or by a failure.
    """
    failed = status not in ENDED_FROM_OUTSIDE and status in list(Status)
    if failed or (status == Status.CONVERGED and not trace[-1] - f_star <= goal):
        return [None] * len(thresholds)
    if hits is None:
        hits = first_hits(trace, thresholds, f_star)
    return [len(trace) if hit is None else None for hit in hits]


def hitting_time(
    trace: Trace,
    threshold: float,
    f_star: float = 0.0,
    absolute: bool = False,
    log: Logarithm = math.log,
) -> float | None:
    """Return the hitting time of a trace: a continuous form of its iteration count.

    With gaps g = loss − f* and the first hit at k >= 1 it is
    `k - 1 + ln(g[k-1] / threshold) / ln(g[k-1] / g[k])`, in (k − 1, k]: the point where the line
    between both gaps crosses the threshold on a log axis. It is 0 when the start is within the
    threshold, and None when no loss is. A gap of 0 or less counts as the smallest positive double.
    With `absolute` the axis is linear: gaps may then be negative. `log` is the logarithm, of the
    engine that computed the losses.
    """
    k = first_hit(trace, threshold, f_star)
    if k is None:
        return None
    if absolute:
        return linear_crossing(
            k, float(trace[k - 1]) if k else math.nan, float(trace[k]), threshold
        )
    before = float(trace[k - 1]) - f_star if k else math.nan
    return crossing(k, before, float(trace[k]) - f_star, threshold, log)


def crossing(
    k: int, before: float, after: float, threshold: float, log: Logarithm = math.log
) -> float:
    """Return the hitting time of a first hit at iteration k, from the gaps at k - 1 and k.

    A gap before it that is not finite, as from an overflow, gives k, its limit. Two gaps whose
    logarithms are equal in double precision have the threshold between them on a linear axis.
    """
    if k == 0:
        return 0.0
    if not math.isfinite(before):
        return float(k)
    after = max(after, math.ulp(0.0))
    fell = log(before) - log(after)
    if fell == 0:
        fraction = (before - threshold) / (before - after)
    else:
        fraction = (log(before) - log(threshold)) / fell
    return min(max(k - 1 + fraction, math.nextafter(k - 1, k)), float(k))


def linear_crossing(k: int, before: float, after: float, threshold: float) -> float:
    """Return the hitting time of a first hit at iteration k on a linear axis.

    It is `k - 1 + (l[k-1] - threshold) / (l[k-1] - l[k])`, from the losses at k - 1 and k.
    """
    if k == 0:
        return 0.0
    fall = before / 2 - after / 2  # halves: the difference of two doubles may be infinite
    fraction = (before / 2 - threshold / 2) / fall if fall > 0 else 1.0
    return min(max(k - 1 + fraction, math.nextafter(k - 1, k)), float(k))


def projected_time(
    trace: Trace,
    stopping: Stopping,
    status: Status,
    f_star: float = 0.0,
    log: Logarithm = math.log,
) -> float:
    """Return the projected hitting time of a descent that did not converge.

    A descent that was ended is continued at the mean rate (on a log axis, or on a linear
    one where the threshold is absolute) of the second half of its trace. The result is at least
    the iterations made plus one, and at most ten times `max_iterations`, which is the result for
    a hopeless descent.
    """
    last = len(trace) - 1
    midway, gap = float(trace[last // 2]) - f_star, float(trace[last]) - f_star
    return projection(last, midway, gap, stopping, status, log)


def projection(
    iterations: int,
    midway: float,
    gap: float,
    stopping: Stopping,
    status: Status,
    log: Logarithm = math.log,
) -> float:
    """Return `projected_time` from the gaps at iteration `iterations // 2` and at the last."""
    worst, allowed = float(PENALTY * stopping.max_iterations), float(iterations + 1)
    if status.hopeless:
        return worst
    if iterations == 0:
        return allowed
    if not stopping.has_threshold or not gap < midway or (gap <= 0 and not stopping.absolute):
        return max(worst, allowed)
    if stopping.absolute:
        fall, missing = midway / 2 - gap / 2, gap / 2 - stopping.threshold / 2
    else:
        fall = log(midway) - log(gap)
        missing = log(gap) - log(stopping.threshold)
    rate = fall / (iterations - iterations // 2)
    remaining = missing / rate if rate > 0 else math.inf
    return max(min(iterations + remaining, worst), allowed)
