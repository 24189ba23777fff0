"""The config groups of the sweeper. Hydra reads them at every start, so they are plain values."""

from __future__ import annotations

from typing import Any

from hydra.core.config_store import ConfigNode, ConfigStore
from omegaconf import OmegaConf

from gdexp.hydra_plugins._old_package import stand_in
from gdexp.hydra_plugins._sweepers import make_picklable

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


class DeferredNode(ConfigNode):
    """A file of a config group, which becomes a config when Hydra reads it.

    Hydra copies its whole store for each composition of any application. A config of a hundred
    keys takes some milliseconds each time; this one takes none until it is read.

    Args:
        group: the config group.
        name: of the file.
        plain: its content.
    """

    def __init__(self, group: str, name: str, plain: dict[str, Any]) -> None:
        self.group, self.name, self.package, self.provider = group, f"{name}.yaml", None, "gdexp"
        self._plain = plain

    @property
    def node(self) -> Any:  # noqa: ANN401 (Hydra has Node there)
        """The config, a new one each time."""
        return self.__dict__.get("read") or OmegaConf.create(self._plain)

    @node.setter
    def node(self, read: Any) -> None:  # noqa: ANN401
        """Keep what Hydra sets in the copy that it reads."""
        self.__dict__["read"] = read

    def __deepcopy__(self, memo: dict[int, Any]) -> DeferredNode:
        """Return itself: only the copy that Hydra reads changes."""
        del memo
        return self


def store_nodes(aliases: bool) -> None:
    """Add the groups to Hydra's config store, and let the sweepers be pickled.

    Args:
        aliases: whether `hydra/sweeper=optuna` means this sweeper, as hydra-optuna-sweeper is not
            installed.
    """
    make_picklable()
    sweeper, sampler = "hydra/sweeper", "hydra/sweeper/sampler"
    node = {"defaults": [{"sampler": "tpe"}], "_target_": SWEEPER, "sampler": "???", **KEYS}
    # gdexp's own commands have everything that can be set in the group `sweep`.
    nodes = [(sweeper, "gdexp", node), (sweeper, "gdexp_own", {"_target_": OWN_SWEEPER})]
    if aliases:
        stand_in()
        nodes.append((sweeper, "optuna", {"defaults": ["gdexp", "_self_"]}))
        for name, keys in SAMPLERS.items():
            nodes.append((sampler, name, keys if name == "grid" else {**keys, "seed": None}))
    for group, name, plain in nodes:
        folder = ConfigStore.instance().repo
        for part in group.split("/"):
            folder = folder.setdefault(part, {})
        folder[f"{name}.yaml"] = DeferredNode(group, name, plain)
