"""Every key and sampler file of hydra-optuna-sweeper 1.2 and 1.3 composes and means the same."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any

import pytest
from hydra import initialize
from hydra.core.global_hydra import GlobalHydra
from hydra.core.singleton import Singleton
from hydra.types import RunMode
from omegaconf import OmegaConf

from gdexp.core import BadInput
from gdexp.hydra_plugins import register
from gdexp.sweeper import SweeperSettings
from gdexp.sweeper.composition_internals import sharing_loader
from gdexp.sweeper.samplers import read_sampler

SWEEPER: list[tuple[str, Any, Mapping[str, Any]]] = [
    ("direction", "minimize", {"direction": "minimize"}),
    ("direction", "maximize", {"direction": "maximize"}),
    ("direction", ["maximize"], {"direction": "maximize", "objective": "returned"}),
    (
        "direction",
        ["minimize", "maximize"],
        {"direction": ["minimize", "maximize"], "objective": ["returned:0", "returned:1"]},
    ),
    ("storage", "sqlite:///old.db", {"storage": "old.db.journal"}),
    ("storage", "postgresql://me@host/db", {"storage": "postgresql://me@host/db"}),
    ("storage", None, {"storage": None}),
    ("study_name", "mine", {"name": "mine"}),
    ("study_name", None, {"name": None}),
    ("n_trials", 7, {"n_trials": 7}),
    ("n_jobs", 2, {"workers": 2}),
    ("max_failure_rate", 0.0, {"max_failures": 1}),  # the first failure ends the sweep
    ("max_failure_rate", 0.5, {"max_failures": 11}),  # of 20; more than half
    ("max_failure_rate", 1.0, {"max_failures": 21}),
]
"""Key, value, and what a sweep has by it: the keys of 1.2, and `max_failure_rate` of 1.3."""

TPE = {
    "consider_prior": (True, False),
    "prior_weight": (1.0, 0.5),
    "consider_magic_clip": (True, False),
    "consider_endpoints": (False, True),
    "n_startup_trials": (10, 3),
}
SAMPLERS: dict[str, dict[str, tuple[Any, Any]]] = {
    "tpe": {
        **TPE,
        "n_ei_candidates": (24, 8),
        "multivariate": (False, True),
        "warn_independent_sampling": (True, False),
    },
    "random": {},
    "cmaes": {
        "x0": (None, {"x": 0.5}),
        "sigma0": (None, 0.1),
        "independent_sampler": (None, "other"),
        "warn_independent_sampling": (True, False),
        "consider_pruned_trials": (False, True),
        "restart_strategy": (None, "ipop"),
        "inc_popsize": (2, 3),
        "use_separable_cma": (False, True),
        "source_trials": (None, ["trial"]),
    },
    "nsgaii": {
        "population_size": (50, 8),
        "mutation_prob": (None, 0.2),
        "crossover_prob": (0.9, 0.8),
        "swapping_prob": (0.5, 0.4),
        "constraints_func": (None, "other"),
    },
    "motpe": {**TPE, "n_ehvi_candidates": (24, 8)},
    "grid": {},
}
"""The files of the group, and of each key the old default and another value; all have a seed."""

GONE = {"independent_sampler", "restart_strategy", "inc_popsize", "source_trials"}
GONE |= {"constraints_func"}
"""Keys that Optuna 5 does not take, or that no text can give."""


@pytest.fixture(scope="module")
def compose() -> Iterator[Any]:
    """Composes `hydra.sweeper` as an application's command line asks for it."""
    before = Singleton.get_state()
    GlobalHydra.instance().clear()
    register()
    with initialize(version_base="1.3", config_path=None):
        loader = sharing_loader(GlobalHydra.instance().config_loader())

        def composed(*overrides: str, sweeper: str = "optuna") -> dict[str, Any]:
            line = [f"hydra/sweeper={sweeper}", *overrides]
            config = loader.load_configuration(None, line, RunMode.MULTIRUN)
            found = OmegaConf.to_container(config.hydra.sweeper, resolve=True)
            assert isinstance(found, dict)
            return {key: each for key, each in found.items() if not key.startswith("_")}

        yield composed
    Singleton.set_state(before)


@pytest.fixture(scope="module")
def page_row() -> str:
    """What the documents say of the keys of samplers."""
    page = Path(__file__).parents[2] / "scripts/documentation/pages/how-to/hydra-applications.md"
    (row,) = [line for line in page.read_text().splitlines() if "keys of a sampler" in line]
    return row


@pytest.mark.parametrize(("key", "value", "meaning"), SWEEPER)
def test_a_key_of_the_sweeper_composes_and_means_what_it_meant(
    compose: Any, key: str, value: Any, meaning: Mapping[str, Any]
) -> None:
    text = "null" if value is None else str(value).replace("'", "")
    line = f"hydra.sweeper.{key}={text}"
    given = compose(line)
    assert given == compose(line, sweeper="gdexp")
    found = asdict(SweeperSettings.of(given).sweep_settings("tpe"))
    assert {name: found[name] for name in meaning} == meaning


@pytest.mark.parametrize("key", ["params", "search_space", "custom_search_space"])
def test_a_key_of_the_space_composes_as_it_is_written(compose: Any, key: str) -> None:
    value: Any = {
        "params": {"x": "interval(0,1)", "+y@z": "choice(1,2)"},
        "search_space": {"x": {"type": "float", "low": 0, "high": 1}},
        "custom_search_space": "package.module.configure",
    }[key]
    kept = getattr(SweeperSettings.of({**compose(), key: value}), key)
    assert kept == value
    assert compose()[key] is None


@pytest.mark.parametrize("name", SAMPLERS)
def test_the_file_of_a_sampler_has_the_old_keys_at_the_old_defaults(
    compose: Any, name: str
) -> None:
    seed = {} if name == "grid" else {"seed": None}
    found = compose(f"hydra/sweeper/sampler={name}")["sampler"]
    wanted = {**seed, **{key: old for key, (old, _) in SAMPLERS[name].items()}}
    assert {key: each for key, each in found.items() if not key.startswith("_")} == wanted
    if name == "motpe":
        with pytest.raises(BadInput, match="is not in Optuna 5; use tpe"):
            read_sampler(found)
        return
    assert read_sampler(found) == (name, 0)
    if seed:
        line = [f"hydra/sweeper/sampler={name}", "hydra.sweeper.sampler.seed=9"]
        assert read_sampler(compose(*line)["sampler"]) == (name, 9)


KEYS = [(name, key) for name, keys in SAMPLERS.items() if name != "motpe" for key in keys]


@pytest.mark.parametrize(("name", "key"), KEYS)
def test_a_key_of_a_sampler_composes_and_is_used_or_refused_by_its_name(
    compose: Any, page_row: str, name: str, key: str
) -> None:
    value = SAMPLERS[name][key][1]
    text = str(value).replace("'", "").replace(" ", "")
    line = [f"hydra/sweeper/sampler={name}", f"hydra.sweeper.sampler.{key}={text}"]
    found = compose(*line)["sampler"]
    assert found[key] == value
    assert (f"`{key}`" in page_row) == (key in GONE)
    if key in GONE:
        with pytest.raises(BadInput, match=rf"^hydra\.sweeper\.sampler\.{key}="):
            read_sampler(found)
    elif key == "warn_independent_sampling":  # nobody is warned of what gdexp decides itself
        assert read_sampler(found) == (name, 0)
    else:
        assert read_sampler(found) == ({"name": name, key: value}, 0)
