"""Options of the samplers: what Optuna would take in silence, or fail on late, is refused early."""

from __future__ import annotations

import inspect
from pathlib import Path
from typing import Any

import optuna
import pytest
from optuna.distributions import FloatDistribution, IntDistribution

from gdexp import BadInput
from gdexp.cli.main import main
from gdexp.sweeps.sampling.options import OBJECTS, OPTIONS
from gdexp.sweeps.sampling.samplers import CLASSES, Sampler

SPACE: dict[str, Any] = {"lr": FloatDistribution(0.1, 1), "steps": IntDistribution(1, 9)}


@pytest.mark.parametrize(
    ("given", "words"),
    [
        ({"name": "tpe", "gamma": 3}, "gamma=3: takes a function"),
        ({"name": "tpe", "weights": 1}, "takes a function"),
        ({"name": "tpe", "constraints_func": "f"}, "takes a function"),
        ({"name": "cmaes", "independent_sampler": "random"}, "takes a sampler"),
        ({"name": "cmaes", "source_trials": []}, "takes a list of trials"),
        ({"name": "gp", "seed": 3}, "follows from the config's seed"),
        ({"name": "tpe", "n_startup_trials": -5}, "must be an integer from 0"),
        ({"name": "tpe", "n_startup_trials": 2.5}, "must be an integer from 0"),
        ({"name": "tpe", "n_startup_trials": None}, "must be an integer from 0"),
        ({"name": "tpe", "n_ei_candidates": 0}, "must be an integer from 1"),
        ({"name": "tpe", "prior_weight": 0}, "must be > 0"),
        ({"name": "tpe", "multivariate": 1}, "must be true or false"),
        ({"name": "tpe", "group": True, "multivariate": False}, "needs multivariate=true"),
        ({"name": "cmaes", "sigma0": -1}, "sigma0=-1: must be > 0"),
        ({"name": "cmaes", "sigma0": float("nan")}, "must be a finite number"),
        ({"name": "cmaes", "popsize": 1}, "must be an integer from 2"),
        ({"name": "cmaes", "x0": [1]}, "must map every swept key to its start"),
        ({"name": "cmaes", "x0": {"lr": "a"}}, "x0.lr=a: must be a number"),
        ({"name": "cmaes", "with_margin": True, "use_separable_cma": True}, "must be false"),
        ({"name": "gp", "n_startup_trials": 0}, "must be an integer from 1"),
        ({"name": "qmc", "qmc_type": "sobl"}, "did you mean sobol?"),
        ({"name": "random", "n": 3}, "random takes no options"),
    ],
)
def test_an_option_of_another_type_or_out_of_range_is_refused(given: Any, words: str) -> None:
    with pytest.raises(BadInput) as error:
        Sampler.parse(given)
    assert words in str(error.value)


def test_every_argument_of_optunas_samplers_is_an_option_or_has_a_reason() -> None:
    for name, made in CLASSES.items():
        taken = inspect.signature(getattr(optuna.samplers, made)).parameters
        assert set(OPTIONS[name]) == set(taken) - set(OBJECTS)


VALUES: dict[str, Any] = {
    "n_startup_trials": 3, "n_ei_candidates": 5, "prior_weight": 0.5, "sigma0": 0.1, "popsize": 4,
    "x0": {"lr": 0.5, "steps": 3}, "qmc_type": "halton", "multivariate": True,
}  # fmt: skip


@pytest.mark.parametrize("name", ["tpe", "cmaes", "qmc"])
def test_every_option_is_taken_by_the_sampler(name: str) -> None:
    for key in OPTIONS[name]:
        options = {key: VALUES.get(key, True)}
        Sampler.parse({"name": name, **options}).check_space(SPACE, 1)


@pytest.mark.parametrize("x0", [{"nothing": 1.0}, {"lr": 0.5}])
def test_a_start_for_other_keys_than_the_swept_is_refused(x0: dict[str, float]) -> None:
    with pytest.raises(BadInput, match="refused by Optuna"):
        Sampler.parse({"name": "cmaes", "x0": x0}).check_space(SPACE, 1)


def test_a_bad_option_is_found_before_anything_is_written(
    here: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["+sweep", "sweep.sampler={name:cmaes,x0:{foo:1}}"]) == 2
    out, err = capsys.readouterr()
    assert (out, err.count("\n")) == ("", 1)
    assert err.startswith("gdexp: error: sweep.sampler=")
    assert list(here.iterdir()) == []


@pytest.mark.slow
@pytest.mark.parametrize("name", ["tpe", "random"])
def test_a_sampler_that_learns_says_what_several_workers_do_to_it(
    here: Path, capsys: pytest.CaptureFixture[str], name: str
) -> None:
    line = ["-m", "optimizer.lr=1,2", "sweep.preview=true", f"sweep.sampler={name}"]
    said = {}
    for workers in (1, 2):
        assert main([*line, f"sweep.workers={workers}"]) == 0
        said[workers] = "2 workers share the trials" in capsys.readouterr().out
    assert said == {1: False, 2: name == "tpe"}
