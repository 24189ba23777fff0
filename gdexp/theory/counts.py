"""Iteration counts of quadratics without running them, and how sure rounding leaves them."""

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
class Exact:
    """An iteration count from theory, and how sure rounding leaves it.

    Attributes:
        count: the first iteration with f − f* <= threshold; None when there is none up to the
            limit, or never.
        margin: how far, relative to the threshold, the nearest gap up to that iteration is from
            it. A descent whose rounding errs by less has the same count.
    """

    count: int | None
    margin: float


def exact(problem: Problem, rule: UpdateRule, stopping: Stopping, x0: torch.Tensor) -> Exact | None:
    """The count that exact arithmetic gives; None where theory does not apply.

    Plain gradient descent has the gap `Σ w_i (1 − lr λ_i)^{2n}`, which is convex in n, so its
    first value within the threshold is found by bisection; on `matrix` that is
    `⌈ln(τ / L0) / (2 ln|1 − 2 lr / 9|)⌉`. Momentum and Nesterov's method follow their recurrence.

    Args:
        problem: what is minimised.
        rule: how.
        stopping: threshold and limit.
        x0: the start.
    """
    m = modes(problem, x0) if is_linear(rule) else None
    return None if m is None else count_modes(m, rule, stopping.threshold, stopping.limit)


def exact_count(
    problem: Problem, rule: UpdateRule, stopping: Stopping, x0: torch.Tensor
) -> int | None:
    """The count of `exact`: None when the threshold is not reached within the limit.

    Raises:
        BadInput: theory does not apply (`exact` returns None).
    """
    found = exact(problem, rule, stopping, x0)
    if found is None:
        raise BadInput("problem", problem.name, f"has no exact count with {rule.name}")
    return found.count


def count_interval(
    problem: Problem, rule: UpdateRule, stopping: Stopping, x0: torch.Tensor, delta: float
) -> tuple[int | None, int | None] | None:
    """The fewest and most iterations when the threshold is blurred by a relative delta.

    Args:
        problem: what is minimised.
        rule: how.
        stopping: threshold τ and limit.
        x0: the start.
        delta: in [0, 1); the counts are those of τ (1 + delta) and of τ (1 − delta).

    Returns:
        Both counts, each None when it is beyond the limit; None where theory does not apply.
    """
    blur = validation.fraction("delta", delta)
    loose = exact(problem, rule, replace(stopping, threshold=stopping.threshold * (1 + blur)), x0)
    tight = exact(problem, rule, replace(stopping, threshold=stopping.threshold * (1 - blur)), x0)
    return None if loose is None or tight is None else (loose.count, tight.count)


def count_modes(m: Modes, rule: UpdateRule, threshold: float, limit: int) -> Exact:
    """`exact` for a quadratic that is given by its modes."""
    if m.gap <= threshold:
        return Exact(0, _distance(m.gap, threshold))
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
            return Exact(done + int(hits[0]), margin)
        done += len(gaps)
    return Exact(None, margin)


def _exact_descent(m: Modes, lr: float, threshold: float, limit: int) -> Exact:
    """Bisection on the falling part of the gap, which is convex in n."""
    with np.errstate(over="ignore", under="ignore"):
        factors = np.abs(1 - lr * m.curvatures)
        # The rise from n to n + 1, scaled: its sign changes once, from − to +.
        scaled = factors / max(float(factors.max()), 1e-300)
        rises = m.weights * (factors * factors - 1)
        turn = first_true(lambda n: float(rises @ scaled ** (2.0 * n)) >= 0, 0, limit)
    lowest = limit if turn is None else turn
    count = first_true(lambda n: descent_gap(m, lr, n) <= threshold, 0, lowest)
    if count is None:
        return Exact(None, _distance(descent_gap(m, lr, lowest), threshold))
    before, after = descent_gap(m, lr, count - 1), descent_gap(m, lr, count)
    return Exact(count, min(_distance(before, threshold), _distance(after, threshold)))


def first_true(holds: Callable[[int], bool], low: int, high: int) -> int | None:
    """The smallest n in [low, high] where a condition holds that, once true, stays true."""
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
