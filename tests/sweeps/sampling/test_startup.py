"""First trials lie evenly in their ranges."""

from __future__ import annotations

import math

from hypothesis import given
from hypothesis import strategies as st
from optuna.distributions import CategoricalDistribution, FloatDistribution, IntDistribution

from gdexp.sweeps.sampling.startup_trials import value_at, van_der_corput


@given(st.integers(0, 2**32), st.text(max_size=20), st.integers(0, 4), st.integers(0, 60))
def test_any_block_of_trials_has_one_in_each_part(
    seed: int, key: str, power: int, block: int
) -> None:
    parts = 2**power
    points = [van_der_corput(seed, key, parts * block + i) for i in range(parts)]
    assert sorted(math.floor(parts * point) for point in points) == list(range(parts))


def test_seeds_and_keys_have_sequences_of_their_own() -> None:
    first = [[van_der_corput(seed, key, i) for i in range(8)] for seed in (0, 1) for key in "ab"]
    assert len({tuple(points) for points in first}) == 4


@given(
    st.floats(1e-9, 1e3), st.floats(1.001, 1e6), st.booleans(), st.floats(0, 1, exclude_max=True)
)
def test_a_float_lies_in_its_range_and_in_its_place(
    low: float, factor: float, log: bool, point: float
) -> None:
    high = low * factor
    value = value_at(FloatDistribution(low, high, log=log), point)
    assert value is not None
    assert low <= value <= high
    share = math.log(value / low) / math.log(high / low) if log else (value - low) / (high - low)
    assert math.isclose(share, point, abs_tol=1e-6)


@given(st.integers(1, 50), st.integers(0, 40), st.integers(1, 9), st.floats(0, 1, exclude_max=True))
def test_a_whole_number_is_one_of_the_range(low: int, steps: int, step: int, point: float) -> None:
    more = steps * step
    stepped = value_at(IntDistribution(low, low + more, step=step), point)
    assert stepped in range(low, low + more + 1, step)
    logarithmic = value_at(IntDistribution(low, low + more, log=True), point)
    assert logarithmic in range(low, low + more + 1)


@given(st.floats(0, 1, exclude_max=True))
def test_a_stepped_float_is_one_of_the_values(point: float) -> None:
    value = value_at(FloatDistribution(0.0, 1.0, step=0.25), point)
    assert value in (0.0, 0.25, 0.5, 0.75, 1.0)


def test_choices_have_no_place() -> None:
    assert value_at(CategoricalDistribution(["a", "b"]), 0.5) is None
