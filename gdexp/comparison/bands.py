"""Bands of profiles: the seeds of each problem are resampled, and the profile is made again."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import Any

import numpy as np
import numpy.typing as npt

from gdexp.comparison.figure_model import Floats
from gdexp.comparison.profiles import Steps
from gdexp.comparison.tasks import Tasks

RESAMPLES, LEVEL, SEED = 200, 0.95, 20
"""Samples with replacement, the probability that a band stands for, the seed of the draws."""

Places = npt.NDArray[np.int64]

Profile = Callable[[Mapping[str, Floats], Places], Mapping[str, Steps]]
"""From the times of each solver and the places of their tasks to the profiles."""


def bands(
    tasks: Tasks, profile: Profile, x: Mapping[str, Floats]
) -> dict[str, tuple[Floats, Floats]]:
    """Return the lower and upper edge of each solver's profile; empty where no seeds vary.

    Percentiles of the bootstrap over the seeds of each problem, with the thresholds of a seed
    together and the same draws for all solvers.

    Args:
        tasks: all tasks.
        profile: makes the profiles of some tasks.
        x: where each solver's profile is read.
    """
    if not _vary(tasks):
        return {}
    times = {
        solver: np.array([np.inf if t is None else t for t in own], dtype=np.float64)
        for solver, own in tasks.times.items()
    }
    samples: dict[str, list[Floats]] = {solver: [] for solver in times}
    for places in _resamples(tasks):
        chosen = {solver: own[places] for solver, own in times.items()}
        for solver, steps in profile(chosen, places).items():
            heights = np.concatenate(([0.0], steps.share))
            samples[solver].append(heights[np.searchsorted(steps.at, x[solver], side="right")])
    low, high = (round(RESAMPLES * (1 + side * LEVEL) / 2) for side in (-1, 1))
    ordered = {solver: np.sort(np.array(own), axis=0) for solver, own in samples.items()}
    return {solver: (own[low], own[high - 1]) for solver, own in ordered.items()}


def _seeds(tasks: Tasks) -> dict[str, dict[Any, list[int]]]:
    """Return the places of the tasks of each problem, by seed."""
    found: dict[str, dict[Any, list[int]]] = {}
    for place, (problem, seed, _) in enumerate(tasks.tasks):
        found.setdefault(problem, {}).setdefault(seed, []).append(place)
    return found


def _vary(tasks: Tasks) -> bool:
    return any(len(own) > 1 for own in _seeds(tasks).values())


def _resamples(tasks: Tasks) -> Iterator[Places]:
    """Yield the places of the tasks of each resample."""
    generator = np.random.Generator(np.random.PCG64(SEED))
    problems = [[np.array(own) for own in seeds.values()] for seeds in _seeds(tasks).values()]
    for _ in range(RESAMPLES):
        drawn = [
            seeds[i] for seeds in problems for i in generator.integers(len(seeds), size=len(seeds))
        ]
        yield np.concatenate(drawn)
