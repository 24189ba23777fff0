"""Statuses, hitting times and projections, against their definitions."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from gdexp import BadInput, Status, Stopping
from gdexp.descent.batch.hitting_times import hitting_times
from gdexp.descent.stopping import (
    crossing,
    first_hit,
    first_hits,
    hitting_time,
    projected_time,
)

gaps = st.lists(st.floats(1e-12, 1e6), min_size=2, max_size=60)
thresholds = st.floats(1e-12, 1e6)


@given(gaps, thresholds)
def test_the_hitting_time_lies_in_the_step_that_meets_the_threshold(
    losses: list[float], threshold: float
) -> None:
    trace = np.array(losses)
    k = first_hit(trace, threshold)
    time = hitting_time(trace, threshold)
    if k is None:
        assert time is None
        assert min(losses) > threshold
    elif k == 0:
        assert time == 0
        assert losses[0] <= threshold
    else:
        assert time is not None
        assert k - 1 < time <= k
        assert losses[k] <= threshold < min(losses[:k])


@given(gaps, thresholds, thresholds)
def test_a_looser_threshold_never_takes_longer(losses: list[float], a: float, b: float) -> None:
    trace = np.array(losses)
    tight, loose = hitting_time(trace, min(a, b)), hitting_time(trace, max(a, b))
    if tight is not None:
        assert loose is not None
        assert loose <= tight


neighbours = st.floats(5e-324, 1e308).flatmap(
    lambda low: st.integers(1, 3).map(lambda ulps: (low, low + ulps * math.ulp(low)))
)


@given(neighbours, st.floats(0, 1))
def test_gaps_that_are_adjacent_doubles_have_a_time_in_their_step(
    pair: tuple[float, float], share: float
) -> None:
    after, before = pair
    threshold = min(after + share * (before - after), math.nextafter(before, 0))
    time = crossing(7, before, after, threshold)
    assert 6 < time <= 7
    assert (time == 7) >= (threshold == after)
    assert crossing(7, before, after, after) == 7


def test_an_infinite_gap_before_the_first_hit_gives_the_whole_step() -> None:
    times = [hitting_time(np.array([math.inf, x]), 1.0) for x in (1.0, 0.5, 0.0)]
    assert times == [1.0, 1.0, 1.0]
    assert hitting_time(np.array([math.nan, 0.5]), 1.0) == 1.0
    assert np.argmin([2.0, *times]) == 1  # no NaN that argmin takes


def test_a_loss_of_minus_infinity_reaches_no_threshold() -> None:
    trace = np.array([3.0, -math.inf, 0.5])
    assert first_hit(trace, 1.0) == 2
    assert first_hits(trace, [1.0, 1e-9]) == [2, None]
    assert hitting_time(np.array([3.0, -math.inf]), 1.0) is None


edges = st.sampled_from([math.inf, 1e308, 1.0 + 2**-52, 1.0, 1.0 - 2**-53, 5e-324, 0.0, -1.0])


@given(st.lists(st.tuples(st.integers(0, 9), edges | st.floats(0, 9), edges), min_size=1))
def test_the_times_of_a_batch_are_those_of_each_descent_alone(
    rows: list[tuple[int, float, float]],
) -> None:
    stopping = Stopping(1.0)
    hits = [(k, before, after) for k, before, after in rows if after <= 1.0 < before]
    if not hits:
        return
    k, before, after = map(np.array, zip(*hits, strict=True))
    all_of, none_of = np.ones(len(k), bool), np.zeros(len(k), bool)
    found = hitting_times(k, after, before, before, [stopping] * len(k), all_of, none_of)
    assert found.tolist() == [crossing(*hit, 1.0) for hit in hits]


@given(st.floats(0.01, 0.99), st.floats(1e-8, 0.5), st.floats(-5, 5))
def test_on_a_geometric_trace_the_hitting_time_is_where_the_curve_crosses(
    rate: float, threshold: float, f_star: float
) -> None:
    steps = math.ceil(math.log(threshold) / math.log(rate)) + 1
    trace = rate ** np.arange(steps + 1)
    time = hitting_time(trace, threshold)
    assert time == pytest.approx(math.log(threshold) / math.log(rate), rel=1e-9, abs=1e-9)


def test_the_formula_of_the_hitting_time_on_two_points() -> None:
    trace = np.array([8.0, 1.0])
    assert hitting_time(trace, 2.0) == pytest.approx(math.log(4) / math.log(8))
    assert hitting_time(trace + 3, 2.0, f_star=3.0) == pytest.approx(math.log(4) / math.log(8))


@pytest.mark.parametrize("below", [0.0, -1e-9, -3.0])
def test_a_gap_of_nothing_still_lies_in_its_step(below: float) -> None:
    time = hitting_time(np.array([1.0, below]), 1e-5)
    assert time is not None
    assert 0 < time <= 1


@given(gaps, st.lists(thresholds, min_size=1, max_size=8))
def test_one_trace_answers_every_threshold(losses: list[float], asked: list[float]) -> None:
    trace = np.array([*losses, math.nan])
    assert first_hits(trace, asked) == [first_hit(np.array(losses), t) for t in asked]


@given(gaps, st.integers(1, 1000))
def test_a_projection_is_more_than_was_allowed_and_at_most_ten_times_the_limit(
    losses: list[float], more: int
) -> None:
    trace = np.array(losses)
    threshold = min(losses) / 2
    stopping = Stopping(threshold, max_iterations=len(losses) - 1 + more, cap=len(losses) - 1)
    time = projected_time(trace, stopping, Status.CAPPED)
    assert stopping.limit + 1 <= time <= max(10 * stopping.max_iterations, stopping.limit + 1)


def test_a_steady_descent_is_projected_to_where_it_would_arrive() -> None:
    trace = 0.9 ** np.arange(21)
    stopping = Stopping(threshold=1e-6, max_iterations=1000, cap=20)
    expected = math.log(1e-6) / math.log(0.9)
    assert projected_time(trace, stopping, Status.CAPPED) == pytest.approx(expected)


@pytest.mark.parametrize("status", [Status.DIVERGED, Status.STALLED])
def test_diverged_and_stalled_count_ten_times_the_limit(status: Status) -> None:
    trace = np.array([1.0, 0.5])
    assert projected_time(trace, Stopping(1e-5, max_iterations=70), status) == 700


@pytest.mark.parametrize(
    ("arguments", "key"),
    [
        ({"threshold": 0.0}, "threshold"),
        ({"threshold": -1.0}, "threshold"),
        ({"threshold": math.nan}, "threshold"),
        ({"threshold": math.inf}, "threshold"),
        ({"threshold": "nan"}, "threshold"),
        ({"threshold": True}, "threshold"),
        ({"max_iterations": 0}, "max_iterations"),
        ({"max_iterations": 1.5}, "max_iterations"),
        ({"cap": -1}, "cap"),
    ],
)
def test_a_stopping_rule_that_cannot_end_well_is_refused(
    arguments: dict[str, object], key: str
) -> None:
    with pytest.raises(BadInput) as error:
        Stopping(**arguments)  # type: ignore[arg-type]
    assert error.value.key == key


def test_every_status_explains_itself() -> None:
    assert all(status.explanation for status in Status)
