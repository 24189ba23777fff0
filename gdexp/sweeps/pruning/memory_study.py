"""A study in memory for Optuna's pruners: finished trials with readings, and one that runs."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from functools import cache
from typing import TYPE_CHECKING, Any

from gdexp.descent import Status

if TYPE_CHECKING:
    from optuna import Study
    from optuna.trial import FrozenTrial

STATES = {Status.PRUNED: "PRUNED", Status.FAILED: "FAIL"}
"""The states of trials by their status; all others are COMPLETE."""

RUNNING = ""
"""In place of a status: the trial runs."""

_WHEN = datetime(2000, 1, 1)
"""Pruners do not look at the time."""


class MemoryStudy:
    """An Optuna study whose trials are given as they are; smaller values are better.

    Args:
        name: of the study that the trials are of.

    Attributes:
        study: for a pruner.
        running: the trial that a pruner is asked about; what it notes is noted there.
    """

    def __init__(self, name: str) -> None:
        import optuna

        optuna.logging.set_verbosity(optuna.logging.WARNING)
        self._storage = _storage_class()()
        self.study: Study = optuna.create_study(storage=self._storage, study_name=name)

    def add(self, trial: FrozenTrial) -> None:
        """Add a finished trial."""
        self._storage.finished.append(trial)

    def clear(self) -> None:
        """Remove all trials."""
        self._storage.finished.clear()

    def ask(self, pruner: Any, trial: FrozenTrial) -> bool:  # noqa: ANN401 (Optuna's)
        """Return whether a pruner ends a running trial at its last reading."""
        self._storage.running = trial
        return bool(pruner.prune(self.study, trial))


def made_trial(
    number: int, readings: Mapping[int, float], value: float | None, status: str
) -> FrozenTrial:
    """Return a trial as Optuna holds it.

    Args:
        number: of the trial.
        readings: values by step, smaller ones better.
        value: of the objective, smaller ones better; of a finished trial.
        status: why it ended, or `RUNNING`.
    """
    from optuna.trial import FrozenTrial, TrialState

    state = "RUNNING" if status == RUNNING else STATES.get(Status(status), "COMPLETE")
    return FrozenTrial(
        number=number,
        trial_id=number,
        state=TrialState[state],
        value=value if state == "COMPLETE" else None,
        datetime_start=_WHEN,
        datetime_complete=None if status == RUNNING else _WHEN,
        params={},
        distributions={},
        user_attrs={},
        system_attrs={},
        intermediate_values=dict(readings),
    )


@cache
def _storage_class() -> Any:  # noqa: ANN401 (a class over one of Optuna's)
    from optuna.storages import BaseStorage, InMemoryStorage

    class ReadingsStorage(InMemoryStorage):
        def __init__(self) -> None:
            super().__init__()
            self.finished: list[FrozenTrial] = []
            self.running: FrozenTrial | None = None

        def get_all_trials(
            self,
            study_id: int,
            deepcopy: bool = True,
            states: Any = None,  # noqa: ANN401
        ) -> list[FrozenTrial]:
            return [each for each in self.finished if states is None or each.state in states]

        def get_best_trial(self, study_id: int) -> FrozenTrial:
            return BaseStorage.get_best_trial(self, study_id)

        def set_trial_system_attr(self, trial_id: int, key: str, value: Any) -> None:  # noqa: ANN401
            if self.running is not None and trial_id == self.running.number:
                self.running.system_attrs = {**self.running.system_attrs, key: value}

    return ReadingsStorage
