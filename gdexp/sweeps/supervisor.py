"""What the driver does while workers share its study: it shows, settles, and knows the end."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

from gdexp.core import signals
from gdexp.sweeps.display import Progress
from gdexp.sweeps.patience import Patience
from gdexp.sweeps.study import (
    GONE_AFTER_SECONDS,
    WORKER,
    TrialRecord,
    TrialStates,
    WorkerLiveness,
    recover_trials,
)

if TYPE_CHECKING:
    from optuna import Study
    from optuna.trial import FrozenTrial
    from rich.console import Console

    from gdexp.sweeps.launchers import Workers
    from gdexp.sweeps.plan import Plan
    from gdexp.tracking import Store

LOOK_SECONDS = 0.3
"""Between two looks at the study."""


def supervise(
    out: Console, plan: Plan, study: Study, store: Store, parent: str, workers: Workers
) -> None:
    """Watch over the workers until the sweep is at its end, or all of them are.

    Trials of a worker that is gone are settled here and nowhere else, so no two processes do it.

    Args:
        out: where progress is shown.
        plan: of the sweep.
        study: that the workers share.
        store: that holds their runs.
        parent: the run id of the sweep.
        workers: have all ended when this returns or raises.
    """
    states, abandoned = TrialStates(study), AbandonedTrials()
    patience = Patience(plan.settings.patience, plan.pareto)
    began = time.monotonic()
    earlier, over = True, False
    try:
        with Progress(out, plan.n_trials) as progress:
            while not over:
                signals.check()
                over = workers.ended()  # before the look, which then sees all that they did
                states.refresh()
                for trial in states.newly_complete():
                    record = TrialRecord.of(trial)
                    patience.add(record)
                    count = progress.add_earlier if earlier else progress.add
                    count(record, record.hitting_time, plan.learning_rate(trial.params))
                earlier = False
                for words in workers.lost():
                    out.print(words)
                timeout = plan.settings.timeout
                late = timeout is not None and time.monotonic() - began >= timeout
                over = over or states.complete >= plan.n_trials or patience.exhausted or late
                left = abandoned.among(states.running, study)
                if left:
                    recover_trials(study, store, parent, plan.space, left)
                if not over:
                    time.sleep(LOOK_SECONDS)
    finally:
        with signals.ending():
            workers.end(soon=not over)


class AbandonedTrials:
    """Tells which running trials nobody is at any more."""

    def __init__(self) -> None:
        self._liveness = WorkerLiveness()
        self._unmarked: dict[int, float] = {}

    def among(self, running: list[FrozenTrial], study: Study) -> set[int]:
        """The numbers of those that are nobody's.

        A trial without a mark was just made by a worker, or by one that went before it could
        mark it: it is nobody's after a while.

        Args:
            running: trials as they are now.
            study: whose attributes hold the signs of life.
        """
        there = self._liveness.alive(study.user_attrs)
        now = time.monotonic()
        left = set()
        for trial in running:
            worker = trial.user_attrs.get(WORKER)
            if worker is not None:
                if worker not in there:
                    left.add(trial.number)
            elif now - self._unmarked.setdefault(trial.number, now) > GONE_AFTER_SECONDS:
                left.add(trial.number)
        return left
