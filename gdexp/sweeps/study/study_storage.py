"""The base of both storages of a study: every operation runs inside a guard."""

from __future__ import annotations

import math
from abc import abstractmethod
from collections.abc import Container, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager, nullcontext
from typing import Any

from optuna.distributions import BaseDistribution
from optuna.exceptions import UpdateFinishedTrialError
from optuna.storages import BaseStorage
from optuna.study import StudyDirection
from optuna.trial import FrozenTrial, TrialState, create_trial

from gdexp.sweeps.optuna_internals import Draft

# ruff: noqa: D102 (Optuna's BaseStorage documents the methods that are handed on)


class StudyStorage(BaseStorage):
    """A storage that hands every operation to one of Optuna's, inside `guard`.

    Raises:
        StorageFailed: from every method: the file or server cannot be read or written.
    """

    _no_waiting = False

    @property
    @abstractmethod
    def inner(self) -> BaseStorage:
        """Return Optuna's storage, which does the work."""

    @abstractmethod
    def guard(self) -> AbstractContextManager[None]:
        """Return the context that each operation runs in."""

    @abstractmethod
    def claim_lock(self, study_name: str) -> AbstractContextManager[None]:
        """Keep all other workers from claiming trials of a study."""

    def grouped_writes(self) -> AbstractContextManager[None]:
        """Write the changes made inside at once, where the storage can do that."""
        return nullcontext()

    @contextmanager
    def no_waiting_trials(self) -> Iterator[None]:
        """Spare Optuna the search for a waiting trial, while it is known that there is none.

        Optuna searches all trials each time one is asked. On a server it reads all running
        trials again for that.
        """
        self._no_waiting = True
        try:
            yield
        finally:
            self._no_waiting = False

    def create_trials(self, study_id: int, drafts: Sequence[Draft]) -> list[FrozenTrial]:
        """Create running trials with their parameters.

        The caller is in `grouped_writes` or holds `claim_lock`.
        """
        made = []
        for draft in drafts:
            template = create_trial(
                state=TrialState.RUNNING,
                params=dict(draft.params),
                distributions=dict(draft.distributions),
                user_attrs=dict(draft.user_attrs),
                system_attrs=dict(draft.system_attrs),
            )
            made.append(self.get_trial(self.create_new_trial(study_id, template)))
        return made

    def set_attributes(
        self, study_id: int, attributes: Mapping[int, Mapping[str, object]]
    ) -> set[int]:
        """Set user attributes of trials, by their numbers; in `grouped_writes`.

        Returns:
            The numbers of those that are finished, and keep what they have.
        """
        finished = set()
        for number, given in attributes.items():
            known = self.get_trial_id_from_study_id_trial_number(study_id, number)
            try:
                for key, value in given.items():
                    self.set_trial_user_attr(known, key, value)
            except UpdateFinishedTrialError:
                finished.add(number)
        return finished

    def end_trials(self, study_id: int, values: Mapping[int, Sequence[float]]) -> None:
        """End running trials with their values, by their numbers; in `grouped_writes`.

        A trial that is finished keeps what it has. A value that is no number is a failure.
        """
        for number, given in values.items():
            known = self.get_trial_id_from_study_id_trial_number(study_id, number)
            if not self.get_trial(known).state.is_finished():
                state, kept = end_of(given)
                self.set_trial_state_values(known, state, kept)

    def create_new_study(
        self, directions: Sequence[StudyDirection], study_name: str | None = None
    ) -> int:
        with self.guard():
            return self.inner.create_new_study(directions, study_name)

    def delete_study(self, study_id: int) -> None:
        with self.guard():
            self.inner.delete_study(study_id)

    def set_study_user_attr(self, study_id: int, key: str, value: object) -> None:
        with self.guard():
            self.inner.set_study_user_attr(study_id, key, value)

    def set_study_system_attr(self, study_id: int, key: str, value: Any) -> None:  # noqa: ANN401
        with self.guard():
            self.inner.set_study_system_attr(study_id, key, value)

    def get_study_id_from_name(self, study_name: str) -> int:
        with self.guard():
            return self.inner.get_study_id_from_name(study_name)

    def get_study_name_from_id(self, study_id: int) -> str:
        with self.guard():
            return self.inner.get_study_name_from_id(study_id)

    def get_study_directions(self, study_id: int) -> list[StudyDirection]:
        with self.guard():
            return self.inner.get_study_directions(study_id)

    def get_study_user_attrs(self, study_id: int) -> dict[str, Any]:
        with self.guard():
            return self.inner.get_study_user_attrs(study_id)

    def get_study_system_attrs(self, study_id: int) -> dict[str, Any]:
        with self.guard():
            return self.inner.get_study_system_attrs(study_id)

    def get_all_studies(self) -> list[Any]:
        with self.guard():
            return self.inner.get_all_studies()

    def create_new_trial(self, study_id: int, template_trial: FrozenTrial | None = None) -> int:
        with self.guard():
            return self.inner.create_new_trial(study_id, template_trial)

    def set_trial_param(
        self,
        trial_id: int,
        param_name: str,
        param_value_internal: float,
        distribution: BaseDistribution,
    ) -> None:
        with self.guard():
            self.inner.set_trial_param(trial_id, param_name, param_value_internal, distribution)

    def get_trial_id_from_study_id_trial_number(self, study_id: int, trial_number: int) -> int:
        with self.guard():
            return self.inner.get_trial_id_from_study_id_trial_number(study_id, trial_number)

    def get_best_trial(self, study_id: int) -> FrozenTrial:
        with self.guard():
            return self.inner.get_best_trial(study_id)

    def set_trial_state_values(
        self, trial_id: int, state: TrialState, values: Sequence[float] | None = None
    ) -> bool:
        with self.guard():
            return self.inner.set_trial_state_values(trial_id, state, values)

    def set_trial_intermediate_value(
        self, trial_id: int, step: int, intermediate_value: float
    ) -> None:
        with self.guard():
            self.inner.set_trial_intermediate_value(trial_id, step, intermediate_value)

    def set_trial_user_attr(self, trial_id: int, key: str, value: object) -> None:
        with self.guard():
            self.inner.set_trial_user_attr(trial_id, key, value)

    def set_trial_system_attr(self, trial_id: int, key: str, value: Any) -> None:  # noqa: ANN401
        with self.guard():
            self.inner.set_trial_system_attr(trial_id, key, value)

    def get_trial(self, trial_id: int) -> FrozenTrial:
        with self.guard():
            return self.inner.get_trial(trial_id)

    def get_all_trials(
        self,
        study_id: int,
        deepcopy: bool = True,
        states: Container[TrialState] | None = None,
    ) -> list[FrozenTrial]:
        if self._no_waiting and states == (TrialState.WAITING,):
            return []
        with self.guard():
            return self.inner.get_all_trials(study_id, deepcopy, states)


def end_of(values: Sequence[float]) -> tuple[TrialState, list[float] | None]:
    """Return the state and the values that a trial with these values ends with."""
    if any(math.isnan(value) for value in values):
        return TrialState.FAIL, None
    return TrialState.COMPLETE, [float(value) for value in values]
