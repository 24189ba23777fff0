"""A study as a person reads it, for dashboards: names, plain attributes, values of one scale.

What is stored does not change. A trial that does not converge is told to Optuna with ten times
`max_iterations`; beside it all other values would be one line. And gdexp's own attributes are
objects that are made for reading back.
"""

from __future__ import annotations

import copy
import math
from collections.abc import Container, Mapping, Sequence
from contextlib import AbstractContextManager
from typing import TYPE_CHECKING, Any

from optuna.storages import BaseStorage, InMemoryStorage
from optuna.study import StudyDirection

from gdexp.sweeps.objective import HITTING_TIME, THRESHOLD
from gdexp.sweeps.optuna_internals import trial_id as trial_id_of
from gdexp.sweeps.study.attributes import BASE, DEFINITION, PARENT
from gdexp.sweeps.study.study_storage import StudyStorage
from gdexp.sweeps.study.trial_record import UNTRACKED, TrialRecord, is_added
from gdexp.sweeps.study.trial_rows import is_row

if TYPE_CHECKING:
    from optuna.trial import FrozenTrial, TrialState

# ruff: noqa: D102 (Optuna's BaseStorage documents the methods that are handed on)

TIMES_WORST = 2.0
"""A value that is an estimate is shown as at most so many times the worst known one."""

OWN = "gdexp."
"""How the names of gdexp's own attributes begin."""


class ReadableStudy(StudyStorage):
    """A storage that shows another one's studies.

    Args:
        storage: it is read; what is changed in it is changed as it stands.
    """

    def __init__(self, storage: StudyStorage) -> None:
        self._storage = storage

    @property
    def inner(self) -> BaseStorage:
        return self._storage.inner

    def guard(self) -> AbstractContextManager[None]:
        return self._storage.guard()

    def claim_lock(self, study_name: str) -> AbstractContextManager[None]:
        return self._storage.claim_lock(study_name)

    def get_study_user_attrs(self, study_id: int) -> dict[str, Any]:
        return _study_attributes(super().get_study_user_attrs(study_id))

    def get_study_system_attrs(self, study_id: int) -> dict[str, Any]:
        stored = super().get_study_user_attrs(study_id)
        names = _names(stored, len(self.get_study_directions(study_id)))
        return {**_metric_names(names), **super().get_study_system_attrs(study_id)}

    def get_all_studies(self) -> list[Any]:
        found = []
        for each in super().get_all_studies():
            study = copy.copy(each)
            study.user_attrs = _study_attributes(each.user_attrs)
            names = _names(each.user_attrs, len(each.directions))
            study.system_attrs = {**_metric_names(names), **each.system_attrs}
            found.append(study)
        return found

    def get_all_trials(
        self,
        study_id: int,
        deepcopy: bool = True,
        states: Container[TrialState] | None = None,
    ) -> list[FrozenTrial]:
        trials = super().get_all_trials(study_id, deepcopy=False)
        limits = _limits(trials, self.get_study_directions(study_id))
        return [_readable(t, limits) for t in trials if states is None or t.state in states]

    def get_trial(self, trial_id: int) -> FrozenTrial:
        for study in super().get_all_studies():
            number = self.get_study_id_from_name(study.study_name)
            for shown in self.get_all_trials(number):
                if trial_id_of(shown) == trial_id:
                    return shown
        raise KeyError(trial_id)


def _names(stored: Mapping[str, Any], count: int) -> list[str]:
    """Return the name of each objective; a study that is not gdexp's has none."""
    definition = stored.get(DEFINITION)
    if definition is None:
        return []
    given = [str(name) for name, _ in definition.get("objectives", ())]
    names = given or [HITTING_TIME, THRESHOLD]
    return names[:count] if len(names) >= count else []


def _metric_names(names: list[str]) -> dict[str, Any]:
    """Return the attribute in which Optuna stores names of objectives."""
    if not names:
        return {}
    import warnings

    import optuna

    storage, directions = InMemoryStorage(), [StudyDirection.MINIMIZE] * len(names)
    study = optuna.create_study(storage=storage, directions=directions)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", optuna.exceptions.ExperimentalWarning)
        study.set_metric_names(names)
    return storage.get_study_system_attrs(storage.get_study_id_from_name(study.study_name))


def _study_attributes(stored: Mapping[str, Any]) -> dict[str, Any]:
    """Return what a study is of, in words, in place of gdexp's own attributes."""
    shown = {key: value for key, value in stored.items() if not key.startswith(OWN)}
    base, definition = stored.get(BASE, {}), stored.get(DEFINITION, {})
    problem = base.get("problem")
    other = problem.get("application") if isinstance(problem, Mapping) else None
    if other is not None:
        shown["application"] = str(other)
    for group in ("problem", "optimizer"):
        if other is None and isinstance(base.get(group), Mapping):
            shown[group] = str(base[group].get("name", ""))
    for key in ("sampler", "seeds", "cap"):
        if definition.get(key) is not None:
            shown[key] = definition[key]
    for name, given in dict(definition.get("space") or {}).items():
        shown[f"space {name}"] = _range(given)
    if PARENT in stored:
        shown["MLflow run"] = stored[PARENT]
    return shown


def _range(given: Any) -> str:  # noqa: ANN401
    """Return the range of a swept key in words."""
    if isinstance(given, Mapping) and given.get("low") is not None:
        return f"{'log ' if given.get('log') else ''}{given['low']:g} … {given['high']:g}"
    if isinstance(given, Mapping) and "choices" in given:
        return ", ".join(map(str, given["choices"]))
    return str(given)


def _limits(
    trials: Sequence[FrozenTrial], directions: Sequence[StudyDirection]
) -> list[tuple[float, float]]:
    """Return between which two numbers estimates of each objective are shown."""
    known = [
        trial.values
        for trial in trials
        if trial.values and (is_added(trial) or _is_known(TrialRecord.of(trial)))
    ]
    limits = []
    for place, direction in enumerate(directions):
        values = [row[place] for row in known if math.isfinite(row[place])]
        if not values:
            limits.append((-math.inf, math.inf))
        elif direction == StudyDirection.MAXIMIZE:
            worst = min(values)
            limits.append((worst - (TIMES_WORST - 1) * abs(worst), math.inf))
        else:
            worst = max(values)
            limits.append((-math.inf, worst + (TIMES_WORST - 1) * abs(worst)))
    return limits


def _is_known(record: TrialRecord) -> bool:
    return record.can_win if record.values is None else not record.is_estimate


def _readable(trial: FrozenTrial, limits: Sequence[tuple[float, float]]) -> FrozenTrial:
    """Return a copy of a trial with plain attributes, and with values between the limits."""
    shown = copy.copy(trial)
    attributes = {k: v for k, v in trial.user_attrs.items() if not k.startswith(OWN)}
    if not is_added(trial):
        record = TrialRecord.of(trial)
        attributes |= {
            "status": str(record.status),
            "iterations": record.iterations,
            **({} if math.isnan(record.final_loss) else {"final_loss": record.final_loss}),
        }
        if not is_row(record.run_id) and record.run_id != UNTRACKED:
            attributes["MLflow run"] = record.run_id
        if record.reason:
            attributes["reason"] = record.reason
        if trial.values and not _is_known(record):
            pairs = zip(trial.values, limits, strict=True)
            values = [min(max(value, low), high) for value, (low, high) in pairs]
            if values != list(trial.values):
                shown.values = values
                attributes["told to the sampler"] = ", ".join(f"{v:g}" for v in trial.values)
    shown.user_attrs = attributes
    return shown
