"""Recovery: make study and store agree after a process was killed."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from typing import TYPE_CHECKING
from uuid import uuid4

from gdexp.sweeps.study.attributes import TOKEN
from gdexp.sweeps.study.study import requeue, tell
from gdexp.sweeps.study.trial_record import RECORD, UNTRACKED, TrialRecord
from gdexp.sweeps.study.trial_rows import existing_rows, is_row

if TYPE_CHECKING:
    from optuna import Study

    from gdexp.sweeps.space import Space
    from gdexp.tracking import Store


def recover_trials(
    study: Study,
    store: Store,
    parent: str,
    space: Space,
    abandoned: Collection[int] | None = None,
) -> int:
    """Make study and store agree after a process was killed.

    A running trial whose child run is FINISHED is told to the study. Any other waits again, with
    its old number, so that trials come in the order of an uninterrupted sweep. Running child
    runs become KILLED.

    Args:
        study: that no other process recovers at the same time.
        store: that holds the runs.
        parent: the run id of the sweep.
        space: of the study.
        abandoned: the numbers of the running trials that no worker runs any more; None: all.

    Returns:
        The number of trials that wait again.
    """
    from optuna.trial import TrialState

    running = study.get_trials(deepcopy=False, states=(TrialState.RUNNING,))
    trials = running if abandoned is None else [t for t in running if t.number in abandoned]
    if abandoned is not None and not trials:
        return 0
    end_running(store, parent, None if abandoned is None else {trial.number for trial in trials})
    recorded = {t.number: TrialRecord.of(t) for t in trials if RECORD in t.user_attrs}
    run_ids = [record.run_id for record in recorded.values()]
    whole = _finished_runs(store, [each for each in run_ids if not is_row(each)])
    whole |= existing_rows(store, parent, run_ids)
    again = 0
    for trial in trials:
        record = recorded.get(trial.number)
        if record is not None and (record.run_id in whole or record.run_id == UNTRACKED):
            tell(study, trial.number, record)
        elif abandoned is not None or space.is_chosen(trial):
            requeue(study, trial.number)
            again += 1
        else:  # the last one asked; the next trial takes its ordinal and draws the same parameters
            study.tell(trial.number, state=TrialState.FAIL, skip_if_finished=True)
    return again


def end_running(store: Store, parent: str, numbers: Collection[int] | None = None) -> None:
    """Set the runs of trials that are still running to KILLED.

    Args:
        store: that holds the runs.
        parent: the run id of the sweep.
        numbers: of the trials; None: all.
    """
    wanted = None if numbers is None else set(map(str, numbers))
    for run in store.children(parent, running=True):
        if wanted is not None and run.tags.get("gdexp.trial") not in wanted:
            continue
        # Children first, one for each seed: a kill in between must leave the trial's run running.
        for seed in store.children(run.run_id, running=True):
            store.end(seed.run_id, "KILLED")
        store.end(run.run_id, "KILLED")


def _finished_runs(store: Store, run_ids: Sequence[str]) -> set[str]:
    """Return the ids whose run is FINISHED."""
    if not run_ids:
        return set()
    return {run.run_id for run in store.search({}, "FINISHED", run_ids)}


def find_sweep_run(study: Study, store: Store) -> tuple[str, str | None]:
    """Return a token for the sweep's run, and the id of that run if it exists.

    The process may end after it made the run and before it wrote the run's id to the study. The
    token is written to the study first and is a tag of the run, so it finds the run again.
    """
    token = study.user_attrs.get(TOKEN)
    if token is None:
        token = uuid4().hex
        study.set_user_attr(TOKEN, token)
        return token, None
    return token, next((run.run_id for run in store.search({TOKEN: token})), None)
