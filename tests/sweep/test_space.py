"""Search spaces in Hydra's grammar, and the plan that is made of them."""

from __future__ import annotations

from typing import Any

import pytest

from gdexp import BadInput, config
from gdexp.sweep.plan import Plan
from gdexp.sweep.space import Space

BASE: config.Config = {
    "problem": {"name": "matrix", "target": None, "x0": None},
    "optimizer": {"name": "gd", "lr": 1.0},
    "stopping": {"threshold": 1e-5, "max_iterations": 1000},
    "seed": 0,
    "dtype": "float32",
    "device": "cpu",
    "tracking": {"uri": None, "experiment": "gdexp"},
}
LR = {"optimizer.lr": "tag(log, interval(0.1, 5))"}


def plan(space: dict[str, Any], swept: list[str] | None = None, fixed: list[str] | None = None,
         **settings: Any) -> Plan:  # fmt: skip
    """A plan from a space, overrides with ranges, fixed keys and further sweep settings."""
    overrides = config.check_given(swept or [])
    composed = {**BASE, "sweep": {"space": space, **settings}}
    return Plan.build(composed, overrides, fixed or [])


def span(low: float, high: float, **given: Any) -> dict[str, Any]:
    """A range as the study remembers it."""
    return {"low": low, "high": high, "log": False, "integer": False, "step": None, **given}


@pytest.mark.parametrize(
    ("text", "definition"),
    [
        ("interval(0.1, 5)", span(0.1, 5.0)),
        ("tag(log, interval(1e-3, 10))", span(1e-3, 10.0, log=True)),
        ("int(interval(1, 9))", span(1, 9, integer=True)),
        ("range(1, 10, 3)", span(1, 7, integer=True, step=3)),
        ("range(0.5, 2, 0.5)", {"choices": [0.5, 1.0, 1.5]}),
        ("choice(1, 2.5, a)", {"choices": [1, 2.5, "a"]}),
        ("1,2,3", {"choices": [1, 2, 3]}),
        ([1, "x"], {"choices": [1, "x"]}),
        (4.5, {"choices": [4.5]}),
    ],
)
def test_hydras_expressions_become_dimensions_and_are_remembered(
    text: Any, definition: dict[str, Any]
) -> None:
    space = Space.parse({"k": text})
    assert space.definition() == {"k": definition}
    assert Space.from_definition(space.definition()) == space


def test_a_finite_space_lists_its_points_the_last_key_fastest() -> None:
    space = Space.parse({"a": "choice(x,y)", "b": "range(1,4)"})
    points = list(space.points())
    assert space.size() == 6
    assert points[:3] == [{"a": "x", "b": 1}, {"a": "x", "b": 2}, {"a": "x", "b": 3}]
    assert [space.point(i) for i in range(6)] == points


def test_choices_that_optuna_cannot_hold_come_back_as_they_were() -> None:
    space = Space.parse({"k": [[16], [8, 4], True, 1]})
    held = [space.dimensions[0].encoded(value) for value in [[16], [8, 4], True, 1]]
    assert [space.decoded({"k": value})["k"] for value in held] == [[16], [8, 4], True, 1]


def test_a_range_on_the_command_line_joins_and_a_plain_value_leaves_the_space() -> None:
    space = {**LR, "stopping.threshold": "interval(1e-6, 1e-2)"}
    made = plan(space, ["optimizer.lr=interval(1,2)"], ["stopping.threshold"])
    assert list(made.space.definition()) == ["optimizer.lr"]
    assert made.space.definition()["optimizer.lr"]["low"] == 1.0


def test_the_name_follows_from_what_is_swept_and_not_from_how_much() -> None:
    name = plan(LR).name
    assert plan(LR, n_trials=7).name == name
    assert plan({"optimizer.lr": "interval(0.1, 5)"}).name != name
    assert plan(LR, sampler="random").name != name
    assert plan(LR, name="mine").name == "mine"


def test_auto_is_a_grid_of_every_point_when_the_space_is_finite() -> None:
    made = plan({"optimizer.lr": [0.1, 1, 4.5]}, n_trials=None, sampler="auto")
    assert (made.sampler.name, made.n_trials) == ("grid", 3)
    made = plan(LR, n_trials=None, sampler="auto")
    assert (made.sampler.name, made.n_trials) == ("tpe", 100)


@pytest.mark.parametrize(
    ("space", "words"),
    [
        ({}, "is empty"),
        ({"optimizer.lrr": "interval(1,2)"}, "did you mean optimizer.lr?"),
        ({"optimizer.lr": "interval(-1,1)"}, "must be > 0"),
        ({"optimizer.lr": "intervall(1,2)"}, "cannot be read"),
        ({"optimizer.lr": "tag(log, interval(0,1))"}, "above 0"),
        ({"optimizer.lr": []}, "at least one value"),
        ({"seed": "interval(0,5)"}, "must be an integer"),
        ({"problem.x0": [[[1.0]]]}, "target's shape"),
    ],
)
def test_a_space_is_checked_at_its_ends_before_any_study_exists(
    space: dict[str, Any], words: str
) -> None:
    with pytest.raises(BadInput) as error:
        plan(space)
    assert words in str(error.value)
