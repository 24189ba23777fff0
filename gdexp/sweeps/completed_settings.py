"""The settings of a sweep that follow from its space."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from gdexp.core import BadInput
from gdexp.sweeps.sampler_choice import chosen_sampler
from gdexp.sweeps.sampling import AUTO, GRID, Sampler
from gdexp.sweeps.settings import SweepSettings
from gdexp.sweeps.space import MAX_GRID

if TYPE_CHECKING:
    from gdexp.sweeps.goal import GoalPlan

DEFAULT_TRIALS = 100


def completed_settings(plan: GoalPlan) -> SweepSettings:
    """Return the settings with the sampler and the number of trials that are meant.

    Raises:
        BadInput: a grid of a space that is not finite, or too large.
    """
    settings, size = plan.settings, plan.space.size()
    if plan.sampler.name == AUTO:
        settings = replace(settings, sampler=chosen_sampler(plan))
    grid = Sampler.parse(settings.sampler).name == GRID
    if grid and (size is None or size > MAX_GRID):
        raise BadInput(
            "sweep.sampler",
            GRID,
            f"needs choice() or range() for every key, at most {MAX_GRID:,} points in all",
        )
    if settings.n_trials is None:
        settings = replace(settings, n_trials=DEFAULT_TRIALS if size is None else size)
    if grid and size is not None and int(settings.n_trials or 0) > size:
        settings = replace(settings, n_trials=size)
    return settings
