"""Exact iteration counts of quadratics, and their margin for rounding errors."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np
import torch

from gdexp.core import BadInput, validation
from gdexp.descent import Stopping
from gdexp.optimizers import UpdateRule
from gdexp.problems import Problem
from gdexp.theory.modes import Modes, coefficient, descent_gap, gap_blocks, is_linear, modes


@dataclass(frozen=True)
class ExactCount:
    """An iteration count from theory, and its margin for rounding errors.

    Attributes:
        count: the first iteration with f − f* <= threshold; None when there is none up to the
            limit, or never.
        margin: the smallest distance of a gap up to that iteration from the threshold, relative
            to it. A descent with a smaller rounding error has the same count.
    """

    count: int | None
    margin: float


def count_with_margin(
    problem: Problem, rule: UpdateRule, stopping: Stopping, x0: torch.Tensor
) -> ExactCount | None:
    """Return the count in exact arithmetic; None where theory does not apply.

    Plain gradient descent has the gap `Σ w_i (1 − lr λ_i)^{2n}`, which is convex in n, so
    bisection finds its first value within the threshold; on `matrix` that is
    `⌈ln(τ / L0) / (2 ln|1 − 2 lr / 9|)⌉`. Momentum and Nesterov's method follow their recurrence.

    Args:
        problem: the problem.
        rule: the update rule.
        stopping: threshold and limit.
        x0: the start.
    """
    m = modes(problem, x0) if is_linear(rule) and not stopping.of_norm else None
    return None if m is None else count_modes(m, rule, stopping.threshold, stopping.limit)


def exact_count(
    problem: Problem, rule: UpdateRule, stopping: Stopping, x0: torch.Tensor
) -> int | None:
    """Return the count in exact arithmetic; None when it is above the limit.

    Raises:
        BadInput: theory does not apply to this problem and rule.
    """
    exact = count_with_margin(problem, rule, stopping, x0)
    if exact is None:
        raise BadInput("problem", problem.name, f"has no exact count with {rule.name}")
    return exact.count


def count_interval(
    problem: Problem, rule: UpdateRule, stopping: Stopping, x0: torch.Tensor, delta: float
) -> tuple[int | None, int | None] | None:
    """Return the counts for the thresholds τ (1 + delta) and τ (1 − delta).

    Args:
        problem: the problem.
        rule: the update rule.
        stopping: threshold τ and limit.
        x0: the start.
        delta: the relative change of the threshold, in [0, 1).

    Returns:
        Both counts, each None when it is above the limit; None where theory does not apply.
    """
    delta = validation.fraction("delta", delta)
    counts = []
    for factor in (1 + delta, 1 - delta):
        changed = replace(stopping, threshold=stopping.threshold * factor)
        exact = count_with_margin(problem, rule, changed, x0)
        if exact is None:
            return None
        counts.append(exact.count)
    return counts[0], counts[1]


def count_modes(m: Modes, rule: UpdateRule, threshold: float, limit: int) -> ExactCount:
    """Return `count_with_margin` for a quadratic that is given by its modes."""
    if m.gap <= threshold:
        return ExactCount(0, _distance(m.gap, threshold))
    if limit == 0:
        return ExactCount(None, _distance(m.gap, threshold))
    if rule.name == "gd":
        return _exact_descent(m, coefficient(rule, "lr"), threshold, limit)
    margin = _distance(m.gap, threshold)
    done = 1
    for gaps in gap_blocks(m, rule, limit):
        hits = np.flatnonzero(gaps <= threshold)
        seen = gaps[: hits[0] + 1] if hits.size else gaps
        with np.errstate(invalid="ignore"):
            margin = min(margin, float(np.nanmin(np.abs(seen / threshold - 1), initial=np.inf)))
        if hits.size:
            return ExactCount(done + int(hits[0]), margin)
        done += len(gaps)
    return ExactCount(None, margin)


def _exact_descent(m: Modes, lr: float, threshold: float, limit: int) -> ExactCount:
    """Bisect the decreasing part of the gap, which is convex in n."""
    with np.errstate(over="ignore", under="ignore"):
        factors = np.abs(1 - lr * m.curvatures)
        # The scaled increase from n to n + 1, whose sign changes once, from − to +.
        scaled = factors / max(float(factors.max()), 1e-300)
        rises = m.weights * (factors * factors - 1)
        turn = first_true(lambda n: float(rises @ scaled ** (2.0 * n)) >= 0, 0, limit)
    lowest = limit if turn is None else turn
    count = None  # the start is not within the threshold
    if lowest:
        count = first_true(lambda n: descent_gap(m, lr, n) <= threshold, 1, lowest)
    if count is None:
        return ExactCount(None, _distance(descent_gap(m, lr, lowest), threshold))
    before, after = descent_gap(m, lr, count - 1), descent_gap(m, lr, count)
    return ExactCount(count, min(_distance(before, threshold), _distance(after, threshold)))


def first_true(holds: Callable[[int], bool], low: int, high: int) -> int | None:
    """Return the smallest n in [low, high] at which a monotone condition becomes true."""
    if not holds(high):
        return None
    while low < high:
        middle = (low + high) // 2
        if holds(middle):
            high = middle
        else:
            low = middle + 1
    return low


def _distance(gap: float, threshold: float) -> float:
    return abs(gap / threshold - 1)
