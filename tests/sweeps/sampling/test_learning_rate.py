"""gdexp's own sampler finds the best learning rate from contraction factors."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from itertools import pairwise
from pathlib import Path
from statistics import median
from typing import Any

import optuna
import pytest
from hypothesis import given
from hypothesis import strategies as st
from optuna.distributions import BaseDistribution, CategoricalDistribution, FloatDistribution
from optuna.trial import FrozenTrial, TrialState

from gdexp.cli.main import main
from gdexp.sweeps.sampling import Learned, Outcome, Sampler
from gdexp.sweeps.sampling.contraction import (
    Bracket,
    Tried,
    believed,
    contraction,
    expansion,
    next_rate,
)
from tests.sweeps.test_resume import check_whole, finished

LR, THRESHOLD = "optimizer.lr", "stopping.threshold"
LOW, HIGH = 1e-3, 10.0
LARGEST = math.log(3.4e38)


def learning_rates() -> dict[str, BaseDistribution]:
    return {LR: FloatDistribution(LOW, HIGH, log=True)}


def quadratic(smallest: float, largest: float) -> Callable[[float], Outcome]:
    """The outcome of gradient descent in exact arithmetic, from a gap of 1 to 1e-5."""

    def outcome(rate: float) -> Outcome:
        factor = max(abs(1 - rate * smallest), abs(1 - rate * largest), 1e-9)
        if factor >= 1:
            after = math.ceil(LARGEST / 2 / max(math.log(factor), 1e-9))
            return Outcome(200_000.0, 1e-5, min(after, 20_000), after < 20_000, False, LARGEST)
        return Outcome(math.log(1e-5) / 2 / math.log(factor), 1e-5, 1, False, False, LARGEST)

    return outcome


def known(trial: FrozenTrial) -> Outcome:
    return Outcome(*trial.user_attrs["outcome"])


def tried_by(
    outcome: Callable[[float], Outcome],
    trials: int,
    seed: int,
    space: Mapping[str, BaseDistribution] | None = None,
) -> list[dict[str, Any]]:
    """The parameters that the sampler chooses one after the other."""
    space = learning_rates() if space is None else space
    learned = Learned([LR], THRESHOLD, known)
    study = optuna.create_study()
    for ordinal in range(trials):
        study.sampler = Sampler("learning_rate").for_trial(seed, ordinal, False, space, learned)
        trial = study.ask(dict(space))
        found = outcome(trial.params[LR])
        trial.set_user_attr("outcome", list(found))
        study.tell(trial, found.time)
    return [dict(trial.params) for trial in study.trials]


def trials_until(outcome: Callable[[float], Outcome], best: float, seed: int) -> int:
    """The number of trials until one needs 1 % more iterations than the best rate."""
    times = [outcome(each[LR]).time for each in tried_by(outcome, 20, seed)]
    return next(n for n, time in enumerate(times, 1) if time <= 1.01 * outcome(best).time)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("smallest", "largest", "most"), [(0.02, 1.0, 8), (0.3, 1.0, 8), (0.1, 20.0, 8), (0.5, 0.55, 9)]
)
def test_it_comes_within_a_percent_of_a_quadratics_best_rate_in_few_trials(
    smallest: float, largest: float, most: int
) -> None:
    outcome, best = quadratic(smallest, largest), 2 / (smallest + largest)
    assert median(trials_until(outcome, best, seed) for seed in range(9)) <= most


@given(
    st.lists(st.tuples(st.floats(LOW, HIGH), st.floats(0, 1e20)), min_size=1, max_size=12),
)
def test_a_rate_lies_in_the_range_and_in_the_interval_of_the_best(
    pairs: list[tuple[float, float]],
) -> None:
    tried = [Tried(*pair) for pair in pairs]
    rate = next_rate(tried, LOW, HIGH)
    bracket = Bracket.of(tried, LOW, HIGH)
    if rate is None:
        assert bracket.width < 0.01 or bracket.best.factor >= 1
    else:
        assert LOW <= rate <= HIGH
        within = bracket.low * 0.999999 <= rate <= bracket.high * 1.000001
        assert within or bracket.best.factor >= 1


@given(st.floats(0.01, 0.9), st.floats(1.1, 50))
def test_one_rate_on_each_side_gives_both_lines_of_a_quadratic(
    slow: float, condition: float
) -> None:
    largest = slow * condition
    best = 2 / (slow + largest)
    left, right = best / 3, best * 1.5
    tried = [Tried(rate, max(1 - rate * slow, rate * largest - 1)) for rate in (left, right)]
    rate = next_rate(sorted(tried), LOW * best, HIGH * best)
    assert rate is not None
    on_lines = tried[0].factor < tried[1].factor and 1 - left * slow >= left * largest - 1
    if on_lines:
        assert abs(math.log(rate / best)) < 0.04


def test_factors_are_those_of_the_counts() -> None:
    assert contraction(100.0, 1e-4) ** 200 == pytest.approx(1e-4)
    assert expansion(30, LARGEST) ** 60 == pytest.approx(3.4e38)
    assert contraction(5.0, 0.0) > 0
    assert expansion(0, LARGEST) < math.inf
    assert contraction(math.inf, 1e-5) == 1


def test_rates_that_only_diverge_are_followed_by_smaller_ones() -> None:
    tried = [Tried(5.0, expansion(20, LARGEST))]
    for _ in range(3):
        rate = next_rate(tried, 1e-3, 10.0)
        assert rate is not None
        assert rate < min(each.rate for each in tried)
        tried.append(Tried(rate, 2.0))
    assert next_rate([Tried(1e-3, 2.0)], 1e-3, 10.0) is None


def test_below_the_largest_rate_of_the_range_others_are_tried() -> None:
    # gd on curvature 2/9 alone: the best rate, 4.5, is just below the end of the range
    tried = [Tried(rate, abs(1 - rate * 2 / 9)) for rate in (0.19, 3.4, 5.0)]
    while (rate := next_rate(tried, 0.1, 5.0)) is not None:
        assert all(rate != each.rate for each in tried)
        tried.append(Tried(rate, abs(1 - rate * 2 / 9)))
    assert min(tried, key=lambda each: each.factor).rate == pytest.approx(4.5, rel=0.01)


@given(st.floats(LOW, HIGH))
def test_a_running_trial_is_not_believed_to_be_better_than_the_best(rate: float) -> None:
    tried = [Tried(0.01, 0.9), Tried(0.1, 0.7), Tried(1.0, 2.0)]
    assert believed(tried, rate).factor >= 0.7


def test_workers_that_ask_at_the_same_time_get_different_rates() -> None:
    outcome, learned = quadratic(0.1, 1.0), Learned([LR], THRESHOLD, known)
    study, space = optuna.create_study(), learning_rates()

    def ask(ordinal: int) -> optuna.Trial:
        study.sampler = Sampler("learning_rate").for_trial(0, ordinal, False, space, learned)
        return study.ask()

    for ordinal in range(3):
        trial = ask(ordinal)
        rate = trial.suggest_float(LR, LOW, HIGH, log=True)
        trial.set_user_attr("outcome", list(outcome(rate)))
        study.tell(trial, outcome(rate).time)
    together = [study.ask() for _ in range(4)]  # none of them has chosen yet
    chosen = []
    for trial in reversed(together):
        study.sampler = Sampler("learning_rate").for_trial(0, trial.number, False, space, learned)
        again = optuna.Trial(study, trial._trial_id)
        chosen.append(again.suggest_float(LR, LOW, HIGH, log=True))
    rising = sorted(map(math.log, chosen))
    assert all(after - before > 1e-4 for before, after in pairwise(rising))
    assert all(trial.state is TrialState.RUNNING for trial in study.trials[3:])


def test_other_parameters_are_those_of_the_best_trial_in_every_other_trial() -> None:
    space = {
        "optimizer.momentum": FloatDistribution(0.0, 0.9),
        LR: FloatDistribution(LOW, HIGH, log=True),
        "problem": CategoricalDistribution(["a", "b"]),
    }
    outcome = quadratic(0.1, 1.0)
    chosen = tried_by(outcome, 24, 1, space)
    times = [outcome(each[LR]).time for each in chosen]
    for at in range(10, 24, 2):
        best = chosen[times.index(min(times[:at]))]
        same = {k: v for k, v in best.items() if k != LR}
        if {k: v for k, v in chosen[at].items() if k != LR} != same:
            assert min(times[:at]) <= 1.02 * outcome(2 / 1.1).time  # its rate is known well
    assert min(times) <= 1.02 * outcome(2 / 1.1).time


def test_of_learning_rate_and_threshold_it_tries_the_loosest_one() -> None:
    loosest = 1e-2
    space = {**learning_rates(), THRESHOLD: FloatDistribution(1e-8, loosest, log=True)}
    learned = Learned([LR], THRESHOLD, known)
    study = optuna.create_study()
    for ordinal in range(14):
        study.sampler = Sampler("learning_rate").for_trial(1, ordinal, False, space, learned)
        trial = study.ask(dict(space))
        factor = max(abs(1 - trial.params[LR] * curvature) for curvature in (0.1, 1.0))
        tau = trial.params[THRESHOLD]
        time = 1e5 if factor >= 1 else math.log(tau) / 2 / math.log(factor)
        trial.set_user_attr("outcome", list(Outcome(time, tau, 99, factor > 1, False, LARGEST)))
        study.tell(trial, time)
    thresholds = [trial.params[THRESHOLD] for trial in study.trials]
    assert thresholds.count(loosest) >= 4
    assert len(set(thresholds)) >= 3  # the first trials, and those after the best rate is known
    found = min(study.trials, key=lambda trial: trial.values[0])
    assert found.params[THRESHOLD] == loosest
    assert found.params[LR] == pytest.approx(2 / 1.1, rel=0.02)


@pytest.mark.slow
def test_a_sweep_with_it_finds_the_best_rate_of_the_matrix(here: Path) -> None:
    line = ["+sweep", "sweep.name=s", "stopping.threshold=1e-5", "sweep.sampler=learning_rate"]
    assert main([*line, "sweep.n_trials=6"]) == 0
    assert main([*line, "sweep.n_trials=12"]) == 0  # goes on where it stopped
    check_whole(here, 12)
    assert min(trial.values[0] for trial in finished(here)) <= 1


@pytest.mark.slow
def test_where_it_has_no_learning_rate_or_count_it_is_refused(
    here: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    others = (
        ["+sweep=manual", "stopping.threshold=interval(1e-6,1e-2)"],
        ["+sweep=pareto"],
        ["+sweep=manual", "optimizer.lr=choice(0.1,1)"],
    )
    for line in others:
        assert main([*line, "sweep.sampler=learning_rate"]) == 2
        assert "needs a range of optimizer.lr" in capsys.readouterr().err
    assert not list(here.iterdir())
