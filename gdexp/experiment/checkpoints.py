"""The checkpoints of an experiment: their settings, and what one must have in common with it."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import torch

from gdexp import config
from gdexp.checkpoints import CheckpointFolder, Checkpointing
from gdexp.core import BadInput, changed_files, validation
from gdexp.experiment.experiment import Experiment
from gdexp.experiment.provenance import code_digests, user_codes
from gdexp.training import ALL, Kept

FOLDER = "checkpoints"
"""The folder of checkpoints: of single runs in the command's folder, of trials in a study's."""


CHANGEABLE = (
    *("stopping.max_iterations", "stopping.max_epochs", "stopping.max_seconds"),
    *("stopping.patience", "device"),
)
"""The keys that may be given anew where a training goes on: they change no update before."""


@dataclass(frozen=True)
class CheckpointSettings:
    """The config group `checkpoint`.

    Attributes:
        every: seconds between two checkpoints, > 0; None: only where a signal ends the run.
    """

    every: float | None = 60.0

    def __post_init__(self) -> None:
        if self.every is not None:
            validation.positive("every", self.every)

    @classmethod
    def of(cls, composed: Mapping[str, Any]) -> CheckpointSettings:
        """Return the settings of a config, which may be without the group.

        Raises:
            BadInput: names the full key.
        """
        return config.construct("checkpoint", cls, composed.get("checkpoint") or {})


def checkpointing(
    experiment: Experiment,
    folder: CheckpointFolder,
    settings: CheckpointSettings,
    drops_others: bool = False,
    kept: Kept = ALL,
    changed: Collection[str] = (),
    warn: Callable[[str], None] = lambda text: None,
) -> Checkpointing:
    """Return what saves an experiment and goes on with it.

    Args:
        experiment: what is run.
        folder: of the checkpoints.
        settings: when they are made.
        drops_others: as of `Checkpointing`.
        kept: what the result keeps of the weights; `kept_of` reads it again.
        changed: keys that may differ from those of the checkpoint, of `CHANGEABLE`.
        warn: as of `Checkpointing`.
    """

    def about() -> dict[str, Any]:
        return {
            "config": _config(experiment),
            **_basis(experiment),
            "kept": kept._asdict(),
        }

    def differs(saved: Mapping[str, Any]) -> str | None:
        return _difference(experiment, saved, changed)

    return Checkpointing(folder, settings.every, about, differs, drops_others, warn)


RowKey = tuple[int, int, str]
"""A row of a saved batch: trial, seed, and the digest of its config."""


def row_key(number: int, experiment: Experiment) -> RowKey:
    """Return what finds a descent of a trial in a batch that was saved."""
    return number, experiment.seed, _digest(_config(experiment))


def batch_checkpointing(
    experiments: Sequence[tuple[int, Experiment]],
    folder: CheckpointFolder,
    settings: CheckpointSettings,
) -> Checkpointing:
    """Return what saves descents that run together.

    Args:
        experiments: of the rows, each with the number of its trial.
        folder: of the checkpoints.
        settings: when they are made.
    """

    def about() -> dict[str, Any]:
        return {"rows": [row_key(*each) for each in experiments], **_basis(experiments[0][1])}

    return Checkpointing(folder, settings.every, about)


def saved_rows(saved: Mapping[str, Any]) -> Mapping[RowKey, int]:
    """Return the place of each row in a batch that was saved."""
    return {
        (int(n), int(seed), str(key)): i for i, (n, seed, key) in enumerate(saved.get("rows", []))
    }


def basis_difference(experiment: Experiment, saved: Mapping[str, Any]) -> str | None:
    """Return which code or torch of a checkpoint differs from what is here; None if none does."""
    files = changed_files(saved["code"], *user_codes(experiment.config))
    if files:
        return f"{files[0]} changed since it was made"
    if saved["torch"] != torch.__version__:
        return f"it was made with torch {saved['torch']}, this is {torch.__version__}"
    return None


def _basis(experiment: Experiment) -> dict[str, Any]:
    return {"code": code_digests(experiment.config), "torch": torch.__version__}


def kept_of(saved: Mapping[str, Any]) -> Kept:
    """Return what the result of a saved descent keeps of the weights.

    Raises:
        BadInput: the checkpoint says something else.
    """
    found = saved.get("kept")
    if not isinstance(found, Mapping) or set(found) != set(Kept._fields):
        raise BadInput("+resume", "", "its checkpoint does not say what is kept of the weights")
    return Kept(**found)


def has_same_config(experiment: Experiment, saved: Mapping[str, Any]) -> bool:
    """Return whether a checkpoint is of the same settings."""
    there = saved.get("config")
    return isinstance(there, Mapping) and _digest(there) == _digest(_config(experiment))


def _difference(
    experiment: Experiment, saved: Mapping[str, Any], changed: Collection[str]
) -> str | None:
    """Return how the descent of a checkpoint differs from an experiment; None if it does not."""
    there, here = (config.flatten(c) for c in (saved["config"], _config(experiment)))
    for key in sorted((there.keys() | here.keys()) - set(changed)):
        if repr(there.get(key)) != repr(here.get(key)):
            return f"it was made with {key}={there.get(key)}, not {here.get(key)}"
    return basis_difference(experiment, saved)


def _config(experiment: Experiment) -> config.Config:
    """Return what decides an experiment, without the cap, which other trials set meanwhile.

    A descent has the engine that was asked for: `auto` may change its mind on the way.
    """
    outcome = config.outcome(experiment.config)
    if experiment.function is not None and "engine" in outcome:
        outcome = {**outcome, "engine": experiment.asked_engine}
    return {**outcome, "stopping": {k: v for k, v in outcome["stopping"].items() if k != "cap"}}


def _digest(composed: Mapping[str, Any]) -> str:
    return config.digest(config.flatten(composed))
