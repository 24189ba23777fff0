"""The settings of a sweep that follow from its space."""

from __future__ import annotations

from dataclasses import replace

from gdexp.core import BadInput
from gdexp.sweeps.sampling import AUTO, GRID, Sampler
from gdexp.sweeps.settings import SweepSettings
from gdexp.sweeps.space import MAX_GRID, Space

DEFAULT_TRIALS = 100


def completed_settings(settings: SweepSettings, space: Space) -> SweepSettings:
    """Return the settings with the sampler and the number of trials that are meant.

    Raises:
        BadInput: a grid of a space that is not finite, or too large.
    """
    size = space.size()
    if Sampler.parse(settings.sampler).name == AUTO:
        settings = replace(settings, sampler="tpe" if size is None else GRID)
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
