"""The sampler of a sweep that leaves the choice to gdexp."""

from __future__ import annotations

from typing import TYPE_CHECKING

from gdexp.descent import ITERATIONS
from gdexp.experiment import TRAININGS
from gdexp.sweeps.objective import HITTING_TIME
from gdexp.sweeps.pruning import NONE
from gdexp.sweeps.sampling import GRID, LEARNING_RATE, TPE
from gdexp.sweeps.space import MAX_GRID

if TYPE_CHECKING:
    from gdexp.sweeps.goal import GoalPlan

LR, THRESHOLD = "optimizer.lr", "stopping.threshold"


def chosen_sampler(plan: GoalPlan) -> str:
    """Return the sampler that `auto` stands for.

    A finite space is tried whole. gdexp's own sampler is taken where it was measured to
    be better (`scripts/bench sampler`): for the iterations of a function, over the learning rate
    alone, or over learning rate and threshold. All else is TPE's.
    """
    size = plan.space.size()
    if size is not None and (size <= MAX_GRID or plan.settings.n_trials is None):
        return GRID
    ranges = {d.key for d in plan.space.dimensions if d.values() is None and not d.integer}
    swept = {d.key for d in plan.space.dimensions}
    measured = (
        swept == ranges
        and swept in ({LR}, {LR, THRESHOLD})
        and not plan.space.variants
        and plan.base["problem"].get("name") not in TRAININGS
        and plan.settings.cost == ITERATIONS
        and plan.pruner.name == NONE
        and not plan.problems
        and not plan.settings.race
    )
    return LEARNING_RATE if measured and suits_own_sampler(plan) else TPE


def suits_own_sampler(plan: GoalPlan) -> bool:
    """Return whether the hitting time alone is minimised, over a range of the learning rate."""
    ranges = [d for d in plan.space.dimensions if d.key == LR]
    wide = any(d.values() is None and not d.integer for d in ranges)
    return wide and [each.kind for each in plan.objectives] == [HITTING_TIME]
