"""Optuna's pruners, asked in memory: the same verdicts as in a study of Optuna's own."""

from __future__ import annotations

import math
import random
from collections.abc import Mapping, Sequence
from typing import Any

import optuna
import pytest
from optuna.trial import TrialState

from gdexp.core import BadInput
from gdexp.descent import Status
from gdexp.sweeps.objective import Objective
from gdexp.sweeps.pruning import FinishedReadings, PrunedTrials, Pruner, Reading

CHOICES: Mapping[str, Mapping[str, Any]] = {
    "median": {"n_startup_trials": 2, "n_warmup_steps": 2},
    "percentile": {"percentile": 60.0, "n_startup_trials": 1, "interval_steps": 3},
    "successive_halving": {"min_resource": 1, "reduction_factor": 2},
    "hyperband": {"min_resource": 1, "max_resource": 20, "reduction_factor": 3},
    "patience": {"patience": 2, "wrapped": {"name": "median", "n_startup_trials": 1}},
}
STEPS = 20


def curves(seed: int, count: int = 24) -> list[list[float]]:
    """Curves that fall at different rates with noise."""
    chosen = random.Random(seed)
    rates = [chosen.uniform(0.01, 0.5) for _ in range(count)]
    return [
        [math.exp(-rate * k) + 0.1 * chosen.random() for k in range(STEPS + 1)] for rate in rates
    ]


def trials_of(name: str, options: Mapping[str, Any], maximize: bool) -> PrunedTrials:
    objective = Objective("best", "m", maximize)
    return PrunedTrials(
        Pruner.parse({"name": name, **options}), "study", objective, "m", maximize=maximize
    )


def run(trials: PrunedTrials, number: int, curve: Sequence[float]) -> int | None:
    """Run a trial to its end; return the step at which it was pruned."""
    pruning = trials.begin(number)
    pruned_at = None
    for step, value in enumerate(curve):
        if pruning.reading(step, {"m": value, "other": 0.0}, 0.0) is Status.PRUNED:
            pruned_at = step
            break
    status = Status.MAX_ITERATIONS if pruned_at is None else Status.PRUNED
    assert [each.step for each in pruning.readings] == list(range(len(pruning.readings)))
    trials.add(number, FinishedReadings(status, min(curve), pruning.readings))
    return pruned_at


def by_optuna(pruner: Any, curves: Sequence[Sequence[float]], maximize: bool) -> list[int | None]:
    """The same trials in a study of Optuna's own."""
    optuna.logging.set_verbosity(optuna.logging.ERROR)
    direction = "maximize" if maximize else "minimize"
    study = optuna.create_study(study_name="study", direction=direction, pruner=pruner)
    found: list[int | None] = []
    for curve in curves:
        trial = study.ask()
        found.append(None)
        for step, value in enumerate(curve):
            trial.report(value, step)
            if trial.should_prune():
                found[-1] = step
                break
        state = TrialState.COMPLETE if found[-1] is None else TrialState.PRUNED
        study.tell(trial, min(curve) if found[-1] is None else None, state=state)
    return found


@pytest.mark.slow
@pytest.mark.parametrize("maximize", [False, True])
@pytest.mark.parametrize("name", list(CHOICES))
def test_verdicts_are_optunas(name: str, maximize: bool) -> None:
    made = [[-v for v in each] if maximize else each for each in curves(3)]
    trials = trials_of(name, CHOICES[name], maximize)
    found = [run(trials, number, curve) for number, curve in enumerate(made)]
    assert found == by_optuna(trials.pruner.build(STEPS), made, maximize)
    assert any(step is not None for step in found)
    assert None in found


@pytest.mark.slow
@pytest.mark.parametrize("name", list(CHOICES))
def test_a_continued_sweep_prunes_as_an_unbroken_one(name: str) -> None:
    made = curves(5)
    whole = trials_of(name, CHOICES[name], False)
    found: list[int | None] = []
    finished: list[FinishedReadings] = []
    for number, curve in enumerate(made):
        again = trials_of(name, CHOICES[name], False)  # as a process that has just begun
        for other, each in enumerate(finished):
            again.add(other, each)
        step = run(whole, number, curve)
        assert run(again, number, curve) == step
        status = Status.MAX_ITERATIONS if step is None else Status.PRUNED
        end = STEPS if step is None else step
        readings = [Reading(k, curve[k]) for k in range(end + 1)]
        finished.append(FinishedReadings(status, min(curve), readings))
        found.append(step)
    assert any(step is not None for step in found)


@pytest.mark.parametrize("maximize", [False, True])
@pytest.mark.parametrize("name", [*CHOICES, "wilcoxon"])
def test_readings_that_are_no_numbers(name: str, maximize: bool) -> None:
    options = CHOICES.get(name, {})
    trials = trials_of(name, options, maximize)
    for number in range(4):
        run(trials, number, [1.0, 0.5, 0.4, 0.3, 0.2])
    number = 4
    for bad in (math.nan, -math.inf if maximize else math.inf):
        run(trials, number, [bad] * 5)
        run(trials, number + 1, [1.0, bad, 0.1, bad, 0.1])
        number += 2
    assert run(trials, number, [0.0] * 5 if not maximize else [2.0] * 5) is None  # the best of all


def test_nan_alone_is_pruned_by_the_median_and_never_by_wilcoxon() -> None:
    median = trials_of("median", {"n_startup_trials": 1}, False)
    run(median, 0, [1.0] * 5)
    assert run(median, 1, [math.nan] * 5) == 0
    wilcoxon = trials_of("wilcoxon", {}, False)
    run(wilcoxon, 0, [1.0] * 5)
    assert run(wilcoxon, 1, [math.nan] * 5) is None


def test_a_trial_that_ended_early_by_itself_is_compared_with_later_steps() -> None:
    for name, options in (
        ("median", {"n_startup_trials": 2}),
        ("successive_halving", {"min_resource": 4, "reduction_factor": 2}),
    ):
        trials = trials_of(name, options, False)
        for number in range(3):  # converged at step 3
            readings = [Reading(k, 0.5**k) for k in range(4)]
            trials.add(number, FinishedReadings(Status.CONVERGED, 3.0, readings))
        slow = [1 - 0.01 * k for k in range(STEPS)]
        assert run(trials, 3, slow) is not None
        kept = trials_of(name, options, False)  # trials that were pruned do not hold
        for number in range(3):
            kept.add(number, FinishedReadings(Status.PRUNED, 3.0, [Reading(0, 1.0)]))
        assert run(kept, 3, slow) is None


def test_automatic_lengths_follow_from_the_first_trial_that_did_not_break_down() -> None:
    trials = trials_of("successive_halving", {}, False)
    assert trials.pruner.needs_length
    trials.add(0, FinishedReadings(Status.DIVERGED, 1.0, [Reading(0, 1.0), Reading(1, math.inf)]))
    assert run(trials, 1, curves(1)[0]) is None  # nothing is known of the length yet
    later = trials_of("successive_halving", {}, False)
    readings = [Reading(k, 1.0) for k in range(0, 1001, 10)]
    later.add(4, FinishedReadings(Status.CONVERGED, 1.0, readings))
    earlier = [Reading(k, 1.0) for k in range(0, 401, 10)]
    later.add(2, FinishedReadings(Status.CONVERGED, 1.0, earlier))  # of another worker
    pruning = later.begin(5)
    assert pruning.reading(0, {"m": 9.0}, 0) is None
    assert pruning.reading(4, {"m": 9.0}, 0) is Status.PRUNED  # 400 // 100


def test_a_descent_that_begins_again_is_heard_from_the_start() -> None:
    trials = trials_of("median", {}, False)
    pruning = trials.begin(0)
    for step in (0, 1, 2, 0, 1):
        pruning.reading(step, {"m": 1.0}, 0)
    assert [each.step for each in pruning.readings] == [0, 1]


@pytest.mark.parametrize(
    ("given", "words"),
    [
        ("media", "did you mean median"),
        ({"name": "median", "n_startup": 3}, "did you mean n_startup_trials"),
        ({"name": "median", "n_startup_trials": -1}, "refused by Optuna"),
        ({"name": "hyperband", "max_resource": "x"}, "refused by Optuna"),
        ({"name": "none", "patience": 1}, "takes no options"),
        ({"name": "patience", "wrapped": "medians"}, "did you mean median"),
        (3, "choose from"),
    ],
)
def test_a_choice_that_is_refused(given: object, words: str) -> None:
    with pytest.raises(BadInput, match=words):
        Pruner.parse(given)
