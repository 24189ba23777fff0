"""The study: opened, resumed, and what a kill left behind in it settled."""

from __future__ import annotations

import socket
from collections.abc import Mapping
from contextlib import AbstractContextManager, nullcontext
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

from gdexp.config import flatten
from gdexp.core import BadInput, StorageFailed, hidden
from gdexp.sweeps.plan import Plan
from gdexp.sweeps.settings import SweepSettings
from gdexp.sweeps.study.trial_record import TrialRecord
from gdexp.tracking import is_postgresql, mask_uri

if TYPE_CHECKING:
    from optuna import Study
    from optuna.storages import BaseStorage
    from optuna.trial import FrozenTrial

    from gdexp.sweeps.study.postgres_storage import ServedStudy

DEFINITION, BASE, PARENT = "gdexp.definition", "gdexp.base", "gdexp.parent"
TOKEN = "gdexp.token"
WORKER = "gdexp.worker"
"""Of a trial: the worker that is at it, where there are several."""


def open_study(plan: Plan) -> Study:
    """The study of this plan, created or continued. The caller holds it.

    Raises:
        BadInput: a study of this name was made for something else; the difference is named.
        StorageFailed: the journal cannot be read or written.
    """
    import optuna
    from optuna.study import StudyDirection

    place = plan.served or plan.journal
    try:
        storage = _storage(place, alone=True)
        # Looked up first: asking Optuna to create it writes to the journal in any case.
        if plan.name in optuna.get_all_study_names(storage):
            study = optuna.load_study(study_name=plan.name, storage=storage)
        else:
            directions = [StudyDirection.MINIMIZE] * (2 if plan.pareto else 1)
            study = optuna.create_study(
                study_name=plan.name, storage=storage, directions=directions
            )
    except (OSError, ValueError, KeyError) as error:
        raise StorageFailed(
            f"sweep.storage={hidden(str(place))}: cannot be used as a study's storage ({error}); "
            "restore a copy of it, or give another sweep.name"
        ) from error
    _check_definition(study, plan)
    return study


def load_study(settings: SweepSettings) -> Study:
    """The study that the driver made ready, for a worker.

    Raises:
        BadInput: there is none: a worker on another machine sees another file system.
    """
    import optuna

    place = str(settings.storage)
    served = is_postgresql(place)
    try:
        if not served and not Path(place).exists():
            raise KeyError
        storage = _storage(place if served else Path(place))
        return optuna.load_study(study_name=str(settings.name), storage=storage)
    except KeyError:
        raise BadInput(
            "sweep.storage",
            place,
            f"holds no study {settings.name} as seen from {socket.gethostname()}; workers on "
            "several machines need a shared folder, or sweep.storage=postgresql://…",
        ) from None


def _storage(place: str | Path, alone: bool = False) -> BaseStorage:
    """The storage at an address or in a file; what a kill left is mended where nobody else is."""
    import optuna

    optuna.logging.set_verbosity(optuna.logging.WARNING)
    if isinstance(place, str):
        from gdexp.sweeps.study.postgres_storage import ServedStudy

        return ServedStudy(place)
    from gdexp.sweeps.study.journal_storage import StudyStorage, mend

    if alone:
        mend(place)
    return StudyStorage(place)


def together(study: Study) -> AbstractContextManager[None]:
    """Around changes of a study that are to be written at once, where its storage can do that."""
    from gdexp.sweeps.study.journal_storage import StudyStorage

    storage = study._storage
    return storage.together() if isinstance(storage, StudyStorage) else nullcontext()


def claiming(study: Study) -> AbstractContextManager[None]:
    """Around what no two workers may do at once."""
    from gdexp.sweeps.study.journal_storage import StudyStorage

    storage = study._storage
    if isinstance(storage, StudyStorage):
        return storage.together()
    return cast("ServedStudy", storage).claiming(study.study_name)


def reported(place: str | None) -> AbstractContextManager[None]:
    """Around work with a study: errors of its server are gdexp's own.

    Args:
        place: the server's address; None where the study is in a file, whose storage does it.
    """
    if place is None:
        return nullcontext()
    from gdexp.sweeps.study.postgres_storage import reported as of_server

    return of_server(mask_uri(place))


def nothing_waits(study: Study) -> AbstractContextManager[None]:
    """Around asking for a new trial while no trial waits, where the storage can make use of it."""
    from gdexp.sweeps.study.skip_waiting import Queueless

    storage = study._storage
    return storage.nothing_waits() if isinstance(storage, Queueless) else nullcontext()


def finished(study: Study) -> list[FrozenTrial]:
    """The trials that count, in order."""
    from optuna.trial import TrialState

    return study.get_trials(deepcopy=False, states=(TrialState.COMPLETE,))


def tell(study: Study, number: int, record: TrialRecord) -> None:
    """Tell Optuna what came of a trial, the last of its writes; twice is harmless."""
    pareto = len(study.directions) > 1
    values = [record.hitting_time, record.threshold] if pareto else record.hitting_time
    study.tell(number, values, skip_if_finished=True)


def _check_definition(study: Study, plan: Plan) -> None:
    wanted = plan.definition()
    known = study.user_attrs.get(DEFINITION)
    if known == wanted and study.user_attrs.get(BASE) != plan.base:
        known = {**known, "base": "what was edited by hand"}
    if known is None:
        study.set_user_attr(BASE, plan.base)
        study.set_user_attr(DEFINITION, wanted)
        return
    if known == wanted:
        return
    difference = _first_difference(known, wanted)
    raise BadInput(
        "sweep.name", plan.name, f"this study was made with {difference}; give another sweep.name"
    )


def _first_difference(known: Mapping[str, Any], wanted: Mapping[str, Any]) -> str:
    before = {**known.get("config", {}), **{k: v for k, v in known.items() if k != "config"}}
    now = {**wanted.get("config", {}), **{k: v for k, v in wanted.items() if k != "config"}}
    before, now = flatten(before), flatten(now)
    for key in sorted({*before, *now}):
        if before.get(key) != now.get(key):
            return f"{key}={before.get(key)}, not {now.get(key)}"
    return "another definition"
