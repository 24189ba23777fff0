"""The front against its definition."""

from __future__ import annotations

import math
from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st

from gdexp.sweeps.results.pareto_front import non_dominated

# Few values, so that ties of one number and of both are common.
values = st.one_of(st.integers(0, 6).map(float), st.just(math.inf))
many = st.lists(st.tuples(values, values), max_size=40)


def beats(a: tuple[float, float], b: tuple[float, float]) -> bool:
    return a[0] <= b[0] and a[1] <= b[1] and a != b


@given(many)
def test_the_front_is_what_no_other_beats(points: list[tuple[float, float]]) -> None:
    wanted = [
        i
        for i, point in enumerate(points)
        if not any(beats(other, point) for other in points) and points.index(point) == i
    ]
    assert non_dominated(points) == sorted(wanted, key=lambda i: points[i])


@given(many)
def test_a_tighter_threshold_costs_more(points: list[tuple[float, float]]) -> None:
    chosen = [points[i] for i in non_dominated(points)]
    for (threshold, time), (looser, sooner) in pairwise(chosen):
        assert threshold < looser
        assert time > sooner


@given(many, st.randoms())
def test_the_order_of_the_trials_decides_only_between_equals(
    points: list[tuple[float, float]], random: object
) -> None:
    shuffled = sorted(points, key=lambda _: random.random())  # type: ignore[attr-defined]
    assert [points[i] for i in non_dominated(points)] == [
        shuffled[i] for i in non_dominated(shuffled)
    ]


def test_what_is_not_a_number_is_left_out() -> None:
    assert non_dominated([(math.nan, 1.0), (1e-5, 19.0), (1e-5, math.nan), (1e-6, 23.0)]) == [3, 1]
    assert non_dominated([]) == []
