"""The group `hydra/sweeper/sampler`, whose files hold the keys of hydra-optuna-sweeper."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from gdexp.core import BadInput, nearest, validation
from gdexp.sweeps import SAMPLER_OPTIONS

WHERE = "hydra.sweeper.sampler"

TARGETS = {
    "TPESampler": "tpe",
    "RandomSampler": "random",
    "CmaEsSampler": "cmaes",
    "NSGAIISampler": "nsgaii",
    "GridSampler": "grid",
    "BruteForceSampler": "grid",
    "QMCSampler": "qmc",
    "GPSampler": "gp",
}
"""Optuna's classes, and the name of each in gdexp."""

GONE = {"MOTPESampler": "tpe, which takes several directions"}
"""Classes that Optuna no longer has, and what to use."""

DEFAULTS: Mapping[str, tuple[Any, ...]] = {
    "consider_prior": (True,),
    "prior_weight": (1.0,),
    "consider_magic_clip": (True,),
    "consider_endpoints": (False,),
    "n_startup_trials": (10,),
    "n_ei_candidates": (24,),
    "n_ehvi_candidates": (24,),
    "multivariate": (False,),
    "warn_independent_sampling": (True, False),
    "x0": (None,),
    "sigma0": (None,),
    "independent_sampler": (None,),
    "consider_pruned_trials": (False,),
    "restart_strategy": (None,),
    "inc_popsize": (2, -1),
    "use_separable_cma": (False,),
    "source_trials": (None,),
    "population_size": (50,),
    "mutation_prob": (None,),
    "crossover_prob": (0.9,),
    "swapping_prob": (0.5,),
    "constraints_func": (None,),
    "search_space": (None,),
}
"""The values that the files of hydra-optuna-sweeper give: with them an option says nothing."""


def read_sampler(given: object) -> tuple[str | Mapping[str, Any], int]:
    """Return a sampler as gdexp's own sweeps name it, and its seed.

    An option at the default of hydra-optuna-sweeper is left out, so that gdexp's own holds.

    Args:
        given: the config of the group.

    Raises:
        BadInput: a sampler that Optuna does not have, or a key that it does not take.
    """
    if isinstance(given, str):
        given = {"name": given}
    if not isinstance(given, Mapping):
        raise BadInput(WHERE, given, "must be a file of the group: hydra/sweeper/sampler=tpe")
    options = {str(key): value for key, value in given.items()}
    name = _name(options.pop("_target_", None), options.pop("name", None))
    for key in ("_partial_", "_recursive_", "_convert_"):
        options.pop(key, None)
    seed = options.pop("seed", None)
    if seed is not None:
        validation.integer(f"{WHERE}.seed", seed)
    kept = {key: value for key, value in options.items() if value not in DEFAULTS.get(key, ())}
    known = SAMPLER_OPTIONS.get(name, ())
    for key, value in kept.items():
        if key not in known:
            mine = ", ".join(sorted(known)) or "no options"
            raise BadInput(
                f"{WHERE}.{key}",
                value,
                f"{name} takes {mine}; hydra/sweeper/sampler={name} chooses its file without the "
                "keys of another sampler",
            )
    return ({"name": name, **kept} if kept else name), seed or 0


def _name(target: object, name: object) -> str:
    if target is None:
        return validation.choice(f"{WHERE}.name", name, tuple(TARGETS.values()))
    last = str(target).rpartition(".")[2]
    if last in GONE:
        raise BadInput(f"{WHERE}._target_", target, f"is not in Optuna 5; use {GONE[last]}")
    if last not in TARGETS:
        raise BadInput(f"{WHERE}._target_", target, nearest(last, TARGETS))
    return TARGETS[last]
