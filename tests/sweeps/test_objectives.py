"""Objectives of sweeps: what their values are, what is told, and what cannot be asked."""

from __future__ import annotations

import math
from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from gdexp import GradientDescent, Matrix, Result, Stopping, descend
from gdexp.core import BadInput
from gdexp.descent import Cap, Status
from gdexp.sweeps.budget import Budget
from gdexp.sweeps.objective import Objective, objectives
from gdexp.sweeps.patience import Patience
from gdexp.sweeps.study import TrialRecord


def ended(*losses: float, status: Status | None = None) -> Result:
    """A result with these losses."""
    made = descend(Matrix(), GradientDescent(1.0), Stopping(max_iterations=3, every=1))
    stopping = replace(made.stopping, max_iterations=len(losses) - 1)
    trace = np.array(losses)
    return replace(
        made, trace=trace, stopping=stopping, status=status or Status.MAX_ITERATIONS, seconds=6.0
    )


def test_values_of_a_curve() -> None:
    curve = ended(5, 1, 3)
    assert Objective("best").of_result(curve) == 1
    assert Objective("best", maximize=True).of_result(curve) == 5
    assert Objective("last").of_result(curve) == 3
    assert Objective("value_at", at=0).of_result(curve) == 5
    assert math.isnan(Objective("value_at", at=3).of_result(curve))  # never the nearest
    nan = ended(math.nan, 3, math.nan, 2)
    assert Objective("best").of_result(nan) == 2
    assert Objective("best", maximize=True).of_result(nan) == 3
    assert math.isnan(Objective("best").of_result(ended(math.nan, math.inf)))
    assert math.isnan(Objective("best", "accuracy").of_result(curve))


def record(*results: Result, goal: Any = (), **given: Any) -> TrialRecord:
    many = len(results)
    return TrialRecord.build("r", results, Cap(None), many, [False] * many, goal, **given)


def test_what_is_told() -> None:
    best, last = Objective("best"), Objective("last", maximize=True)
    one = record(ended(5, 1, 3), goal=(best, last))
    assert one.told(2) == (1, 3)
    assert one.can_win
    seeds = record(ended(5, 1, 3), ended(5, 4, 9), goal=(best, last))
    assert seeds.told(2) == (2.5, 6)  # the mean
    lost = record(ended(math.nan, math.nan, status=Status.DIVERGED), goal=(best, last))
    assert lost.told(2) == (math.inf, -math.inf)
    assert not lost.can_win
    early = record(ended(5, 1, 3, status=Status.PLATEAU), goal=(Objective("value_at", at=9),))
    assert early.told(1) == (math.inf,)
    assert not early.can_win
    seconds = record(ended(4, 2, 1), goal=(Objective("seconds"),))
    assert seconds.told(1) == (6.0 * seconds.hitting_time / 2,)
    read = TrialRecord.of(_trial(one))
    assert read == one


def _trial(record: TrialRecord) -> Any:
    class Trial:
        user_attrs = {"gdexp.record": record.as_attribute()}  # noqa: RUF012

    return Trial


def test_a_pruned_trial_never_wins_and_is_told_no_better_than_the_worst_before_it() -> None:
    good = ended(5, 0.1, 0.01, status=Status.PRUNED)
    for goal in ((), (Objective("best"),)):
        pruned = record(good, goal=goal, worst=77.0)
        assert pruned.status == "pruned"
        assert not pruned.can_win
        assert pruned.told(1) == (max(77.0, pruned.hitting_time if not goal else 0.01),)
    assert record(good, goal=(Objective("best"),)).told(1) == (0.01,)
    assert record(good, goal=(Objective("best", maximize=True),), worst=2.0).told(1) == (2.0,)
    seeds = record(ended(5, 1e-6, status=Status.CONVERGED), good, worst=77.0)
    assert (seeds.status, seeds.successes, seeds.can_win) == ("pruned", 1, False)
    whole = record(ended(5, 1e-6, status=Status.CONVERGED), ended(5, 1), pruned=True)
    assert (whole.status, whole.can_win) == ("pruned", False)


def test_patience_counts_improvements_in_any_direction() -> None:
    def waited(goal: list[Objective], *values: tuple[float, ...]) -> list[int]:
        patience, found = Patience(9, goal), []
        for each in values:
            patience.add(replace(record(ended(2, 1)), values=each))
            found.append(patience.waited)
        return found

    assert waited([Objective("best")], (3,), (4,), (2,), (2,)) == [0, 1, 0, 1]
    assert waited([Objective("best", maximize=True)], (3,), (2,), (4,)) == [0, 1, 0]
    both = [Objective("best"), Objective("last")]
    assert waited(both, (1, 1), (0, 2), (2, 0), (2, 2), (0, 0)) == [0, 0, 0, 1, 0]
    pruned = replace(record(ended(2, 1)), values=(0.0,), status="pruned")
    patience = Patience(2, [Objective("best")])
    patience.add(pruned)
    assert patience.waited == 1


def test_what_can_be_asked() -> None:
    def asked(objective: Any, metric: Any = "loss", direction: Any = None, **given: Any) -> Any:
        known = {"budget": None, "mode": None, **given}
        return objectives(objective, metric, direction, **known)

    assert [each.name for each in asked("pareto")] == ["hitting_time", "threshold"]
    assert asked("best") == (Objective("best"),)
    assert asked("value_at:30") == asked("value_at(30)") == asked("value_at", budget=30)
    assert asked("value_at:30")[0].name == "loss_at_30"
    accuracy = asked("best", "accuracy", mode="max")[0]
    assert (accuracy.name, accuracy.maximize) == ("best_accuracy", True)
    assert accuracy.text == "the largest accuracy"
    several = asked(["hitting_time", "last"], [None, "f1"], [None, "maximize"])
    assert [(each.name, each.maximize) for each in several] == [
        ("hitting_time", False),
        ("last_f1", True),
    ]
    for given, words in (
        ({"objective": "bets"}, "did you mean best"),
        ({"objective": []}, "at least one"),
        ({"objective": ["best", "best"]}, "different"),
        ({"objective": "value_at"}, "needs an iteration"),
        ({"objective": "value_at:-1"}, "objective=value_at:-1: must have a whole number of"),
        ({"objective": "best", "metric": "f1"}, "minimize or maximize for the metric f1"),
        ({"objective": "best", "metric": 3}, "name of a metric"),
        ({"objective": "best", "direction": "up"}, "choose from maximize, minimize"),
        ({"objective": "hitting_time", "direction": "maximize"}, "must be minimize"),
        ({"objective": ["best", "last"], "metric": ["a"]}, "must be one, or 2"),
    ):
        with pytest.raises(BadInput, match=words):
            asked(**given)


def test_budgets() -> None:
    assert Budget.parse(None) is None
    assert Budget.parse(500) == ("max_iterations", 500)
    assert Budget.parse("1e3") == ("max_iterations", 1000)
    assert Budget.parse("20epochs") == Budget.parse("20 epochs") == ("max_epochs", 20)
    assert Budget.parse("1.5s") == ("max_seconds", 1.5)
    for bad in ("x", "3 weeks", 0, -1, 1.5, "1.5 epochs", True, [1], "infs"):
        with pytest.raises(BadInput, match="budget"):
            Budget.parse(bad)
