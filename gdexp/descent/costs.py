"""What a descent cost until an iterate or its threshold: iterations, gradients, losses, seconds.

A rule that searches evaluates the loss at trials that are no iterates. Every other rule evaluates
it once for each iterate. The gradient is counted at every iterate that an update is made from; at
the trials too, where a rule reads it there; and where the threshold is of its norm, at the last
iterate.
"""

from __future__ import annotations

import math
from collections.abc import Callable

from gdexp.descent.result import Result
from gdexp.optimizers import SearchingRule

ITERATIONS, GRADIENTS, EVALUATIONS, SECONDS = "iterations", "gradients", "evaluations", "seconds"
COSTS = (ITERATIONS, GRADIENTS, EVALUATIONS, SECONDS)


def cost_at(result: Result, cost: str, iteration: int) -> float:
    """Return what it cost to come to an iterate and to know its loss.

    Args:
        result: of the descent.
        cost: one of `COSTS`; seconds are shared out over the updates.
        iteration: of the iterate, within the trace.
    """
    if cost == ITERATIONS:
        return iteration
    if cost == SECONDS:
        return result.seconds * iteration / max(result.updates, 1)
    made = iteration + 1 if result.evaluations is None else int(result.evaluations[iteration])
    if cost == EVALUATIONS:
        return made
    rule = result.rule
    if isinstance(rule, SearchingRule):
        reads = rule.rejects and rule.reads_gradients
    else:  # an optimizer of torch, whose closure gives both
        reads = result.evaluations is not None
    return made if reads else iteration + (result.gradient_norms is not None)


def total_cost(result: Result, cost: str) -> float:
    """Return what the descent cost until it ended."""
    return cost_at(result, cost, result.iterations)


def hitting_cost(result: Result, cost: str) -> float:
    """Return the cost to the threshold: the continuous form of `cost_at`, as the hitting time.

    Between two iterates it is interpolated as the hitting time is. Of a descent that did not
    converge it is the projected hitting time at its mean cost of an update.
    """
    time = result.hitting_time
    if cost == ITERATIONS:
        return time
    if cost == SECONDS:
        return result.hitting_seconds
    if not result.converged:
        last = result.updates
        return max(time * cost_at(result, cost, last) / max(last, 1), total_cost(result, cost))
    return cost_at_time(time, lambda iteration: cost_at(result, cost, iteration))


def cost_at_time(time: float, cost_of: Callable[[int], float]) -> float:
    """Return the cost of a hitting time, interpolated between two iterates as the time is.

    Args:
        time: at least 0.
        cost_of: gives the cost to come to an iterate.
    """
    k = math.ceil(time)
    after = cost_of(k)
    if k == 0:
        return after
    before = cost_of(k - 1)
    return before + (time - (k - 1)) * (after - before)
