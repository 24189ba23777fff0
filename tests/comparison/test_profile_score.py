"""AlgoPerf's score of a performance profile, against its integral by hand."""

from __future__ import annotations

import pytest

from gdexp.comparison.profiles import performance_profile, profile_score


def test_the_score_is_the_mean_of_the_profile_over_ratios() -> None:
    profiles = performance_profile({"a": [10, 10, None], "b": [20, 50, 7]})
    # a: 2/3 from ratio 1 on. b: 1/3 from 1 on, 2/3 from 2 on; its ratio 5 is beyond 4.
    assert profile_score(profiles["a"]) == pytest.approx(2 / 3)
    assert profile_score(profiles["b"]) == pytest.approx((1 / 3 * 1 + 2 / 3 * 2) / 3)
    assert profile_score(profiles["b"], most=6) == pytest.approx((1 / 3 + 2 / 3 * 3 + 1) / 5)


def test_the_fastest_everywhere_scores_1_and_who_solves_nothing_0() -> None:
    profiles = performance_profile({"fast": [1, 2], "never": [None, None]})
    assert [profile_score(each) for each in profiles.values()] == [1.0, 0.0]
