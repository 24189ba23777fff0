"""The search space of another application: overrides of its config, and what a function adds."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import TYPE_CHECKING, Any

from gdexp import config
from gdexp.config import literal
from gdexp.sweeps import Dimension, Space
from gdexp.tracking import Record, params

if TYPE_CHECKING:
    from optuna import Trial
    from optuna.trial import FrozenTrial

CHOSEN = "gdexp.chosen"
"""Of a trial whose parameters a function adds to: whether all of them are chosen."""

OWN_PARAMS = ("problem.", "stopping.", "optimizer.name")
"""How those params of a trial's run begin that are gdexp's."""

Suggest = Callable[["Trial"], None]
"""Lets a trial suggest further parameters."""


NOT_PARAMS = ("problem.trial", "problem.repeat")
"""What a trial's config holds of all its overrides."""

ENGINE_TAG = "gdexp.engine"

UNUSABLE = re.compile(r"[^\w\-./ :]")
"""The characters that MLflow takes in no name."""


def param_name(key: str) -> str:
    """Return the name of an override's key among the params of a run in MLflow."""
    name = UNUSABLE.sub("_", key.lstrip("+"))
    return f"trial.{name}" if name.startswith(OWN_PARAMS) else name


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
        """Return values by the names that their keys have in MLflow."""
        return {param_name(key): value for key, value in self.decoded(parameters).items()}

    def overrides(self, parameters: Mapping[str, Any]) -> list[str]:
        """Return the overrides of a trial."""
        return [f"{key}={literal(value)}" for key, value in self.decoded(parameters).items()]

    def axes(self) -> tuple[list[str], list[str]]:
        """Return the params that every trial has; see `Space`."""
        every, positive = super().axes()
        return [param_name(key) for key in every], [param_name(key) for key in positive]

    def recorded(self, record: Record, parameters: Mapping[str, Any]) -> Record:
        """Return the record of a trial's run with what its overrides set, each under its own key.

        Of gdexp's config it keeps the goal: the rest says nothing of an application.
        """
        several = ("seed",) if "problem.first_seed" in record.params else ()
        kept = {
            key: text
            for key, text in record.params.items()
            if (key.startswith(OWN_PARAMS) and key not in NOT_PARAMS) or key in several
        }
        swept = params({param_name(k): v for k, v in self.decoded(parameters).items()})
        tags = {key: text for key, text in record.tags.items() if key != ENGINE_TAG}
        return replace(record, params={**kept, **swept}, tags=tags)

    def trial_config(self, base: config.Config, parameters: Mapping[str, Any]) -> config.Config:
        """Return the config of a trial, which holds its overrides."""
        return {**base, "problem": {**base["problem"], "trial": self.overrides(parameters)}}
