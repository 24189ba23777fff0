"""A race spends a fixed number of descents on the trials that may still be the best."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gdexp.sweeps.evidence import Race, SeedCounts, run_race

FIRST = 3


class Field:
    """Trials whose counts are known for every seed; it notes the descents that are made."""

    def __init__(self, means: Sequence[float], spread: float = 0.2, seed: int = 0) -> None:
        noise = np.random.default_rng(seed).normal(1, spread, (len(means), 400))
        self.table = np.maximum(np.array(means)[:, None] * noise, 1).astype(int)
        self.made = [FIRST] * len(means)

    def counts(self, trial: int, seeds: int) -> SeedCounts:
        return SeedCounts(trial, self.table[trial, :seeds].tolist(), [True] * seeds)

    def ask(self, trials: Sequence[int], seeds: int) -> dict[int, SeedCounts | None]:
        for trial in trials:
            self.made[trial] = max(self.made[trial], seeds)
        return {trial: self.counts(trial, seeds) for trial in trials}

    def race(self, budget: int, had: Mapping[int, int] | None = None) -> Race:
        entrants = [self.counts(trial, FIRST) for trial in range(len(self.table))]
        return run_race(entrants, budget, had or {}, self.ask)


@settings(max_examples=30)
@given(
    st.lists(st.integers(5, 200), min_size=1, max_size=9),
    st.integers(0, 60),
    st.integers(0, 5),
)
def test_a_race_never_makes_more_descents_than_its_budget(
    means: list[float], budget: int, seed: int
) -> None:
    field = Field(means, seed=seed)
    found = field.race(budget)
    assert found.spent == sum(field.made) - FIRST * len(means) <= budget
    assert sorted(each.trial for each in found.runners) == list(range(len(means)))
    assert {each.trial: each.seeds for each in found.runners} == dict(enumerate(field.made))
    assert found.winner == found.survivors[0]
    assert list(found.levels) == sorted(set(found.levels))


def test_trials_at_a_level_have_the_same_seeds_and_the_field_at_least_halves() -> None:
    field = Field([100 + trial for trial in range(16)])
    found = field.race(16 * 7)
    for at, level in enumerate(found.levels):
        reached = [each for each in found.runners if each.seeds >= level]
        assert len(reached) <= max(-(-16 // 2**at), 2)
    assert len({each.seeds for each in found.runners if each.ended == "ran to the end"}) == 1


def test_a_trial_that_was_stopped_says_why() -> None:
    found = Field([20, 21, 22, 300, 320, 340], spread=0.05).race(60)
    ended = {each.trial: each.ended for each in found.runners}
    assert ended[0] == "ran to the end"
    assert {ended[trial] for trial in (3, 4, 5)} == {"behind"}  # three seeds tell nothing apart
    apart = Field([20, 300], spread=0.05).race(60)
    assert [each.ended for each in apart.runners] == ["ran to the end", "told apart"]
    assert apart.spent < apart.budget
    assert "told apart from the leader of that moment" in apart.lines[1]


def test_seeds_that_trials_had_before_cost_nothing() -> None:
    field = Field([50, 52, 54, 90])
    alone = field.race(40)
    had = {each.trial: each.seeds for each in alone.runners}
    again = Field([50, 52, 54, 90]).race(40, had)
    assert again.levels[-1] > alone.levels[-1]
    nothing = Field([50, 52, 54, 90]).race(0, had)
    assert nothing.spent == 0
    assert nothing.winner == alone.winner


def test_a_trial_whose_descent_fails_is_out() -> None:
    field = Field([50, 52, 54, 90])

    def ask(trials: Sequence[int], seeds: int) -> dict[int, SeedCounts | None]:
        return {**field.ask(trials, seeds), 0: None}

    entrants = [field.counts(trial, FIRST) for trial in range(4)]
    found = run_race(entrants, 30, {}, ask)
    assert found.winner != 0
    assert {each.trial: each.ended for each in found.runners}[0] == "failed"


@pytest.mark.parametrize("budget", [0, 1, 3])
def test_a_budget_that_allows_no_level_leaves_all_that_are_not_told_apart(budget: int) -> None:
    found = Field([50] * 8).race(budget)
    assert found.levels == [FIRST]
    assert len(found.survivors) == 8
