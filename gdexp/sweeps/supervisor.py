"""What the driver does while workers share its study: progress, recovery, and the end."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

from gdexp.core import signals
from gdexp.display import terminal
from gdexp.sweeps.deadly_trials import DeadlyTrials
from gdexp.sweeps.display import Progress, progress_description, progress_value
from gdexp.sweeps.failure import FailureLimit, failure_line
from gdexp.sweeps.patience import Patience
from gdexp.sweeps.study import (
    GONE_AFTER_SECONDS,
    WORKER,
    TrialRecord,
    TrialStates,
    WorkerLiveness,
    is_added,
    recover_trials,
)

if TYPE_CHECKING:
    from optuna import Study
    from optuna.trial import FrozenTrial
    from rich.console import Console

    from gdexp.sweeps.launchers import Workers
    from gdexp.sweeps.plan import Plan
    from gdexp.tracking import Store

REFRESH_SECONDS = 0.3
"""Time between two reads of the study."""


def supervise(
    out: Console, plan: Plan, study: Study, store: Store, parent: str, workers: Workers
) -> None:
    """Supervise the workers until the sweep ends, or all workers have ended.

    Only the driver recovers the trials of a worker that is gone, so no two processes do it.

    Args:
        out: where progress is shown.
        plan: of the sweep.
        study: that the workers share.
        store: that holds their runs.
        parent: the run id of the sweep.
        workers: have all ended when this returns or raises.
    """
    states, abandoned_trials = TrialStates(study), AbandonedTrials()
    patience = Patience(plan.settings.patience, plan.objectives)
    failures = FailureLimit(plan.settings.max_failures)
    deadly = DeadlyTrials(plan, study, store, parent)
    began = time.monotonic()
    earlier, over = True, False
    try:
        describe = progress_description(plan)
        with Progress(out, plan.n_trials, describe=describe) as progress:
            while not over:
                signals.check()
                over = workers.ended()  # before the refresh, which then reads all that they did
                states.refresh()
                for trial in states.newly_complete():
                    if is_added(trial):
                        progress.add_own(1)
                        continue
                    record = TrialRecord.of(trial)
                    patience.add(record)
                    if not earlier:
                        failures.add(record)
                        if plan.tells_failures and record.reason:
                            terminal.print_warning(failure_line(trial.number, record))
                    count = progress.add_earlier if earlier else progress.add
                    count(record, progress_value(plan, record), plan.learning_rate(trial.params))
                earlier = False
                for words in workers.lost():
                    out.print(words)
                timeout = plan.settings.timeout
                late = timeout is not None and time.monotonic() - began >= timeout
                over = over or states.complete >= plan.n_trials or late
                over = over or patience.exhausted or failures.exceeded
                abandoned = abandoned_trials.among(states.running, study)
                if abandoned:
                    gone = [trial for trial in states.running if trial.number in abandoned]
                    abandoned -= deadly.give_up(gone)
                    recover_trials(study, store, parent, plan.space, abandoned)
                progress.show_running(len(states.running))
                if not over:
                    time.sleep(REFRESH_SECONDS)
    finally:
        with signals.ending():
            workers.end(soon=not over)


class AbandonedTrials:
    """Tells which running trials no worker runs any more."""

    def __init__(self) -> None:
        self._liveness = WorkerLiveness()
        self._unmarked_since: dict[int, float] = {}

    def among(self, running: list[FrozenTrial], study: Study) -> set[int]:
        """Return the numbers of the abandoned trials.

        A worker marks a trial just after it made it. A trial that stays without a mark is
        abandoned: its worker ended in between.

        Args:
            running: trials as they are now.
            study: its attributes hold the signs of life.
        """
        alive = self._liveness.alive(study.user_attrs)
        now = time.monotonic()
        abandoned = set()
        for trial in running:
            worker = trial.user_attrs.get(WORKER)
            if worker is not None:
                if worker not in alive:
                    abandoned.add(trial.number)
            elif now - self._unmarked_since.setdefault(trial.number, now) > GONE_AFTER_SECONDS:
                abandoned.add(trial.number)
        return abandoned
