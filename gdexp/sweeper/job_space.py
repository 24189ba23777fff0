"""The search space of another application: overrides of its config, and what a function adds."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import TYPE_CHECKING, Any

from gdexp import config
from gdexp.config import literal
from gdexp.sweeps import Dimension, Space

if TYPE_CHECKING:
    from optuna import Trial
    from optuna.trial import FrozenTrial

CHOSEN = "gdexp.chosen"
"""Of a trial whose parameters a function adds to: whether all of them are chosen."""

Suggest = Callable[["Trial"], None]
"""Lets a trial suggest further parameters."""


@dataclass(frozen=True)
class JobDimension(Dimension):
    """The values of one override."""

    @property
    def is_group(self) -> bool:
        """False: Hydra composes the files of a group for each job."""
        return False


@dataclass(frozen=True)
class JobSpace(Space):
    """The overrides that the trials change.

    Attributes:
        suggest: adds parameters of the user's own; None: nothing does.
    """

    suggest: Suggest | None = field(default=None, compare=False, repr=False)

    @property
    def is_open(self) -> bool:
        """Whether a function adds parameters."""
        return self.suggest is not None

    @cached_property
    def conditional(self) -> bool:
        """Whether trials may differ in their parameters."""
        return self.is_open

    def choose(self, trial: Trial) -> None:
        """Let Optuna choose the parameters of a trial that it does not have yet."""
        super().choose(trial)
        if self.suggest is not None:
            self.suggest(trial)
            trial.set_user_attr(CHOSEN, True)

    def is_chosen(self, trial: FrozenTrial) -> bool:
        """Return whether all parameters of a trial are chosen."""
        return super().is_chosen(trial) and (not self.is_open or CHOSEN in trial.user_attrs)

    def decoded(self, parameters: Mapping[str, Any]) -> dict[str, Any]:
        """Return values by key; those that a function added as they are."""
        return {**parameters, **super().decoded(parameters)}

    def by_key(self, parameters: Mapping[str, Any]) -> dict[str, Any]:
        """Return values by key."""
        return self.decoded(parameters)

    def overrides(self, parameters: Mapping[str, Any]) -> list[str]:
        """Return the overrides of a trial."""
        return [f"{key}={literal(value)}" for key, value in self.decoded(parameters).items()]

    def trial_config(self, base: config.Config, parameters: Mapping[str, Any]) -> config.Config:
        """Return the config of a trial, which holds its overrides."""
        return {**base, "problem": {**base["problem"], "trial": self.overrides(parameters)}}
