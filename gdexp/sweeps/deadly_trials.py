"""Trials on which workers die: after the second death such a trial is given up as failed."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from typing import TYPE_CHECKING

from gdexp.core import signals
from gdexp.sweeps.failure import Failure
from gdexp.sweeps.study import DEATHS, RECORD, WORKER, end_running, set_trial_attribute, tell
from gdexp.sweeps.trial import AskedTrial
from gdexp.sweeps.worker import failed_trial_runs

if TYPE_CHECKING:
    from optuna import Study
    from optuna.trial import FrozenTrial

    from gdexp.sweeps.plan import Plan
    from gdexp.tracking import Store

MOST_DEATHS = 2
"""So many workers that die on one trial, within one start of the sweep, give it up."""

REASON = "two workers ended without a word while they ran this trial; see the system's log"


class DeadlyTrials:
    """Counts the workers that died on each trial, and gives up the trials that killed two.

    Only deaths that this process sees count, so a sweep that was killed as a whole begins anew.
    A worker may run many trials at once. So a trial that was abandoned once runs alone from then
    on, and the second death is its own.

    Args:
        plan: of the sweep.
        study: that the workers share.
        store: that holds their runs.
        parent: the run id of the sweep.
    """

    def __init__(self, plan: Plan, study: Study, store: Store, parent: str) -> None:
        self._plan, self._study, self._store, self._parent = plan, study, store, parent
        self._workers: defaultdict[int, set[str]] = defaultdict(set)

    def give_up(self, abandoned: Sequence[FrozenTrial]) -> set[int]:
        """Count the deaths of workers; return the numbers of the trials that are given up.

        Args:
            abandoned: running trials whose workers are gone.
        """
        given_up = set()
        for trial in abandoned:
            worker = trial.user_attrs.get(WORKER)
            if worker is None or RECORD in trial.user_attrs:  # not begun, or already evaluated
                continue
            deaths = self._workers[trial.number]
            deaths.add(str(worker))
            if len(deaths) < MOST_DEATHS:
                set_trial_attribute(self._study, trial.number, DEATHS, len(deaths))
                continue
            with signals.shielded():
                self._record(trial)
            given_up.add(trial.number)
        return given_up

    def _record(self, trial: FrozenTrial) -> None:
        """Record a trial as failed, and tell the study."""
        end_running(self._store, self._parent, {trial.number})
        asked = AskedTrial(trial, failure=Failure(REASON))
        record, write = failed_trial_runs(self._plan, self._study, self._store, asked)
        set_trial_attribute(self._study, trial.number, RECORD, record.as_attribute())
        write()
        tell(self._study, trial.number, record)
