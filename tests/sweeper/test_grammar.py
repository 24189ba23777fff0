"""What configs of hydra-optuna-sweeper 1.2 and 1.3 mean here: spaces, samplers, settings."""

from __future__ import annotations

from dataclasses import fields
from pathlib import Path
from typing import Any

import pytest
from optuna.distributions import (
    BaseDistribution,
    CategoricalDistribution,
    FloatDistribution,
    IntDistribution,
)

from gdexp.config import literal
from gdexp.core import BadInput, GdexpError
from gdexp.hydra_plugins._config_nodes import KEYS
from gdexp.sweeper.grammar import read_expressions
from gdexp.sweeper.job_space import JobDimension, JobSpace
from gdexp.sweeper.old_space import old_dimensions
from gdexp.sweeper.returned_value import numbers_of
from gdexp.sweeper.samplers import read_sampler
from gdexp.sweeper.settings import SweeperSettings
from gdexp.sweeper.storage import journal_of
from gdexp.sweeper.words import words

TPE = {
    "_target_": "optuna.samplers.TPESampler",
    "seed": 123,
    "consider_prior": True,
    "multivariate": False,
    "n_startup_trials": 10,
    "warn_independent_sampling": True,
}


def options(group: str) -> list[str]:
    return ["adam", "adamw", "sgd"]


def read(*arguments: str, exclusive: bool = False, **params: Any) -> Any:
    return read_expressions(params, arguments, options, exclusive)


@pytest.mark.parametrize(
    ("expression", "expected"),
    [
        ("1,2", CategoricalDistribution([1, 2])),
        ("choice(true,false)", CategoricalDistribution([True, False])),
        ("choice('a,b','c d')", CategoricalDistribution(["a,b", "c d"])),
        ("choice('1',2)", CategoricalDistribution(["1", 2])),
        ("[1,2],null", CategoricalDistribution(["[1, 2]", None])),
        ("sort(choice(3,1,2))", CategoricalDistribution([1, 2, 3])),
        ("shuffle(range(1,3))", CategoricalDistribution([1, 2])),
        ("glob(adam*)", CategoricalDistribution(["adam", "adamw"])),
        ("range(1,3)", IntDistribution(1, 3)),
        ("range(0,10,3)", IntDistribution(0, 9, step=3)),
        ("range(10,0,-1)", IntDistribution(0, 10)),
        ("range(0.5,5.5,step=1)", FloatDistribution(0.5, 5.5, step=1.0)),
        ("range(0,0.3,0.1)", FloatDistribution(0.0, 0.3, step=0.1)),
        ("interval(1,5)", FloatDistribution(1, 5)),
        ("int(interval(1,5))", IntDistribution(1, 5)),
        ("tag(log,interval(1,5))", FloatDistribution(1, 5, log=True)),
        ("tag(log,int(interval(1,5)))", IntDistribution(1, 5, log=True)),
        ("int(tag(log,interval(1,5)))", IntDistribution(1, 5, log=True)),
        ("int(interval(0.5,4))", IntDistribution(0, 4)),
        ("interval(start=0,end=1)", FloatDistribution(0, 1)),
        ("{a:1},{b:2}", CategoricalDistribution(["{'a': 1}", "{'b': 2}"])),
        ("tag(log,choice(1,2))", CategoricalDistribution([1, 2])),
    ],
)
def test_an_expression_is_the_distribution_that_it_was(
    expression: str, expected: BaseDistribution
) -> None:
    for given in (read(f"+a.b={expression}"), read(**{"+a.b": expression})):
        (dimension,) = given.dimensions.values()
        assert dimension.name == "+a.b"
        assert dimension.distribution() == expected


@pytest.mark.parametrize(
    ("argument", "said"),
    [
        ("x=int(interval(0.5,4))", "x=int(interval(0.5,4)): the ends are cut to 0 and 4"),
        ("x=int(tag(log,interval(1.5,4)))", "the ends are cut to 1 and 4"),
        ("x=tag(lg,interval(1,2))", "the tag lg means nothing"),
        ("x=tag(log,range(1,10))", "the tag log is read in an interval alone"),
        ("x=int(interval(1,4))", ""),
        ("x=tag(log,interval(1,4))", ""),
        ("x=float(interval(1,4))", ""),
    ],
)
def test_what_hydra_reads_otherwise_than_written_is_told(argument: str, said: str) -> None:
    notes = read(argument).notes
    assert len(notes) == bool(said)
    assert said in "".join(notes)
    assert not read("x=3", x="int(interval(0.5,4))").notes


def test_a_range_ends_before_its_stop_in_a_grid_alone() -> None:
    for text, listed in (("range(1,3)", [1, 2]), ("range(0,1,0.5)", [0.0, 0.5])):
        (dimension,) = read(f"x={text}", exclusive=True).dimensions.values()
        assert list(dimension.choices) == listed


def test_the_command_line_replaces_params_and_a_value_ends_a_range() -> None:
    found = read("x=interval(0,1)", "++y=3", "~z", "k@pkg=a", x=3, y="choice(1,2)", w="4,5")
    assert {n: d.text() for n, d in found.dimensions.items()} == {"x": "[0, 1]", "w": "one of 4, 5"}
    assert found.lines == ["++y=3", "~z", "k@pkg=a"]


@pytest.mark.parametrize(
    ("argument", "said"),
    [
        ("x=interval(5,1)", "x=interval(5.0, 1.0): the lower end must come first"),
        ("x=tag(log,interval(0,1))", "a log range must start above 0"),
        ("x=range(3,1)", "is empty"),
        ("opt=glob(nothing*)", "matches no file of this config group"),
        ("x=interval(1", "cannot be read"),
    ],
)
def test_a_range_that_optuna_would_refuse_is_refused_by_its_key(argument: str, said: str) -> None:
    with pytest.raises(BadInput, match=r"^(x|opt)=") as caught:
        read(argument)
    assert said in str(caught.value)


@pytest.mark.parametrize("value", ["1", 1, True, "true", "a,b", "c d", None, [1, "b"], {"k": 1.5}])
def test_a_choice_comes_back_as_the_value_that_was_written(value: Any) -> None:
    from hydra.core.override_parser.overrides_parser import OverridesParser

    expression = f"{literal(value)},{literal('other')}"
    (dimension,) = read(f"k={expression}").dimensions.values()
    (line,) = JobSpace((dimension,)).overrides({"k": dimension.encoded(value)})
    found = OverridesParser.create().parse_override(line).value()
    found = getattr(found, "text", found)
    assert found == value or [getattr(each, "text", each) for each in found] == value
    assert type(found) is type(value)


def test_the_old_search_space_means_what_it_meant() -> None:
    found = old_dimensions(
        {
            "x": {"type": "float", "low": 0, "high": 10, "step": 3},
            "y": {"type": "int", "low": 1, "high": 100, "log": True},
            "z": {"type": "categorical", "choices": ["foo", "bar"]},
        }
    )
    assert {n: d.distribution() for n, d in found.items()} == {
        "x": FloatDistribution(0, 9, step=3),
        "y": IntDistribution(1, 100, log=True),
        "z": CategoricalDistribution(["foo", "bar"]),
    }
    with pytest.raises(BadInput, match=r"search_space\.x\.type=complex"):
        old_dimensions({"x": {"type": "complex"}})


def test_a_definition_gives_the_dimensions_back() -> None:
    space = JobSpace(tuple(read("optimizer=adam,sgd", "x=range(0,9,3)").dimensions.values()))
    for name, described in space.definition().items():
        again = JobDimension.from_definition(name, described)
        assert again in space.dimensions
        assert not again.is_group


@pytest.mark.parametrize(
    ("given", "sampler", "seed"),
    [
        (TPE, "tpe", 123),
        ({**TPE, "n_startup_trials": 3}, {"name": "tpe", "n_startup_trials": 3}, 123),
        # The target alone was changed: the keys of the other group are at their defaults.
        ({**TPE, "_target_": "optuna.samplers.RandomSampler"}, "random", 123),
        ({"_target_": "optuna.samplers.GridSampler", "_partial_": True}, "grid", 0),
        ({"_target_": "optuna.samplers.NSGAIISampler", "population_size": 8, "seed": None},
         {"name": "nsgaii", "population_size": 8}, 0),
    ],
)  # fmt: skip
def test_a_sampler_of_old_is_found_by_its_target(given: Any, sampler: Any, seed: int) -> None:
    assert read_sampler(given) == (sampler, seed)


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ({"_target_": "optuna.samplers.MOTPESampler"}, "is not in Optuna 5; use tpe"),
        ({**TPE, "_target_": "optuna.samplers.RandomSampler", "n_startup_trials": 3},
         "hydra/sweeper/sampler=random chooses its file"),
        ({"_target_": "optuna.samplers.TpeSampler"}, "did you mean TPESampler?"),
    ],
)  # fmt: skip
def test_a_sampler_that_is_gone_or_holds_keys_of_another_is_named(given: Any, said: str) -> None:
    with pytest.raises(BadInput) as caught:
        read_sampler(given)
    assert said in str(caught.value)


def settings(**given: Any) -> SweeperSettings:
    return SweeperSettings.of({"sampler": TPE, **given})


def test_settings_of_old_become_those_of_a_sweep() -> None:
    made = settings(
        direction=["minimize", "maximize"], n_jobs=4, storage="sqlite:///a.db", study_name="s"
    ).sweep_settings("tpe")
    assert made.objective == ["returned:0", "returned:1"]
    assert made.direction == ["minimize", "maximize"]
    assert (made.workers, made.storage, made.name) == (4, "a.db.journal", "s")
    assert [each.name for each in made.objectives({})] == ["returned_0", "returned_1"]
    for rate, most in ((0.0, 1), (0.5, 11), (1.0, 21)):
        assert settings(max_failure_rate=rate).sweep_settings("tpe").max_failures == most
    goal = settings(metric="accuracy", threshold=0.9, mode="max")
    assert goal.kinds == ["hitting_time"]
    assert goal.stopping()["threshold"] == 0.9


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ({"max_batch_size": 3}, "hydra.sweeper.max_batch_size=3: is a key of basic's"),
        ({"n_trails": 3}, "did you mean n_trials?"),
        ({"direction": "up"}, "hydra.sweeper.direction=up"),
        ({"max_failure_rate": 2}, "must be from 0 to 1"),
        ({"threshold": 1.0}, "hydra.sweeper.metric=null"),
        ({"metric": "loss", "threshold": 1.0}, "hydra.sweeper.mode=null: must be min or max"),
        ({"n_jobs": 2, "workers": 3}, "must be equal to workers=3"),
        ({"tracking": "wandb"}, "hydra.sweeper.tracking=wandb"),
    ],
)
def test_a_setting_that_cannot_be_used_is_named_as_it_is_typed(
    given: dict[str, Any], said: str
) -> None:
    with pytest.raises(BadInput) as caught:
        settings(**given)
    assert said in str(caught.value)


def test_storages_of_old_and_the_others_that_are_refused() -> None:
    assert journal_of("sqlite:///:memory:") is None
    assert journal_of("study.journal") == "study.journal"
    with pytest.raises(BadInput, match="must be a path, sqlite:///… or postgresql://…"):
        journal_of("mysql://root@host/db")


def test_what_a_function_returned_is_a_number_or_said_to_be_none() -> None:
    import torch

    assert numbers_of(torch.tensor([[2.5]]), 1) == (2.5,)
    assert numbers_of((1, "2"), 2) == (1.0, 2.0)
    for returned, count, said in (
        (None, 1, "it returned None; it must return a number"),
        (float("nan"), 1, "it returned nan"),
        (1.0, 2, "wants 2 numbers"),
        ((1, 2, 3), 2, "it returned 3 values"),
    ):
        with pytest.raises(GdexpError, match=said):
            numbers_of(returned, count)


def test_messages_name_the_keys_that_a_user_types() -> None:
    said = "give another sweep.name, or sweep.sampler=random; sweep.space.lr; stopping.metric=a"
    assert words(said) == (
        "give another hydra.sweeper.study_name, or hydra/sweeper/sampler=random; lr; "
        "hydra.sweeper.metric=a"
    )


def test_the_page_names_every_key() -> None:
    page = Path(__file__).parents[2] / "scripts/documentation/pages/how-to/hydra-applications.md"
    text = page.read_text(encoding="utf-8")
    left_out = {"objective", "accept_changes"}
    keys = {field.name for field in fields(SweeperSettings)} - left_out
    assert [key for key in keys if f"`{key}`" not in text and f"sweeper.{key}" not in text] == []
    assert {*KEYS} - {"_recursive_"} == {field.name for field in fields(SweeperSettings)} - {
        "sampler"
    }
