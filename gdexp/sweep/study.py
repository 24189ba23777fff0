"""The study: its journal file, the lock on it, resuming and settling what a kill left behind."""

from __future__ import annotations

import fcntl
import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from gdexp.config import flatten
from gdexp.errors import BadInput, StorageFailed, StudyHeld
from gdexp.sweep.plan import Plan
from gdexp.sweep.record import RECORD, TrialRecord
from gdexp.sweep.settings import SweepSettings

if TYPE_CHECKING:
    from optuna import Study
    from optuna.storages import BaseStorage
    from optuna.trial import FrozenTrial

    from gdexp.tracking import Store

DEFINITION, BASE, PARENT = "gdexp.definition", "gdexp.base", "gdexp.parent"
REQUEUED = "gdexp.requeued"


@contextmanager
def held(plan: Plan) -> Iterator[None]:
    """Hold the study for this process.

    Raises:
        StudyHeld: another process holds it; its pid is named.
        StorageFailed: the folder cannot be written to.
    """
    journal = plan.journal
    lock = journal.with_name(f".{journal.name}.held")
    try:
        journal.parent.mkdir(parents=True, exist_ok=True)
        file = lock.open("a+")
    except OSError as error:
        raise StorageFailed(f"sweep.storage={journal}: {error.strerror}") from None
    with file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            file.seek(0)
            holder = file.read().strip() or "unknown"
            raise StudyHeld(
                f"sweep.name={plan.name}: process {holder} holds this study; wait for it, end it, "
                "or give another sweep.name"
            ) from None
        file.truncate(0)
        file.write(str(os.getpid()))
        file.flush()
        # The file stays: removing it would let two processes hold two files of one name.
        try:
            yield
        finally:
            file.truncate(0)


def check_journal(plan: Plan) -> None:
    """Refuse a storage path that is something else, before anything is written to it."""
    path = plan.journal
    if path == plan.tracking.database:
        raise BadInput("sweep.storage", str(path), "is MLflow's database; two files are needed")
    if path.is_dir():
        raise BadInput("sweep.storage", str(path), "is a folder; name a journal file in it")
    if path.exists():
        with path.open("rb") as file:
            if file.read(1) not in (b"", b"{"):
                raise BadInput(
                    "sweep.storage", str(path), "is no Optuna journal file; name another"
                )


def open_study(plan: Plan) -> Study:
    """The study of this plan, created or continued. The caller holds it.

    Raises:
        BadInput: a study of this name was made for something else; the difference is named.
        StorageFailed: the journal cannot be read or written.
    """
    import optuna
    from optuna.study import StudyDirection

    path = plan.journal
    try:
        _cut_torn_line(path)
        storage = _storage(path)
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
            f"sweep.storage={path}: cannot be used as a journal ({error})"
        ) from error
    _check_definition(study, plan)
    return study


def load_study(settings: SweepSettings) -> Study:
    """The study that the driver made ready, for a worker."""
    import optuna

    return optuna.load_study(
        study_name=str(settings.name), storage=_storage(Path(str(settings.storage)))
    )


def _storage(path: Path) -> BaseStorage:
    import optuna
    from optuna.storages import JournalStorage
    from optuna.storages.journal import JournalFileBackend, JournalFileOpenLock

    optuna.logging.set_verbosity(optuna.logging.WARNING)
    # A lock file left by a kill is taken over after five seconds instead of thirty.
    lock = JournalFileOpenLock(str(path), grace_period=5)
    return JournalStorage(JournalFileBackend(str(path), lock_obj=lock))


def finished(study: Study) -> list[FrozenTrial]:
    """The trials that count, in order."""
    from optuna.trial import TrialState

    return study.get_trials(deepcopy=False, states=(TrialState.COMPLETE,))


def tell(study: Study, number: int, record: TrialRecord) -> None:
    """Tell Optuna what came of a trial, the last of its writes; twice is harmless."""
    pareto = len(study.directions) > 1
    values = [record.hitting_time, record.threshold] if pareto else record.hitting_time
    study.tell(number, values, skip_if_finished=True)


def requeue(study: Study, trial: FrozenTrial) -> None:
    """Give a trial up and queue its parameters again, once, whenever this is interrupted."""
    from optuna.trial import TrialState

    waiting = {t.user_attrs.get(REQUEUED) for t in study.get_trials(deepcopy=False)}
    complete = set(trial.params) == set(trial.distributions) and trial.params
    if complete and trial.number not in waiting:
        study.enqueue_trial(trial.params, user_attrs={REQUEUED: trial.number})
    study.tell(trial.number, state=TrialState.FAIL, skip_if_finished=True)


def settle(study: Study, store: Store, parent: str) -> int:
    """Bring study and store together after a process that did not get to its end.

    A trial left running whose child run is FINISHED is told its value; any other is given up
    and its parameters are queued again. Child runs left running become KILLED.

    Returns:
        How many trials were queued again.
    """
    from optuna.trial import TrialState

    running = study.get_trials(deepcopy=False, states=(TrialState.RUNNING,))
    for run in store.children(parent, running=True):
        # A trial's own children, one for each seed, before itself: whatever comes between.
        for seed in store.children(run.info.run_id, running=True):
            store.end(seed.info.run_id, "KILLED")
        store.end(run.info.run_id, "KILLED")
    done: dict[int, Any] = {}
    for run in store.children(parent) if running else ():
        if run.info.status == "FINISHED":
            done[int(run.data.tags.get("gdexp.trial", -1))] = run
    again = 0
    for trial in running:
        child = done.get(trial.number)
        if child is not None and RECORD in trial.user_attrs:
            tell(study, trial.number, TrialRecord.of(trial))
        else:
            requeue(study, trial)
            again += 1
    return again


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


def _cut_torn_line(path: Path) -> None:
    """Cut off a last line that a kill left unfinished: anything written after it would be lost."""
    if not path.exists():
        return
    with path.open("rb+") as file:
        end = file.seek(0, os.SEEK_END)
        keep = end
        while keep:
            begin = max(keep - 4096, 0)
            file.seek(begin)
            chunk = file.read(keep - begin)
            newline = chunk.rfind(b"\n")
            if newline >= 0:
                keep = begin + newline + 1
                break
            keep = begin
        if keep < end:
            file.truncate(keep)
            os.fsync(file.fileno())
