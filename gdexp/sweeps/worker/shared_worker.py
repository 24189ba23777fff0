"""A worker among several that share a study: it claims trials, and learns what the others found."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

from optuna.trial import TrialState
from rich.console import Console

from gdexp.core import signals
from gdexp.sweeps.study import (
    PARENT,
    WORKER,
    Heartbeat,
    Identity,
    Overview,
    Place,
    TrialRecord,
    Watch,
    settle,
)
from gdexp.sweeps.trial import Asked
from gdexp.sweeps.worker.worker import Worker

if TYPE_CHECKING:
    from optuna import Study

    from gdexp.sweeps.plan import Plan
    from gdexp.tracking import Store

WAIT_SECONDS = 0.2
"""Between two looks of a worker that has nothing to do while others are at the last trials."""

DRIVER_SECONDS = 30.0
"""So long after all others are gone there is hope for a driver that queues their trials again."""


class SharedStudyWorker(Worker):
    """The state of one worker's loop, where several share the study.

    Args:
        plan: of the sweep.
        study: that the driver made ready.
        store: that takes the runs.
        place: where this worker is.
    """

    def __init__(self, plan: Plan, study: Study, store: Store, place: Place) -> None:
        super().__init__(plan, study, store)
        self.identity = Identity.own()
        self._place = place
        self._store = store

    def run(self) -> None:
        """Make trials until there are enough; what it does not get to goes back to the others."""
        with Heartbeat(self.study, self.identity, self._place is Place.ELSEWHERE):
            try:
                super().run()
            except BaseException:
                with signals.ending():
                    self._hand_back()
                raise

    def _console(self) -> Console:
        return Console(quiet=True)  # the driver shows what all of them do

    def _loop(self, began: float) -> None:
        overview, watch = Overview(self.study), Watch()
        last = time.monotonic()
        learns = self.asker.must_wait(self.plan.n_trials)
        while True:
            if learns:
                self._tell(self.writer.finish())
            overview.look()
            for trial in overview.fresh():
                record = TrialRecord.of(trial)
                self._count(record)
                self.patience.add(record)
            if overview.complete >= self.plan.n_trials or self._over(began):
                return
            asked = self.asker.claim(overview, self.identity.worker)
            if asked:
                self._batch(asked)
                last = time.monotonic()
                continue
            self._tell(self.writer.finish())
            others = {str(trial.user_attrs.get(WORKER)) for trial in overview.running}
            if others & watch.there(self.study.user_attrs):
                last = time.monotonic()
            if time.monotonic() - last > DRIVER_SECONDS:
                return
            time.sleep(WAIT_SECONDS)

    def _count(self, record: TrialRecord) -> None:
        record.count(self.cap)  # patience is counted in the order in which all of them come in

    def _owns(self, asked: Asked) -> bool:
        """Whether nobody took this worker for gone meanwhile, and its trial over."""
        trial = self.study._storage.get_trial(asked.trial._trial_id)
        if trial.user_attrs.get(WORKER) == self.identity.worker and not trial.state.is_finished():
            return True
        self.untold.discard(asked.number)
        self.recorder.abandon(self.opened.pop(asked.number), "KILLED")
        return False

    def _hand_back(self) -> None:
        """Let trials that are still its own wait for others."""
        running = self.study.get_trials(deepcopy=False, states=(TrialState.RUNNING,))
        own = {t.number for t in running if t.user_attrs.get(WORKER) == self.identity.worker}
        parent = str(self.study.user_attrs[PARENT])
        settle(self.study, self._store, parent, self.plan.space, left=own)
