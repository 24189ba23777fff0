"""What a sweep says in which nothing converged: which trial came nearest, and what to change."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Sequence

from gdexp.core import format_count
from gdexp.descent import CAME_NEAR_NOTHING, Status
from gdexp.sweeps.plan import LR, Plan
from gdexp.sweeps.study import TrialRecord


def nearest_trial(records: Sequence[TrialRecord]) -> int | None:
    """Return the position of the trial that came nearest to its threshold; None if none did.

    It has the smallest projected hitting time, and of equal ones the smallest final loss. Trials
    that failed, diverged or fell below f* came near nothing.
    """
    ranked = [
        (record.hitting_time, record.final_loss, position)
        for position, record in enumerate(records)
        if record.status not in CAME_NEAR_NOTHING and math.isfinite(record.final_loss)
    ]
    return min(ranked)[2] if ranked else None


def none_converged(plan: Plan, records: Sequence[TrialRecord]) -> str:
    """Return the headline: `0 of 20 converged`."""
    if not plan.counts_iterations:
        names = " and ".join(each.title for each in plan.objectives)
        return f"0 of {len(records):,} have a {names}"
    return f"0 of {len(records):,} converged"


def nearest_text(record: TrialRecord) -> str:
    """Return how near the nearest trial came."""
    count = format_count(int(record.iterations), "iteration")
    text = f"loss {record.final_loss:.6g} after {count} ({record.status})"
    if not math.isfinite(record.threshold):
        return text
    return f"{text}; the threshold is {record.threshold:g}"


def what_to_change(plan: Plan, records: Sequence[TrialRecord]) -> list[str]:
    """Return what could make trials converge, one sentence for each status, the most common first.

    Args:
        plan: of the sweep.
        records: of all trials, none of which converged.
    """
    counts = Counter(record.status for record in records)
    sentences = (_advice(plan, status, records) for status, _ in counts.most_common())
    return [sentence for sentence in sentences if sentence]


def _advice(plan: Plan, status: str, records: Sequence[TrialRecord]) -> str:
    own = [record for record in records if record.status == status]
    if status == Status.DIVERGED:
        if not any(record.iterations for record in own):
            return "diverged: the loss is no number at the start, whatever the settings: another x0"
        return f"diverged: sweep smaller learning rates ({LR})"
    if status == Status.STALLED:
        return "stalled: a larger stopping.threshold, or dtype=float64"
    if status == Status.CAPPED:
        return "capped: a larger stopping.cap"
    if status == Status.BELOW_MINIMUM:
        lowest = min(record.final_loss for record in own)
        return (
            f"below_minimum: a loss of {lowest:.6g} is below f*; declare problem.f_star, the "
            "smallest possible loss, or problem.f_star=absolute"
        )
    if status == Status.FAILED:
        return f"failed: {own[0].reason}"
    if status == Status.PRUNED:
        return f"pruned: a pruner that waits longer than {plan.pruner.name} does here"
    if status == Status.PLATEAU:
        return "plateau: a larger stopping.patience, or a larger threshold"
    if status == Status.OUT_OF_TIME:
        return "out_of_time: a larger stopping.max_seconds, or a larger threshold"
    if status == Status.MAX_EPOCHS:
        return "max_epochs: a larger stopping.max_epochs, or a larger threshold"
    if status == Status.FINISHED:
        return "finished: the function returned before the threshold was reached"
    limit = plan.base["stopping"]["max_iterations"]
    return f"max_iterations: a larger stopping.max_iterations than {limit:,}, or a larger threshold"
