"""Axes of charts: where values are, and which ticks are labelled."""

from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gdexp.display.drawing.scale import MOST_TICKS, Scale

finite = st.floats(-1e12, 1e12)


@given(st.lists(finite, min_size=1, max_size=20))
def test_every_value_is_inside_and_larger_values_are_further_along(values: list[float]) -> None:
    scale = Scale.around(values)
    places = [scale.place(value) for value in sorted(values)]
    assert places == sorted(places)
    assert all(0 <= place <= 1 for place in places)


@given(st.lists(finite, min_size=1, max_size=20))
def test_ticks_are_few_inside_and_in_order(values: list[float]) -> None:
    places = [place for place, _ in Scale.around(values).ticks()]
    assert len(places) <= MOST_TICKS
    assert places == sorted(places)
    assert all(0 <= place <= 1 for place in places)


@given(st.lists(st.integers(0, 10**7), min_size=1, max_size=20))
def test_the_ticks_of_whole_numbers_are_whole(values: list[int]) -> None:
    labels = [label for _, label in Scale.around(map(float, values), floor=0.0).ticks()]
    assert labels
    assert all(float(label).is_integer() for label in labels)
    assert len(set(labels)) == len(labels)


@pytest.mark.parametrize(("low", "high"), [(1e-8, 1.0), (1e-300, 1e300), (1.0, 3.0)])
def test_a_log_axis_has_its_ends_where_their_logarithms_are(low: float, high: float) -> None:
    scale = Scale.around([low, high], log=True)
    middle = math.exp((math.log(low) + math.log(high)) / 2)
    assert scale.place(middle) == pytest.approx(0.5)
    assert len(scale.ticks()) >= 2


def test_an_inverted_axis_has_its_largest_value_first() -> None:
    scale = Scale.around([1.0, 2.0], inverted=True)
    assert scale.place(2.0) < scale.place(1.0)


@pytest.mark.parametrize("values", [[], [math.nan], [math.inf, -math.inf]])
def test_what_cannot_be_shown_leaves_an_axis(values: list[float]) -> None:
    assert Scale.around(values).ticks()


@pytest.mark.parametrize(
    ("low", "high", "labels"),
    [
        (7_000.0, 60_000.0, ["10,000", "20,000", "50,000"]),
        (1.0, 30.0, ["1", "2", "5", "10", "20"]),
        (1.0, 3.0, ["1", "2"]),
        (1.0, 1000.0, ["10⁰", "10¹", "10²", "10³"]),
    ],
)
def test_a_short_log_axis_has_ticks_at_one_two_and_five(
    low: float, high: float, labels: list[str]
) -> None:
    assert [label for _, label in Scale.around([low, high], log=True).ticks()] == labels
