"""The sampler of a sweep that leaves the choice to gdexp."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Protocol

from gdexp.descent import ITERATIONS
from gdexp.experiment import TRAININGS
from gdexp.sweeps.objective import HITTING_TIME, Objective
from gdexp.sweeps.pruning import NONE, Pruner
from gdexp.sweeps.sampling import GRID, LEARNING_RATE, TPE
from gdexp.sweeps.settings import SweepSettings
from gdexp.sweeps.space import MAX_GRID, Space

LR, THRESHOLD = "optimizer.lr", "stopping.threshold"


class SampledPlan(Protocol):
    """What is needed of a sweep's plan."""

    @property
    def base(self) -> dict[str, Any]:
        """The config that every trial starts from."""

    @property
    def space(self) -> Space:
        """The keys that the trials change in it."""

    @property
    def settings(self) -> SweepSettings:
        """The group `sweep`."""

    @property
    def problems(self) -> Sequence[object]:
        """On which every trial runs; none where it runs on that of the base config."""

    @property
    def objectives(self) -> tuple[Objective, ...]:
        """What is minimised or maximised."""

    @property
    def pruner(self) -> Pruner:
        """The pruner that ends trials early."""


def chosen_sampler(plan: SampledPlan) -> str:
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


def suits_own_sampler(plan: SampledPlan) -> bool:
    """Return whether the hitting time alone is minimised, over a range of the learning rate."""
    ranges = [d for d in plan.space.dimensions if d.key == LR]
    wide = any(d.values() is None and not d.integer for d in ranges)
    return wide and [each.kind for each in plan.objectives] == [HITTING_TIME]
