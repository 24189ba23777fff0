"""The config groups of the sweeper. Hydra reads them at every start, so they are plain values."""

from __future__ import annotations

from typing import Any

from hydra.core.config_store import ConfigStore

SWEEPER = "hydra_plugins.gdexp_sweeper.GdexpSweeper"
OWN_SWEEPER = "hydra_plugins.gdexp_sweeper.OwnSweeper"

KEYS: dict[str, Any] = {
    "_recursive_": False,
    "direction": "minimize",
    "storage": None,
    "study_name": None,
    "n_trials": 20,
    "n_jobs": None,
    "max_failure_rate": None,
    "search_space": None,
    "params": None,
    "custom_search_space": None,
    "objective": None,
    "metric": None,
    "mode": None,
    "threshold": None,
    "max_steps": None,
    "max_seconds": None,
    "cap": None,
    "pruner": "none",
    "seeds": 1,
    "seed_key": "seed",
    "patience": None,
    "timeout": None,
    "max_failures": None,
    "workers": None,
    "accept_changes": False,
    "preview": False,
    "job_dirs": True,
    "tracking": None,
}
"""The keys of `hydra.sweeper` in any application, with their defaults.

`gdexp.sweeper.SweeperSettings` says what each means.
"""

SAMPLERS: dict[str, dict[str, Any]] = {
    "tpe": {
        "_target_": "optuna.samplers.TPESampler",
        "consider_prior": True,
        "prior_weight": 1.0,
        "consider_magic_clip": True,
        "consider_endpoints": False,
        "n_startup_trials": 10,
        "n_ei_candidates": 24,
        "multivariate": False,
        "warn_independent_sampling": True,
    },
    "random": {"_target_": "optuna.samplers.RandomSampler"},
    "cmaes": {
        "_target_": "optuna.samplers.CmaEsSampler",
        "x0": None,
        "sigma0": None,
        "independent_sampler": None,
        "warn_independent_sampling": True,
        "consider_pruned_trials": False,
        "restart_strategy": None,
        "inc_popsize": 2,
        "use_separable_cma": False,
        "source_trials": None,
    },
    "nsgaii": {
        "_target_": "optuna.samplers.NSGAIISampler",
        "population_size": 50,
        "mutation_prob": None,
        "crossover_prob": 0.9,
        "swapping_prob": 0.5,
        "constraints_func": None,
    },
    "motpe": {
        "_target_": "optuna.samplers.MOTPESampler",
        "consider_prior": True,
        "prior_weight": 1.0,
        "consider_magic_clip": True,
        "consider_endpoints": False,
        "n_startup_trials": 10,
        "n_ehvi_candidates": 24,
    },
    "grid": {"_target_": "optuna.samplers.GridSampler", "_partial_": True},
    "qmc": {"_target_": "optuna.samplers.QMCSampler"},
    "gp": {"_target_": "optuna.samplers.GPSampler"},
}
"""The files of the group `hydra/sweeper/sampler`, with the keys that hydra-optuna-sweeper has."""


def store_nodes(aliases: bool) -> None:
    """Add the groups to Hydra's config store.

    Args:
        aliases: whether `hydra/sweeper=optuna` means this sweeper, as hydra-optuna-sweeper is not
            installed.
    """
    store = ConfigStore.instance().store
    node = {"defaults": [{"sampler": "tpe"}], "_target_": SWEEPER, "sampler": "???", **KEYS}
    store(group="hydra/sweeper", name="gdexp", node=node, provider="gdexp")
    if aliases:
        same = {"defaults": ["gdexp", "_self_"]}
        store(group="hydra/sweeper", name="optuna", node=same, provider="gdexp")
        for name, sampler in SAMPLERS.items():
            seeded = sampler if name == "grid" else {**sampler, "seed": None}
            store(group="hydra/sweeper/sampler", name=name, node=seeded, provider="gdexp")
    # gdexp's own commands have everything that can be set in the group `sweep`.
    own = {"_target_": OWN_SWEEPER}
    store(group="hydra/sweeper", name="gdexp_own", node=own, provider="gdexp")
