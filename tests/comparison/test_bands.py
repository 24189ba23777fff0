"""Bands of profiles, against the bootstrap written out."""

from __future__ import annotations

import numpy as np
import pytest

from gdexp.comparison.bands import RESAMPLES, bands
from gdexp.comparison.profiles import Steps, ecdf
from gdexp.comparison.tasks import Tasks


def of_all(times: dict[str, np.ndarray], places: np.ndarray) -> dict[str, Steps]:
    return {solver: ecdf(own) for solver, own in times.items()}


def test_a_band_holds_the_share_of_the_resampled_seeds() -> None:
    seeds, reached = 40, 24
    tasks = [("bowl", seed, 1e-2) for seed in range(seeds)]
    times = [10.0 if seed < reached else None for seed in range(seeds)]
    found = bands(Tasks(tasks, {"gd": times}, 0), of_all, {"gd": np.array([5.0, 10.0, 99.0])})
    low, high = found["gd"]
    # The share is binomial: its standard deviation is sqrt(0.6 * 0.4 / 40) = 0.0775.
    assert low[0] == high[0] == 0
    assert low[1] == low[2] == pytest.approx(0.6 - 1.96 * 0.0775, abs=0.06)
    assert high[1] == pytest.approx(0.6 + 1.96 * 0.0775, abs=0.06)


def test_the_thresholds_of_a_seed_stay_together_and_solvers_share_the_draws() -> None:
    tasks = [("bowl", seed, t) for seed in range(2) for t in (1e-1, 1e-2)]
    both = {"gd": [1.0, 2.0, None, None], "adam": [None, None, 1.0, 2.0]}
    drawn: list[float] = []

    def noted(times: dict[str, np.ndarray], places: np.ndarray) -> dict[str, Steps]:
        shares = [float(np.isfinite(own).mean()) for own in times.values()]
        assert sum(shares) == 1  # a seed counts for one of the solvers
        assert shares[0] in (0, 0.5, 1)
        drawn.append(shares[0])
        return of_all(times, places)

    bands(Tasks(tasks, both, 0), noted, dict.fromkeys(both, np.array([2.0])))
    assert len(drawn) == RESAMPLES
    assert {*drawn} == {0, 0.5, 1}


def test_without_seeds_there_is_no_band() -> None:
    tasks = Tasks([("bowl", 0, 1e-2), ("valley", 0, 1e-2)], {"gd": [1.0, None]}, 0)
    assert bands(tasks, of_all, {"gd": np.array([1.0])}) == {}
