"""The loop of a worker that shares its study with other workers."""

from __future__ import annotations

import time
from collections.abc import Collection
from typing import TYPE_CHECKING

from optuna.trial import TrialState
from rich.console import Console

from gdexp.core import signals
from gdexp.sweeps.study import (
    PARENT,
    WORKER,
    Heartbeat,
    StartedBy,
    TrialRecord,
    TrialStates,
    WorkerIdentity,
    WorkerLiveness,
    is_added,
    readings_of,
    recover_trials,
)
from gdexp.sweeps.worker.claim import TrialClaimer
from gdexp.sweeps.worker.worker import Worker

if TYPE_CHECKING:
    from optuna import Study

    from gdexp.sweeps.plan import Plan
    from gdexp.tracking import Store

WAIT_SECONDS = 0.2
"""Between two checks of a worker that has no trial while others evaluate the last ones."""

DRIVER_SECONDS = 30.0
"""How long a worker that is alone waits for the driver to queue trials of lost workers again."""


class SharedStudyWorker(Worker):
    """One of several workers of a study.

    Args:
        plan: of the sweep.
        study: that the driver prepared.
        store: that takes the runs.
        started_by: what started this worker.
    """

    def __init__(self, plan: Plan, study: Study, store: Store, started_by: StartedBy) -> None:
        super().__init__(plan, study, store)
        self._id = WorkerIdentity.own()
        self._store = store
        self._started_by = started_by

    def run(self) -> None:
        """Run trials as `Worker.run` does; after an error, return unfinished ones to the study."""
        with Heartbeat(self.study, self._id, self._started_by is StartedBy.LAUNCHER):
            try:
                super().run()
            except BaseException:
                with signals.ending():
                    self._return_trials()
                raise

    def _console(self) -> Console:
        return Console(quiet=True)  # the driver shows the progress of all workers

    def _loop(self, start: float) -> None:
        claimer = TrialClaimer(self.study, self.plan, self._id.worker)
        states, liveness = TrialStates(self.study), WorkerLiveness()
        last_sign = time.monotonic()
        startup = self.plan.sampler.startup
        learns = startup is not None and self.plan.n_trials >= startup
        states.refresh()
        earlier = states.complete
        while True:
            if learns:
                self.writer.finish()
            states.refresh()
            for trial in states.newly_complete():
                earlier -= 1
                if is_added(trial):
                    continue
                record = TrialRecord.of(trial)
                self._count(record)
                self._compare_with(trial.number, record, readings_of(trial))
                self.patience.add(record)
                if earlier < 0:
                    self.failures.add(record)
            if states.complete >= self.plan.n_trials or self._must_end(start):
                return
            if batch := claimer.claim(states):
                self._run_batch(batch)
                last_sign = time.monotonic()
                continue
            self.writer.finish()
            others = {str(trial.user_attrs.get(WORKER)) for trial in states.running}
            if others & liveness.alive(self.study.user_attrs):
                last_sign = time.monotonic()
            if time.monotonic() - last_sign > DRIVER_SECONDS:
                return
            time.sleep(WAIT_SECONDS)

    def _count(self, record: TrialRecord) -> None:
        # The loop adds to the patience: all workers must count trials in the study's order.
        record.count(self.cap)

    def _find_lost(self, numbers: Collection[int]) -> Collection[int]:
        """Return the trials that others took over because this worker seemed to be gone."""
        trials = self.study.get_trials(deepcopy=False)
        return {
            number
            for number in numbers
            if trials[number].user_attrs.get(WORKER) != self._id.worker
            or trials[number].state.is_finished()
        }

    def _return_trials(self) -> None:
        """Queue the trials that are still this worker's again."""
        running = self.study.get_trials(deepcopy=False, states=(TrialState.RUNNING,))
        own = {t.number for t in running if t.user_attrs.get(WORKER) == self._id.worker}
        parent = str(self.study.user_attrs[PARENT])
        recover_trials(self.study, self._store, parent, self.plan.space, abandoned=own)
