"""Recovery: bring study and store together after a process that did not get to its end."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from typing import TYPE_CHECKING, Any
from uuid import uuid4

from gdexp.core import StorageFailed, reason, signals
from gdexp.sweeps.study.rows import is_row, kept_rows
from gdexp.sweeps.study.study import TOKEN, tell
from gdexp.sweeps.study.trial_record import RECORD, TrialRecord

if TYPE_CHECKING:
    from optuna import Study
    from optuna.trial import FrozenTrial

    from gdexp.sweeps.space import Space
    from gdexp.tracking import Store

MOST_IDS = 100
"""Run ids in one query."""


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
        with signals.shielded():
            page = store.client.search_runs(
                [store.experiment_id], filter_string=condition, max_results=1000
            )
    except MlflowException as error:
        raise StorageFailed(
            f"tracking.uri={store.settings.display_uri}: {reason(error)}"
        ) from error
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
