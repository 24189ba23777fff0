"""What gdexp's own sampler learns from the finished trials of a study."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import TYPE_CHECKING

from gdexp.core import validation
from gdexp.descent import Status
from gdexp.sweeps.plan import LR, THRESHOLD, Plan
from gdexp.sweeps.sampling import Learned, Outcome
from gdexp.sweeps.study import TrialRecord, is_added

if TYPE_CHECKING:
    from optuna.trial import FrozenTrial

LOST = (Status.FAILED, Status.STALLED, Status.BELOW_MINIMUM)


def learned_of(plan: Plan) -> Learned:
    """Return what the sampler is told of a sweep of the learning rate."""
    names = [d.name for d in plan.space.dimensions if d.key == LR]
    return Learned(names, THRESHOLD, learned_outcome(plan.base["dtype"]))


def learned_outcome(dtype: object) -> Callable[[FrozenTrial], Outcome | None]:
    """Return what gives the outcome of a finished trial; None of one that the user added.

    Args:
        dtype: of the descents, as a config has it.
    """
    import torch

    largest = math.log(torch.finfo(validation.dtype(dtype)).max)

    def outcome_of(trial: FrozenTrial) -> Outcome | None:
        if is_added(trial):
            return None
        record = TrialRecord.of(trial)
        ended = min(record.counts, default=0)
        diverged, lost = record.status == Status.DIVERGED, record.status in LOST
        threshold = record.threshold
        return Outcome(record.hitting_time, threshold, ended, diverged, lost, largest)

    return outcome_of
