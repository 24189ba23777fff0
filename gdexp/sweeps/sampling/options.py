"""The options of Optuna's samplers that a config can give, with their types and ranges.

Optuna checks few of them: a negative number of first trials is taken in silence, and a number
for `gamma`, which is a function, ends the sweep at the first trial that uses it.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial
from typing import Any

from gdexp.core import BadInput, nearest, validation

Check = Callable[[str, object], object]
MOST = 10**7


def _whole(low: int) -> Check:
    return partial(validation.integer, low=low, high=MOST)


def _start(key: str, value: object) -> object:
    """Check the first mean of CMA-ES: a number for each swept key."""
    if not isinstance(value, Mapping) or not value:
        raise BadInput(key, value, "must map every swept key to its start: {optimizer.lr: 1}")
    return {name: validation.number(f"{key}.{name}", each) for name, each in value.items()}


def _share(key: str, value: object) -> object:
    """Check a probability."""
    if not 0 <= validation.number(key, value) <= 1:
        raise BadInput(key, value, "must be from 0 to 1")
    return value


def _kind(key: str, value: object) -> object:
    return validation.choice(key, value, ("halton", "sobol"))


OPTIONS: Mapping[str, Mapping[str, Check]] = {
    "learning_rate": {"n_startup_trials": _whole(1)},
    "tpe": {
        "n_startup_trials": _whole(0),
        "n_ei_candidates": _whole(1),
        "multivariate": validation.boolean,
        "group": validation.boolean,
        "constant_liar": validation.boolean,
        "prior_weight": validation.positive,
        "consider_prior": validation.boolean,
        "consider_magic_clip": validation.boolean,
        "consider_endpoints": validation.boolean,
        "warn_independent_sampling": validation.boolean,
    },
    "random": {},
    "qmc": {
        "qmc_type": _kind,
        "scramble": validation.boolean,
        "warn_asynchronous_seeding": validation.boolean,
        "warn_independent_sampling": validation.boolean,
    },
    "gp": {
        "n_startup_trials": _whole(1),
        "deterministic_objective": validation.boolean,
        "warn_independent_sampling": validation.boolean,
    },
    "cmaes": {
        "n_startup_trials": _whole(1),
        "sigma0": validation.positive,
        "x0": _start,
        "popsize": _whole(2),
        "consider_pruned_trials": validation.boolean,
        "use_separable_cma": validation.boolean,
        "with_margin": validation.boolean,
        "lr_adapt": validation.boolean,
        "warn_independent_sampling": validation.boolean,
    },
    "nsgaii": {
        "population_size": _whole(2),
        "mutation_prob": _share,
        "crossover_prob": _share,
        "swapping_prob": _share,
    },
}
"""The check of each option, by sampler."""

OBJECTS = {
    "gamma": "takes a function, which a config cannot give",
    "weights": "takes a function, which a config cannot give",
    "constraints_func": "takes a function, which a config cannot give",
    "independent_sampler": "takes a sampler, which a config cannot give",
    "source_trials": "takes a list of trials, which a config cannot give",
    "restart_strategy": "was removed from Optuna",
    "inc_popsize": "was removed from Optuna",
    "seed": "follows from the config's seed",
    "mutation": "takes an object, which a config cannot give",
    "crossover": "takes an object, which a config cannot give",
    "elite_population_selection_strategy": "takes a function, which a config cannot give",
    "child_generation_strategy": "takes a function, which a config cannot give",
    "after_trial_strategy": "takes a function, which a config cannot give",
}
"""Arguments of Optuna's classes that no config can give, and why."""


def check_options(name: str, options: Mapping[str, Any]) -> None:
    """Check the options of a sampler.

    Args:
        name: of the sampler.
        options: keyword arguments of Optuna's class.

    Raises:
        BadInput: an unknown option, one of another type or out of range, or two that exclude
            each other; the key has the form `sampler.KEY`.
    """
    known = OPTIONS.get(name, {})
    for key, value in options.items():
        if key not in known:
            raise BadInput(f"sampler.{key}", value, _why_not(name, key))
        known[key](f"sampler.{key}", value)
    if options.get("group") and options.get("multivariate") is False:
        raise BadInput("sampler.group", True, "needs multivariate=true")
    if options.get("use_separable_cma") and options.get("with_margin"):
        raise BadInput("sampler.with_margin", True, "must be false with use_separable_cma=true")


def _why_not(name: str, key: str) -> str:
    """Return why a sampler does not take an option, and what it takes."""
    known = OPTIONS.get(name, {})
    if not known:
        return f"{name} takes no options"
    if key in OBJECTS:
        return f"{OBJECTS[key]}; {name} takes {', '.join(sorted(known))}"
    return f"unknown option; {nearest(key, known)}"
