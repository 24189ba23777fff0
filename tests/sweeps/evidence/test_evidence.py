"""Intervals cover what they should, tests err as rarely as they say, sentences are true."""

from __future__ import annotations

import math
from itertools import product

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import special

from gdexp.sweeps.evidence import SeedCounts, evidence_of
from gdexp.sweeps.evidence.bootstrap import interval, resampled_seeds
from gdexp.sweeps.evidence.running_time import wins_and_losses
from gdexp.sweeps.evidence.sign_test import pairs_to_tell, sign_test


def drawn(
    random: np.random.Generator, trial: int, seeds: int, *, mean: float = 100, success: float = 1.0
) -> SeedCounts:
    """Counts as many descents have them: skewed, and some without success."""
    counts = 1 + random.gamma(4, mean / 4, seeds).astype(int)
    reached = random.random(seeds) < success
    return SeedCounts(trial, counts.tolist(), reached.tolist())


@pytest.mark.slow
@given(st.integers(0, 60), st.integers(0, 60))
def test_the_sign_test_is_the_binomial_one(wins: int, losses: int) -> None:
    if wins + losses:
        known = special.bdtrc(wins - 1, wins + losses, 0.5) if wins else 1.0
        assert math.isclose(sign_test(wins, losses), known, rel_tol=1e-9)
    else:
        assert sign_test(0, 0) == 1


@pytest.mark.parametrize("seeds", range(1, 10))
def test_the_sign_test_errs_in_at_most_five_of_a_hundred(seeds: int) -> None:
    """All ways in which fair coins can fall are tried."""
    falls = list(product((True, False), repeat=seeds))
    errors = sum(sign_test(sum(fall), seeds - sum(fall)) <= 0.05 for fall in falls)
    assert errors <= 0.05 * len(falls)
    assert bool(errors) == (seeds >= 5)  # four seeds never tell


@pytest.mark.parametrize(("seeds", "success"), [(10, 1.0), (20, 0.8), (30, 0.5)])
def test_intervals_cover_the_expected_running_time(seeds: int, success: float) -> None:
    """Of intervals of 95 % at least 90 hold the true value, with these skewed counts."""
    random = np.random.default_rng(seeds)
    cases, draws = 400, resampled_seeds(seeds, 400)
    truth = 1 + 100 - 0.5  # the mean of a floor is half a unit lower
    covered = 0
    for _ in range(cases):
        trial = drawn(random, 0, seeds, success=success)
        low, high = interval(trial.resampled(draws), seeds)
        covered += low <= truth / success <= high
    assert covered / cases >= 0.9


def test_equal_trials_are_told_apart_as_rarely_as_is_said() -> None:
    random = np.random.default_rng(3)
    for seeds in (5, 9, 12):
        cases = 150 if seeds > 9 else 400
        errors = 0
        for _ in range(cases):
            one, other = (drawn(random, trial, seeds) for trial in (0, 1))
            errors += evidence_of(one, [other]).others[0].is_worse
        assert errors / cases <= 0.05 + 2.5 * math.sqrt(0.05 * 0.95 / cases)


def test_a_trial_that_needs_twice_as_many_is_told_apart() -> None:
    random = np.random.default_rng(4)
    for seeds in (8, 20):
        one, other = drawn(random, 0, seeds, mean=50), drawn(random, 1, seeds, mean=200)
        found = evidence_of(one, [other])
        assert found.others[0].is_worse
        assert "told apart from the other trial" in str(found)


def test_pairs_matter_more_than_spreads() -> None:
    """A trial that needs 3 % more on every seed is told apart though the seeds differ tenfold."""
    counts = [100 * (1 + seed) for seed in range(12)]
    one = SeedCounts(0, counts, [True] * 12)
    other = SeedCounts(1, [round(1.03 * each) for each in counts], [True] * 12)
    found = evidence_of(one, [other])
    assert found.others[0].is_worse
    assert found.best.low is not None
    assert found.best.high is not None
    assert found.best.high > 1.3 * found.best.low


@pytest.mark.parametrize("seeds", [1, 2, 3, 4])
def test_with_few_seeds_nothing_is_claimed(seeds: int) -> None:
    one, other = (
        SeedCounts(0, [1] * seeds, [True] * seeds),
        SeedCounts(1, [99] * seeds, [True] * seeds),
    )
    found = evidence_of(one, [other])
    assert not found.others[0].is_worse
    assert f"{seeds} seeds cannot tell trials apart" in str(found)
    assert found.others[0].p_value is None


def test_the_sentence_names_the_trials_that_are_not_told_apart() -> None:
    random = np.random.default_rng(5)
    alike = [drawn(random, trial, 12) for trial in (12, 31, 4)]
    worse = drawn(random, 7, 12, mean=900)
    best, *others = sorted(alike, key=lambda each: each.expected)
    found = evidence_of(best, [*others, worse])
    named = [each.trial for each in found.contenders]
    assert sorted(named) == sorted(each.trial for each in others)
    assert f"not distinguishable from trials {named[0]}, {named[1]}" in str(found)
    assert found.best.best_share is not None
    shares = [found.best.best_share, *(each.best_share or 0 for each in found.others)]
    assert math.isclose(sum(shares), 1)


def test_the_seeds_that_would_tell_do_tell_where_the_difference_stays() -> None:
    assert pairs_to_tell(5, 4, 9) is not None
    wanted = pairs_to_tell(7, 2, 9)
    assert wanted is not None
    assert sign_test(round(wanted * 7 / 9), round(wanted * 2 / 9)) <= 0.05
    assert pairs_to_tell(3, 3, 6) is None
    random = np.random.default_rng(11)
    told = cases = 0
    for _ in range(60):
        one, other = drawn(random, 0, 12, mean=100), drawn(random, 1, 12, mean=130)
        first = evidence_of(one, [other]).others[0]
        if first.seeds_to_tell is None or first.seeds_to_tell > 200:
            continue
        times = -(-first.seeds_to_tell * 2 // 12)  # twice as many: the same counts again
        more = [
            SeedCounts(t.trial, [*t.counts] * times, [*t.reached] * times) for t in (one, other)
        ]
        told += evidence_of(more[0], [more[1]]).others[0].is_worse
        cases += 1
    assert cases > 10
    assert told == cases


def test_a_failure_counts_as_the_expected_running_time_counts_it() -> None:
    trial = SeedCounts(0, [10, 100, 20], [True, False, True])
    assert trial.expected == 65
    assert wins_and_losses(trial, SeedCounts(1, [11, 5, 20], [True, False, True])) == (1, 0)
    assert wins_and_losses(trial, SeedCounts(1, [11, 90, 20], [True, True, True])) == (1, 1)
    hopeless = SeedCounts(1, [1] * 12, [False] * 12)
    found = evidence_of(SeedCounts(0, [50] * 12, [True] * 12), [hopeless])
    assert found.others[0].is_worse
    assert found.others[0].expected == math.inf
    assert found.others[0].high == math.inf


def test_seeds_that_change_nothing_are_no_evidence() -> None:
    one, other = (SeedCounts(n, [c] * 12, [True] * 12) for n, c in ((0, 159), (1, 160)))
    assert str(evidence_of(one, [other])) == (
        "all 12 seeds give the same counts, and tell no more than one seed"
    )
    assert evidence_of(one, [other]).interval_text == ""
    tied = evidence_of(one, [SeedCounts(4, one.counts, one.reached), other])
    assert str(tied).endswith("; as many: trial 4")


def test_several_problems_have_the_geometric_mean_of_their_running_times() -> None:
    """By problem and then by seed; a seed is one pair, with all problems."""
    counts, reached = [10, 30, 50, 100, 300, 500], [True, True, True, True, True, False]
    one = SeedCounts(0, counts, reached, problems=2)
    assert (one.seeds, one.units) == (3, 3)
    assert one.on_problems == [30, 450]
    assert one.expected == pytest.approx(math.sqrt(30 * 450))
    other = SeedCounts(1, [11, 30, 50, 100, 290, 1], [True] * 6, problems=2)
    assert wins_and_losses(one, other) == (1, 2)
    draws = np.array([[0, 1, 2], [0, 0, 0], [2, 2, 2], [0, 1, 1]])
    expected = [one.expected, math.sqrt(10 * 100), math.inf, math.sqrt(70 / 3 * 700 / 3)]
    assert one.resampled(draws).tolist() == pytest.approx(expected)
    more = one.with_more(SeedCounts(0, [7, 8], [True, False], problems=2))
    assert more.counts == (10, 30, 50, 7, 100, 300, 500, 8)
    assert more.reached == (True, True, True, True, True, True, False, False)


def test_with_one_seed_the_problems_are_the_sample() -> None:
    rates = [SeedCounts(t, [c * (t + 1) for c in range(5, 17)], [True] * 12, 12) for t in (0, 1)]
    found = evidence_of(rates[0], rates[1:])
    assert str(found).startswith("told apart from the other trial (paired bootstrap of 12 problems")
    assert found.others[0].ratio == pytest.approx(2)
    assert (found.others[0].ratio_low, found.others[0].ratio_high) == pytest.approx((2, 2))
    few = evidence_of(*(SeedCounts(t, [5, 6, 7], [True] * 3, 3) for t in (0,)), [])
    assert str(few).startswith("3 problems cannot tell trials apart")
    failed = SeedCounts(2, range(12), [True] * 11 + [False], 12)
    assert failed.expected == math.inf


def test_problems_with_the_same_starts_are_no_further_evidence() -> None:
    """Equal trials on ten copies of one problem: as rarely told apart as on one."""
    random = np.random.default_rng(8)
    cases, errors = 150, 0
    for _ in range(cases):
        one, other = (drawn(random, trial, 10) for trial in (0, 1))
        copied = [
            SeedCounts(e.trial, [*e.counts] * 10, [*e.reached] * 10, 10) for e in (one, other)
        ]
        found = evidence_of(copied[0], [copied[1]]).others[0].is_worse
        assert found == evidence_of(one, [other]).others[0].is_worse
        errors += found
    assert errors / cases <= 0.05 + 2.5 * math.sqrt(0.05 * 0.95 / cases)


def test_the_draws_are_the_same_everywhere() -> None:
    assert resampled_seeds(10, 3).tolist() == [
        [1, 7, 4, 3, 1, 4, 7, 7, 3, 1],
        [0, 4, 2, 9, 3, 6, 4, 8, 6, 7],
        [2, 4, 4, 5, 1, 7, 8, 7, 3, 8],
    ]
    assert resampled_seeds(7).min() == 0
    assert resampled_seeds(7).max() == 6
