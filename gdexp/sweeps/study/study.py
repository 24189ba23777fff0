"""The study: opened by the driver, loaded by workers, and read and written by both."""

from __future__ import annotations

import socket
from collections.abc import Mapping, Sequence
from contextlib import AbstractContextManager, nullcontext
from contextvars import ContextVar
from pathlib import Path
from typing import TYPE_CHECKING, Any

from gdexp.core import BadInput, StorageFailed, context_value, mask_secrets
from gdexp.sweeps.optuna_internals import Draft, storage_of
from gdexp.sweeps.plan import Plan
from gdexp.sweeps.settings import SweepSettings
from gdexp.sweeps.study.attributes import DEFINITION
from gdexp.sweeps.study.definition import check_definition
from gdexp.sweeps.study.trial_record import TrialRecord, counts, is_added
from gdexp.tracking import is_postgresql

if TYPE_CHECKING:
    from optuna import Study
    from optuna.study import StudyDirection
    from optuna.trial import FrozenTrial

    from gdexp.sweeps.study.study_storage import StudyStorage

_HANDED_OVER: ContextVar[Study | None] = ContextVar("gdexp_study", default=None)


def open_study(plan: Plan) -> Study:
    """Create the study of a plan, or continue it. The caller holds the study's lock.

    Raises:
        BadInput: a study of this name was made for something else; the difference is named.
        StorageFailed: the study cannot be read or written.
    """
    import optuna

    place = plan.storage_server or plan.journal
    try:
        if isinstance(place, Path):
            from gdexp.sweeps.study.journal_storage import repair_journal

            repair_journal(place)
        storage = open_storage(place)
        # Looked up first: a creation is written to the journal even where the study exists.
        if plan.name in optuna.get_all_study_names(storage):
            study = optuna.load_study(study_name=plan.name, storage=storage)
        else:
            study = optuna.create_study(
                study_name=plan.name, storage=storage, directions=directions(plan)
            )
    except (OSError, ValueError, KeyError) as error:
        raise StorageFailed(
            f"sweep.storage={mask_secrets(str(place))}: cannot be used as a study's storage "
            f"({error}); restore a copy of it, or give another sweep.name"
        ) from error
    check_definition(study, plan)
    return study


def directions(plan: Plan) -> list[StudyDirection]:
    """Return the direction of each objective of a plan."""
    from optuna.study import StudyDirection

    largest, smallest = StudyDirection.MAXIMIZE, StudyDirection.MINIMIZE
    return [largest if each.maximize else smallest for each in plan.objectives]


def handed_over(study: Study) -> AbstractContextManager[None]:
    """Let a worker inside the block, in this process, take the study as it is open here.

    Another reading of a study takes as long as all its trials, and as much memory.
    """
    return context_value(_HANDED_OVER, study)


def load_study(settings: SweepSettings) -> Study:
    """Load the study that the driver opened, for a worker.

    Raises:
        BadInput: the study is not there: a worker on another machine sees another file system.
    """
    import optuna

    place = str(settings.storage)
    served = is_postgresql(place)
    handed = _HANDED_OVER.get()
    if handed is not None and handed.study_name == settings.name:
        return optuna.load_study(study_name=handed.study_name, storage=storage_of(handed))
    try:
        if not served and not Path(place).exists():
            raise KeyError
        storage = open_storage(place if served else Path(place))
        return optuna.load_study(study_name=str(settings.name), storage=storage)
    except KeyError:
        raise BadInput(
            "sweep.storage",
            place,
            f"holds no study {settings.name} as seen from {socket.gethostname()}; workers on "
            "several machines need a shared folder, or sweep.storage=postgresql://…",
        ) from None


def stored_definition(plan: Plan) -> dict[str, Any] | None:
    """Return the definition of a plan's study on a server; None if there is no such study.

    Raises:
        StorageFailed: the server does not answer.
    """
    import optuna

    storage = open_storage(str(plan.storage_server))
    if plan.name not in optuna.get_all_study_names(storage):
        return None
    study = optuna.load_study(study_name=plan.name, storage=storage)
    return dict(study.user_attrs.get(DEFINITION, {}))


def open_storage(place: str | Path) -> StudyStorage:
    """Return the storage on a server (an address) or in a file (a path)."""
    import optuna

    optuna.logging.set_verbosity(optuna.logging.WARNING)
    if isinstance(place, str):
        from gdexp.sweeps.study.postgres_storage import PostgresStudyStorage

        return PostgresStudyStorage(place)
    from gdexp.sweeps.study.journal_storage import JournalStudyStorage

    return JournalStudyStorage(place)


def readable_study(place: str | Path) -> StudyStorage:
    """Return the studies on a server (an address) or in a file (a path), for dashboards.

    Objectives have names, attributes are words and numbers, and estimates do not dwarf the rest.
    """
    from gdexp.sweeps.study.study_view import ReadableStudy

    return ReadableStudy(open_storage(place))


def grouped_writes(study: Study) -> AbstractContextManager[None]:
    """Write the changes made inside at once, where the storage can do that."""
    storage = _own_storage(study)
    return nullcontext() if storage is None else storage.grouped_writes()


def claim_lock(study: Study) -> AbstractContextManager[None]:
    """Keep all other workers from claiming trials."""
    storage = _own_storage(study)
    return nullcontext() if storage is None else storage.claim_lock(study.study_name)


def no_waiting_trials(study: Study) -> AbstractContextManager[None]:
    """Spare Optuna the search for a waiting trial, while it is known that there is none."""
    storage = _own_storage(study)
    return nullcontext() if storage is None else storage.no_waiting_trials()


def _own_storage(study: Study) -> StudyStorage | None:
    """Return the storage of a study; None for a study in memory, which a preview uses."""
    from gdexp.sweeps.study.study_storage import StudyStorage

    storage = storage_of(study)
    return storage if isinstance(storage, StudyStorage) else None


def completed_trials(study: Study) -> list[FrozenTrial]:
    """Return the trials that count, in order; those that the user added are among them."""
    return [trial for trial in study.get_trials(deepcopy=False) if counts(trial)]


def recorded_trials(study: Study) -> list[FrozenTrial]:
    """Return the finished trials that have a record, in order: all but those of the user."""
    return [trial for trial in completed_trials(study) if not is_added(trial)]


def tell(study: Study, number: int, record: TrialRecord) -> None:
    """Tell Optuna the result of a trial; telling it twice is harmless.

    This is the last write of a trial.
    """
    from gdexp.sweeps.study.study_storage import end_of

    state, values = end_of(_values(study, record))
    study.tell(number, values, state, skip_if_finished=True)


def tell_all(study: Study, records: Mapping[int, TrialRecord]) -> None:
    """Tell Optuna the results of trials, by their numbers, in one write.

    The samplers that gdexp offers do nothing when a trial is told. So the storage alone is told.
    """
    storage = _own_storage(study)
    if storage is None:
        for number, record in records.items():
            tell(study, number, record)
        return
    values = {number: _values(study, record) for number, record in records.items()}
    with storage.grouped_writes():
        storage.end_trials(storage.get_study_id_from_name(study.study_name), values)


def create_trials(study: Study, drafts: Sequence[Draft]) -> list[FrozenTrial]:
    """Create running trials with their parameters; inside `grouped_writes` or `claim_lock`."""
    storage = _own_storage(study)
    if storage is None:
        raise TypeError("a study in memory makes its trials one by one")
    return storage.create_trials(storage.get_study_id_from_name(study.study_name), drafts)


def set_attributes(study: Study, attributes: Mapping[int, Mapping[str, object]]) -> set[int]:
    """Set user attributes of trials, by their numbers; inside `grouped_writes`.

    Returns:
        The numbers of those that are finished, and keep what they have.
    """
    storage = _own_storage(study)
    if storage is None:
        raise TypeError("a study in memory has no records")
    return storage.set_attributes(storage.get_study_id_from_name(study.study_name), attributes)


def _values(study: Study, record: TrialRecord) -> list[float]:
    """Return what Optuna is told of a trial."""
    return list(record.told(len(study.directions)))


def requeue(study: Study, number: int) -> None:
    """Let a running trial wait again."""
    from optuna.trial import TrialState

    storage_of(study).set_trial_state_values(_trial_id(study, number), TrialState.WAITING)


def set_trial_attribute(study: Study, number: int, key: str, value: object) -> None:
    """Set a user attribute of a trial that is not finished."""
    storage_of(study).set_trial_user_attr(_trial_id(study, number), key, value)


def _trial_id(study: Study, number: int) -> int:
    storage = storage_of(study)
    study_id = storage.get_study_id_from_name(study.study_name)
    return storage.get_trial_id_from_study_id_trial_number(study_id, number)
