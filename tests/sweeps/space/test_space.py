"""Search spaces in Hydra's grammar, and the plan that is made of them."""

from __future__ import annotations

import copy
from functools import cache
from typing import Any

import optuna
import pytest

from gdexp import BadInput, config
from gdexp.sweeps.early_trials import first_trials
from gdexp.sweeps.plan import Plan
from gdexp.sweeps.space.composition import compose_space
from gdexp.sweeps.space.space import Space, dimensions
from tests.support.commands import composed

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


def plan(space: dict[str, Any], line: list[str] | None = None, **settings: Any) -> Plan:
    """A plan from a space, a command line and further sweep settings."""

    def compose(lines: list[str]) -> config.Config:
        return {**BASE, "sweep": {"space": space, **settings}}

    return Plan.build(*compose_space(config.parse_overrides(line or []), compose))


@cache
def planned(*line: str) -> Plan:
    """A plan from a command line and the shipped files."""
    overrides = config.parse_overrides(line)
    return Plan.build(*compose_space(overrides, lambda lines: composed(*lines)))


def parsed(given: dict[str, Any]) -> Space:
    """A space of keys alone."""
    return Space.build(dimensions(given), {})


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
    space = parsed({"k": text})
    assert space.definition() == {"k": definition}
    assert Space.from_definition(space.definition(), {}) == space


def test_a_finite_space_lists_its_points_the_last_key_fastest() -> None:
    space = parsed({"a": "choice(x,y)", "b": "range(1,4)"})
    points = list(space.points())
    assert space.size() == 6
    assert points[:3] == [{"a": "x", "b": 1}, {"a": "x", "b": 2}, {"a": "x", "b": 3}]
    assert [space.point(i) for i in range(6)] == points


def test_choices_that_optuna_cannot_hold_come_back_as_they_were() -> None:
    space = parsed({"k": [[16], [8, 4], True, 1]})
    held = [space.dimensions[0].encoded(value) for value in [[16], [8, 4], True, 1]]
    assert [space.decoded({"k": value})["k"] for value in held] == [[16], [8, 4], True, 1]


def test_quoted_texts_inside_the_choices_are_texts() -> None:
    (d,) = dimensions({"problem.arguments": "{note:'a b'},[['c d'],'e']"})
    assert d.choices == ({"note": "a b"}, [["c d"], "e"])
    assert [type(value) for value in d.choices] == [dict, list]
    assert type(d.choices[0]["note"]) is str


def test_a_range_on_the_command_line_joins_and_a_plain_value_leaves_the_space() -> None:
    space = {**LR, "stopping.threshold": "interval(1e-6, 1e-2)"}
    made = plan(space, ["optimizer.lr=interval(1,2)", "stopping.threshold=1e-5"])
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
    assert (made.sampler.name, made.n_trials) == ("learning_rate", 100)


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


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("tag(lg,interval(0.1,1))", "has the tag lg; only log is one: tag(log,interval(a,b))"),
        ("tag(log,lg,interval(0.1,1))", "has the tag lg"),
        ("tag(log,range(1,10))", "has a tag, which only interval(a,b) takes"),
        ("tag(log,choice(1,10))", "has a tag, which only interval(a,b) takes"),
        ("shuffle(choice(1,2,3))", "cannot be shuffled"),
        ("shuffle(range(1,9))", "cannot be shuffled"),
        ("choice(choice(1,2),3)", "=choice(choice(1,2),3): must list values"),
        ("int(interval(1.9,3.9))", "int() would cut 1.9; write whole numbers"),
        ("int(interval(1,3.9))", "int() would cut 3.9"),
        ("int(interval(1,39e-1))", "int() would cut 39e-1"),
        ("int(tag(log,interval(1.5,3)))", "int() would cut 1.5"),
        ("tag(log, int(interval(1.5, 3)))", "int() would cut 1.5"),
        ("int(choice(1.5,2))", "int() would cut 1.5"),
        ("int(range(1,3,.5))", "int() would cut .5"),
    ],
)
def test_what_an_expression_would_drop_in_silence_is_refused(text: str, words: str) -> None:
    with pytest.raises(BadInput) as error:
        parsed({"optimizer.lr": text})
    assert words in str(error.value)


@pytest.mark.parametrize(
    ("text", "definition"),
    [
        ("int(interval(1.0, 1e2))", span(1, 100, integer=True)),
        ("int(tag(log,interval(1,100)))", span(1, 100, integer=True, log=True)),
        ("float(interval(1,3))", span(1.0, 3.0)),
        ("tag(log,interval(1.5,3.5))", span(1.5, 3.5, log=True)),
        ("sort(choice(3,1.5,2))", {"choices": [1.5, 2, 3]}),
        ("choice(print(1.5),2)", None),
    ],
)
def test_what_it_says_is_what_is_swept(text: str, definition: dict[str, Any] | None) -> None:
    if definition is None:
        with pytest.raises(BadInput):
            parsed({"k": text})
    else:
        assert parsed({"k": text}).definition() == {"k": definition}


def test_the_seed_of_the_last_descent_is_a_seed_too() -> None:
    most = 2**63 - 1
    assert planned("+sweep=default", f"seed={most - 1}", "sweep.seeds=2").settings.seeds == 2
    with pytest.raises(BadInput, match=f"seed={most}: must be at most {most - 1} with sweep.seed"):
        planned("+sweep=default", f"seed={most}", "sweep.seeds=2")


@pytest.mark.slow
def test_each_rule_has_a_range_of_its_own_or_shares_one() -> None:
    made = planned(
        "+sweep=manual", "optimizer=choice(gd,momentum,adam)", "optimizer.lr=interval(1,2)",
        "optimizer.adam.lr=interval(0.1,0.2)", "optimizer.momentum=interval(0,0.9)",
    )  # fmt: skip
    assert made.space.names[0] == "optimizer"
    used = {d.name: d.when for d in made.space.dimensions[1:]}
    assert used == {
        "optimizer.lr": {"optimizer": ("gd", "momentum")},
        "optimizer.adam.lr": {"optimizer": ("adam",)},
        "optimizer.momentum": {"optimizer": ("momentum",)},
    }
    adam = made.trial_config({"optimizer": "adam", "optimizer.adam.lr": 0.15})
    assert adam["optimizer"]["name"] == "adam"
    assert (adam["optimizer"]["lr"], adam["optimizer"]["beta2"]) == (0.15, 0.999)
    heavy = made.trial_config(
        {"optimizer": "momentum", "optimizer.lr": 1.5, "optimizer.momentum": 0.3}
    )
    assert (heavy["optimizer"]["lr"], heavy["optimizer"]["momentum"]) == (1.5, 0.3)
    again = Space.from_definition(made.space.definition(), made.space.variants)
    assert again == made.space


@pytest.mark.slow
def test_only_what_belongs_to_a_trial_is_asked_for() -> None:
    made = planned("+sweep=rules")
    study = optuna.create_study(sampler=optuna.samplers.RandomSampler(seed=1))
    seen = set()
    for _ in range(40):
        trial = study.ask()
        made.space.choose(trial)
        rule = trial.params["optimizer"]
        seen.add(rule)
        allowed = {d.name for d in made.space.dimensions if d.used({"optimizer": rule})}
        assert set(trial.params) == allowed
        assert made.trial_config(trial.params)["optimizer"]["name"] == rule
    assert len(seen) == 7


@pytest.mark.slow
def test_a_grid_of_files_has_each_with_its_own_keys() -> None:
    made = planned(
        "+sweep=manual", "sweep.sampler=grid", "optimizer=choice(gd,adam)",
        "optimizer.lr=choice(1,2)", "optimizer.beta1=choice(0.5,0.6,0.7)",
    )  # fmt: skip
    points = list(made.space.points())
    assert made.space.size() == made.n_trials == len(points) == 2 + 2 * 3
    assert points[0] == {"optimizer": "gd", "optimizer.lr": 1}
    assert points[-1] == {"optimizer": "adam", "optimizer.lr": 2, "optimizer.beta1": 0.7}


@pytest.mark.slow
def test_a_chosen_file_leaves_the_space_and_keeps_its_own_ranges() -> None:
    made = planned("+sweep=rules", "optimizer=adam")
    assert made.space.names == ["optimizer.lr"]
    assert made.space.dimensions[0].high == 1.0
    assert made.name.startswith("matrix-adam-")


@pytest.mark.slow
def test_a_plain_value_holds_for_every_swept_file_that_has_the_key() -> None:
    made = planned("+sweep=rules", "optimizer.lr=0.25")
    assert not [name for name in made.space.names if name.endswith(".lr")]
    for rule in ("gd", "adam", "momentum"):
        chosen: dict[str, Any] = {"optimizer": rule}
        if rule == "momentum":
            chosen["optimizer.momentum.momentum"] = 0.5
        assert made.trial_config(chosen)["optimizer"]["lr"] == 0.25


@pytest.mark.slow
@pytest.mark.parametrize(
    ("line", "words"),
    [
        (["+sweep=manual", "optimizer=choice(gd,adam)", "optimizer.adam.lrr=1,2"], "no such key"),
        (["+sweep=manual", "optimizer=choice(gd,adam)", "optimizer.alpha=1,2"], "no optimizer has"),
        (["+sweep=manual", "optimizer=interval(0,1)"], "must be choice"),
        (["+sweep=manual", "tracking.uri=a,b"], "cannot be swept"),
        (["+sweep=manual", "stopping=a,b"], "cannot be swept whole"),
        (["+sweep=pareto", "stopping.threshold=1e-3"], "needs stopping.threshold"),
        (["+sweep=pareto", "sweep.sampler=cmaes"], "minimises one number"),
        (["+sweep=default", "sweep.seeds=2", "seed=1,2"], "must be 1 where seed itself is swept"),
    ],
)
def test_what_cannot_be_swept_so_is_refused(line: list[str], words: str) -> None:
    with pytest.raises(BadInput) as error:
        planned(*line)
    assert words in str(error.value)


SWEEPS = {path.stem for path in (config.shipped() / "sweep").glob("*.yaml")}
ELSEWHERE = {"ray"}
"""Composed where Ray is."""


@pytest.mark.slow
@pytest.mark.parametrize("name", sorted(SWEEPS - ELSEWHERE))
def test_composing_a_trials_config_is_reading_a_few_keys(name: str) -> None:
    extra = ["optimizer.lr=1,2"] if name == "manual" else []
    made = planned(f"+sweep={name}", *extra)
    before = copy.deepcopy(made.base)
    for parameters in first_trials(made, 5):
        configured = made.trial_config(made.space.encoded(parameters))
        assert made.base == before  # nothing was written into it
        for d in made.space.dimensions:
            if d.name in parameters and not d.is_group:
                assert config.lookup(configured, d.key) == parameters[d.name]


@pytest.mark.parametrize(
    ("text", "choices"),
    [
        ("1,1.0,1e0", [1]),
        ("choice(1,1,2)", [1, 2]),
        ("choice(2,0.1,1e-1,2.0,.1)", [2, 0.1]),
        ("0,0", [0]),
        ("choice(a,b,a)", ["a", "b"]),
        ("choice(true,1,True,false,0)", [True, 1, False, 0]),
        ("choice([1,2],[1.0,2],[2,1])", [[1, 2], [2, 1]]),
        ("choice(1,'1')", [1, "1"]),
        ([1, 1.0, None, None], [1, None]),
    ],
)
def test_equal_values_that_are_written_differently_are_one(text: Any, choices: list[Any]) -> None:
    space = parsed({"k": text})
    assert repr(space.dimensions[0].choices) == repr(tuple(choices))
    assert space.size() == len(choices) == len(list(space.points()))
