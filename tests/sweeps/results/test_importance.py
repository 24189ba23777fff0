"""What the hitting time depends on: known answers, and trials of every odd kind."""

from __future__ import annotations

import math
import random
from typing import Any

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from optuna.distributions import (
    BaseDistribution,
    CategoricalDistribution,
    FloatDistribution,
    IntDistribution,
)
from optuna.trial import FrozenTrial, TrialState, create_trial

from gdexp.sweeps.results import forest, importance
from gdexp.sweeps.results.importance import importances

LR, THRESHOLD = "optimizer.lr", "stopping.threshold"
RANGES: dict[str, BaseDistribution] = {
    LR: FloatDistribution(1e-3, 4, log=True),
    THRESHOLD: FloatDistribution(1e-9, 1e-7),
    "seed": IntDistribution(0, 10),
    "dtype": CategoricalDistribution(["float32", "float64"]),
    "problem.bias": CategoricalDistribution([True, 1, "1", None]),
}


def trial(params: dict[str, Any], value: float) -> FrozenTrial:
    ranges = {name: RANGES.get(name, RANGES[LR]) for name in params}
    return create_trial(params=params, distributions=ranges, value=value)


def drawn(count: int, seed: int = 0) -> list[dict[str, Any]]:
    r = random.Random(seed)
    return [
        {
            LR: 10 ** r.uniform(-3, 0.6),
            THRESHOLD: 10 ** r.uniform(-9, -7),
            "dtype": r.choice(["float32", "float64"]),
        }
        for _ in range(count)
    ]


def test_what_decides_has_the_largest_share() -> None:
    found = importances([trial(p, 30 / p[LR]) for p in drawn(200)])
    assert next(iter(found)) == LR
    assert found[LR] > 0.95
    assert sum(found.values()) == pytest.approx(1)
    # Thresholds differ by less than 1e-7 here, which a forest would not tell apart.
    found = importances([trial(p, -math.log(p[THRESHOLD])) for p in drawn(200)])
    assert found[THRESHOLD] > 0.95
    found = importances([trial(p, 1e3 if p["dtype"] == "float32" else 2.0) for p in drawn(200)])
    assert found["dtype"] == pytest.approx(1)


def test_both_count_where_both_decide() -> None:
    found = importances([trial(p, -math.log(p[THRESHOLD]) / p[LR] ** 0.03) for p in drawn(300)])
    assert 0.2 < found[LR] < 0.8
    assert found["dtype"] < 0.1


def test_a_key_that_only_some_trials_have() -> None:
    trials = []
    for i, p in enumerate(drawn(200)):
        if i % 2:
            trials.append(trial({"dtype": "float32", "optimizer.adam.lr": p[LR]}, 30 / p[LR]))
        else:
            trials.append(trial({"dtype": "float64", "optimizer.gd.lr": p[LR]}, 50.0))
    found = importances(trials)
    assert set(found) == {"dtype", "optimizer.adam.lr", "optimizer.gd.lr"}
    assert found["optimizer.adam.lr"] > 0.8
    assert found["optimizer.gd.lr"] < 0.1


def test_the_answer_does_not_change() -> None:
    trials = [trial(p, 30 / p[LR]) for p in drawn(100)]
    assert importances(trials) == importances(trials)


def test_nothing_is_said_of_nothing() -> None:
    few = [trial(p, 30 / p[LR]) for p in drawn(49)]
    assert importances([]) == importances(few) == {}
    assert importances([trial(p, 19.0) for p in drawn(60)]) == {}
    assert importances([trial({LR: 1.0}, float(i)) for i in range(60)]) == {}
    assert importances([trial({}, float(i)) for i in range(60)]) == {}


def test_a_single_key_that_varies_is_all() -> None:
    alone = importances([trial({LR: p[LR]}, 30 / p[LR]) for p in drawn(60)])
    assert alone == {LR: 1.0}
    beside = importances([trial({"seed": 3, LR: p[LR]}, 30 / p[LR]) for p in drawn(60)])
    assert beside == {LR: 1.0, "seed": 0.0}


def test_trials_that_failed_or_diverged() -> None:
    trials = [trial(p, math.inf if p[LR] > 2 else 30 / p[LR]) for p in drawn(100)]
    failed = create_trial(state=TrialState.FAIL)
    assert importances([failed, *trials, failed])[LR] > 0.9
    assert importances([trial(p, math.inf) for p in drawn(60)]) == {}


@pytest.mark.slow
def test_of_many_trials_some_spread_over_all_are_looked_at(monkeypatch: Any) -> None:
    monkeypatch.setattr(importance, "MOST_TRIALS", 60)
    trials = [trial(p, 30 / p[LR]) for p in drawn(5000)]
    seen: list[int] = []
    decreases = forest.impurity_decreases

    def counted(columns: Any, values: Any, trees: int, seed: int) -> Any:
        seen.append(len(values))
        return decreases(columns, values, trees, seed)

    monkeypatch.setattr(importance, "impurity_decreases", counted)
    assert importances(trials)[LR] > 0.8
    assert seen == [60]


values = st.one_of(st.floats(0, 1e6), st.just(math.inf), st.just(math.nan), st.just(19.0))
parameters = st.fixed_dictionaries(
    {},
    optional={
        LR: st.sampled_from([1e-3, 0.1, 1.0, 4.0]),
        THRESHOLD: st.floats(1e-9, 1e-7),
        "seed": st.integers(0, 10),
        "dtype": st.sampled_from(["float32", "float64"]),
        "problem.bias": st.sampled_from([True, 1, "1", None]),
    },
)


def test_a_key_that_plays_no_part_has_a_small_share_from_the_first_trials_on() -> None:
    """Of the fewest trials that are looked at, whatever they are: two such keys beside one."""
    idle = []
    for seed in range(10):
        trials = [trial(p, 30 / p[LR]) for p in drawn(importance.FEWEST_TRIALS, seed)]
        found = importances(trials)
        assert next(iter(found)) == LR
        idle.append(1 - found[LR])
    assert max(idle) < 0.1


@settings(max_examples=40)
@example([({}, math.inf), ({}, math.inf), ({LR: 1e-3}, math.inf), ({THRESHOLD: 9e-8}, 9e-159)])
@given(st.lists(st.tuples(parameters, values), max_size=12))
def test_whatever_the_trials_are(given_trials: list[tuple[dict[str, Any], float]]) -> None:
    trials = []
    for params, value in given_trials:
        made = trial(params, 0.0)
        made.values = [value]
        trials.append(made)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(importance, "FEWEST_TRIALS", 4)
        found = importances(trials)
    assert set(found) <= {name for params, _ in given_trials for name in params}
    assert all(0 <= share <= 1 for share in found.values())
    assert list(found.values()) == sorted(found.values(), reverse=True)
    if found:
        assert sum(found.values()) == pytest.approx(1)
