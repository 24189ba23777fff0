"""A storage that is told when no trial waits, and then does not look for one."""

from __future__ import annotations

from collections.abc import Container, Iterator
from contextlib import contextmanager

from optuna.storages import BaseStorage
from optuna.trial import FrozenTrial, TrialState


class Queueless(BaseStorage):
    """Goes before a storage of Optuna's among the bases of a class.

    Optuna looks through all trials for one that waits, each time a trial is asked. On a server
    it reads those that are running anew for that.
    """

    _none_wait = False

    @contextmanager
    def no_waiting_trials(self) -> Iterator[None]:
        """Around asking for new trials while it is known that none waits."""
        self._none_wait = True
        try:
            yield
        finally:
            self._none_wait = False

    def get_all_trials(
        self,
        study_id: int,
        deepcopy: bool = True,
        states: Container[TrialState] | None = None,
    ) -> list[FrozenTrial]:
        """The trials of a study in these states."""
        if self._none_wait and states == (TrialState.WAITING,):
            return []
        return super().get_all_trials(study_id, deepcopy, states)  # type: ignore[safe-super]
