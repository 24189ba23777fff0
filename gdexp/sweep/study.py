"""The study: opened, resumed, and what a kill left behind in it settled."""

from __future__ import annotations

import socket
from collections.abc import Collection, Mapping, Sequence
from contextlib import AbstractContextManager, nullcontext
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast
from uuid import uuid4

from gdexp import interrupts
from gdexp.config import flatten
from gdexp.errors import BadInput, StorageFailed
from gdexp.faults import reason
from gdexp.secrets import hidden
from gdexp.sweep.plan import Plan
from gdexp.sweep.record import RECORD, TrialRecord
from gdexp.sweep.settings import SweepSettings
from gdexp.tracking.server import is_postgresql, masked

if TYPE_CHECKING:
    from optuna import Study
    from optuna.storages import BaseStorage
    from optuna.trial import FrozenTrial

    from gdexp.sweep.served import ServedStudy
    from gdexp.sweep.space import Space
    from gdexp.tracking import Store

DEFINITION, BASE, PARENT = "gdexp.definition", "gdexp.base", "gdexp.parent"
TOKEN = "gdexp.token"
WORKER = "gdexp.worker"
"""Of a trial: the worker that is at it, where there are several."""
MOST_IDS = 100
"""Run ids in one query."""


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
        from gdexp.sweep.served import ServedStudy

        return ServedStudy(place)
    from gdexp.sweep.storage import StudyStorage, mend

    if alone:
        mend(place)
    return StudyStorage(place)


def together(study: Study) -> AbstractContextManager[None]:
    """Around changes of a study that are to be written at once, where its storage can do that."""
    from gdexp.sweep.storage import StudyStorage

    storage = study._storage
    return storage.together() if isinstance(storage, StudyStorage) else nullcontext()


def claiming(study: Study) -> AbstractContextManager[None]:
    """Around what no two workers may do at once."""
    from gdexp.sweep.storage import StudyStorage

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
    from gdexp.sweep.served import reported as of_server

    return of_server(masked(place))


def nothing_waits(study: Study) -> AbstractContextManager[None]:
    """Around asking for a new trial while no trial waits, where the storage can make use of it."""
    from gdexp.sweep.queueless import Queueless

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


def settle(
    study: Study,
    store: Store,
    parent: str,
    space: Space,
    left: Collection[int] | None = None,
) -> int:
    """Bring study and store together after a process that did not get to its end.

    A trial left running whose child run is FINISHED is told its value; any other waits again, in
    its old place, so that the trials come in the order of an uninterrupted sweep. Child runs left
    running become KILLED.

    Args:
        study: that nobody else settles meanwhile.
        store: that holds the runs.
        parent: the run id of the sweep.
        space: of the study.
        left: the numbers of the running trials that nobody is at any more; None: of all.

    Returns:
        How many trials wait again.
    """
    from optuna.trial import TrialState

    from gdexp.sweep.keeping import is_row, kept_rows

    running = study.get_trials(deepcopy=False, states=(TrialState.RUNNING,))
    trials = running if left is None else [t for t in running if t.number in left]
    if left is not None and not trials:
        return 0
    numbers = {str(trial.number) for trial in trials}
    for run in store.children(parent, running=True):
        if left is not None and run.data.tags.get("gdexp.trial") not in numbers:
            continue
        # A trial's own children, one for each seed, before itself: whatever comes between.
        for seed in store.children(run.info.run_id, running=True):
            store.end(seed.info.run_id, "KILLED")
        store.end(run.info.run_id, "KILLED")
    recorded = {t.number: TrialRecord.of(t) for t in trials if RECORD in t.user_attrs}
    run_ids = [record.run_id for record in recorded.values()]
    whole = _finished_runs(store, [each for each in run_ids if not is_row(each)])
    whole |= kept_rows(store, parent, run_ids)
    again = 0
    for trial in trials:
        record = recorded.get(trial.number)
        if record is not None and record.run_id in whole:
            tell(study, trial.number, record)
        elif left is not None or _is_asked(trial, space):
            study._storage.set_trial_state_values(trial._trial_id, TrialState.WAITING)
            again += 1
        else:  # the last one asked; the next takes its ordinal, and so draws the same
            study.tell(trial.number, state=TrialState.FAIL, skip_if_finished=True)
    return again


def _finished_runs(store: Store, run_ids: Sequence[str]) -> set[str]:
    """Those of the runs that are FINISHED; only these are looked up, however many others exist."""
    found: set[str] = set()
    for begin in range(0, len(run_ids), MOST_IDS):
        listed = ", ".join(f"'{run_id}'" for run_id in run_ids[begin : begin + MOST_IDS])
        finished_ones = f"attributes.status = 'FINISHED' AND attributes.run_id IN ({listed})"
        found.update(_runs(store, finished_ones))
    return found


def begun(study: Study, store: Store) -> tuple[str, str | None]:
    """A token that marks the sweep's run, and that run when it is in the store.

    Between the run and the note of it in the study the process may end; the mark, which the
    study has first, finds the run again.
    """
    token = study.user_attrs.get(TOKEN)
    if token is None:
        token = uuid4().hex
        study.set_user_attr(TOKEN, token)
        return token, None
    return token, next(iter(_runs(store, f"tags.`{TOKEN}` = '{token}'")), None)


def _runs(store: Store, condition: str) -> list[str]:
    """The ids of the runs that meet a condition; at most 1,000."""
    from mlflow.exceptions import MlflowException

    try:
        with interrupts.shielded():
            page = store.client.search_runs(
                [store.experiment_id], filter_string=condition, max_results=1000
            )
    except MlflowException as error:
        raise StorageFailed(f"tracking.uri={store.settings.shown}: {reason(error)}") from error
    return [str(run.info.run_id) for run in page]


def _is_asked(trial: FrozenTrial, space: Space) -> bool:
    """Whether all parameters of a trial were drawn before its process ended."""
    chosen: dict[str, Any] = {}
    values = space.decoded(trial.params)
    for d in space.dimensions:
        if d.used(chosen):
            if d.name not in values:
                return False
            if d.is_group:
                chosen[d.key] = values[d.name]
    return True


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
