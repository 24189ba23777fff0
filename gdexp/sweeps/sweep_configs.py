"""The composed configs of a sweep."""

from __future__ import annotations

from copy import deepcopy
from typing import TYPE_CHECKING, cast

from hydra.core.override_parser.overrides_parser import OverridesParser
from omegaconf import OmegaConf, open_dict

if TYPE_CHECKING:
    from hydra.core.config_loader import ConfigLoader
    from omegaconf import DictConfig


class SweepConfigs:
    """Composes the configs of a sweep, as few times as possible: each takes a fifth of a second.

    It has the method of Hydra's config loader that its basic launcher calls, so that the only
    worker of a sweep does not compose what its driver, in the same process, has composed.
    """

    def __init__(self, loader: ConfigLoader, composed: DictConfig) -> None:
        self._loader = loader
        self._composed = composed
        self._latest = composed

    def compose(self, overrides: list[str]) -> DictConfig:
        """Return the config of some overrides; the command's own is composed already."""
        hydra = self._composed.hydra
        if list(hydra.overrides.task) == overrides and "???" not in hydra.runtime.choices.values():
            self._latest = self._composed
        else:
            self._latest = self._loader.load_sweep_config(self._composed, overrides)
        return self._latest

    def loader(self) -> ConfigLoader:
        """Return itself as what a launcher composes through."""
        return cast("ConfigLoader", self)

    def load_sweep_config(
        self, master_config: DictConfig, sweep_overrides: list[str]
    ) -> DictConfig:
        """Return the config of the worker in this process: the latest, with forced values.

        Args:
            master_config: not used.
            sweep_overrides: those that the latest config has already, and those that begin with
                `++`, which the driver fills in.
        """
        del master_config
        made = deepcopy(self._latest)
        with open_dict(made):
            for override in OverridesParser.create().parse_overrides(sweep_overrides):
                if override.is_force_add():
                    OmegaConf.update(made, override.key_or_group, override.value(), merge=False)
            made.hydra.overrides.task = sweep_overrides
        return made
