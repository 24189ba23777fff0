"""What Optuna is told of a trial: one number for each objective, from the results of its seeds."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from gdexp.descent import SECONDS, Cap, Result, Status, hitting_cost, total_cost
from gdexp.sweeps.objective import COUNTED, THRESHOLD, Objective


class Told(NamedTuple):
    """What Optuna is told of a trial.

    Attributes:
        values: one for each objective.
        estimated: whether one of them is not known.
    """

    values: tuple[float, ...]
    estimated: bool


def told_values(
    goal: Sequence[Objective],
    results: Sequence[Result],
    status: Status,
    hitting: float,
    threshold: float,
) -> Told:
    """Return the value of each objective: the mean over the seeds.

    A trial that was pruned is told with what is known of its values: the best or last so far. One
    without a value is told with the worst there is.

    Args:
        goal: the objectives.
        results: of the seeds.
        status: of the trial.
        hitting: its hitting time.
        threshold: its threshold.
    """
    values: list[float] = []
    estimated = status is Status.PRUNED
    for each in goal:
        if each.kind == THRESHOLD:
            values.append(threshold)
        elif each.is_value:
            own = [each.of_result(result) for result in results]
            found = float(np.mean(own)) if len(own) > 1 else own[0]
            if math.isnan(found) and status is Status.PRUNED:
                found = float(np.mean([each.so_far(result) for result in results]))
            estimated = estimated or not math.isfinite(found)
            values.append(each.worst if math.isnan(found) else found)
        else:
            counted = each.kind in (SECONDS, *COUNTED)
            values.append(_expected_cost(results, each.kind) if counted else hitting)
            estimated = estimated or not any(result.converged for result in results)
    return Told(tuple(values), estimated)


def _expected_cost(results: Sequence[Result], cost: str) -> float:
    """Return the expected cost to the threshold, as `objective_value` the iterations."""
    successes = sum(result.converged for result in results)
    if len(results) == 1 or not successes:
        return sum(hitting_cost(result, cost) for result in results)
    if cost == SECONDS:
        return sum(result.seconds for result in results) / successes
    return sum(total_cost(result, cost) for result in results) / successes


def objective_value(
    results: Sequence[Result], cap: Cap, seeds: int, status: Status | None = None
) -> float:
    """Return the number that is minimised.

    With one seed it is the hitting time, or its projection. With several it is the expected
    running time (N. Hansen et al., COCO: performance assessment, 2016): all iterations divided
    by the number of successes. Where no seed converged it is the sum of the projections, as if
    the first success came after all of them; a trial with a success never has more. In a trial
    that the cap ended, the seeds that did not run count as the incumbent's, so the trial never
    looks better than the incumbent. In one that was pruned they count as those that ran.
    """
    projected = [result.hitting_time for result in results]
    if seeds == 1:
        return projected[0]
    if status is Status.PRUNED:
        return sum(projected) / len(projected)
    if any(result.status is Status.CAPPED for result in results) or len(results) < seeds:
        sums = cap.incumbent(results[0].threshold) or [0] * seeds
        left = sums[-1] - sums[len(results) - 1]
        return max(sum(projected) + left, sums[-1] + 1) / seeds
    successes = sum(result.converged for result in results)
    if not successes or any(result.status is Status.BELOW_MINIMUM for result in results):
        return sum(projected)
    return sum(result.iterations for result in results) / successes
