"""Claiming trials of a study that several workers share."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from gdexp.sweeps.plan import Plan
from gdexp.sweeps.sampling import QMC
from gdexp.sweeps.study import DEATHS, WORKER, TrialStates, claim_lock
from gdexp.sweeps.trial import AskedTrial
from gdexp.sweeps.worker.ask import TrialAsker
from gdexp.sweeps.worker.batch_size import BatchSize

if TYPE_CHECKING:
    from optuna import Study
    from optuna.trial import FrozenTrial, Trial

MAX_CLAIMED = 128
"""Trials that a worker claims at once: the other workers wait for the lock meanwhile."""


class TrialClaimer:
    """Claims trials for one of several workers.

    Args:
        study: that the workers share.
        plan: of the sweep.
        worker: id of the worker.
    """

    def __init__(self, study: Study, plan: Plan, worker: str) -> None:
        self._study, self._plan, self._worker = study, plan, worker
        self._asker, self._batch_size = TrialAsker(study, plan), BatchSize(plan)

    def claim(self, states: TrialStates) -> list[AskedTrial]:
        """Claim some trials that no worker has; the list is empty if there are none.

        Trials are created and marked under the storage's lock. So no other worker takes them, and
        the study never gets more trials than the sweep is to have. Parameters are chosen after
        the lock is released, so that other workers need not wait. They are chosen under the lock
        where the sampler's proposals depend on the number of trials, or where the study is a
        journal file, which is fast and then written once; but never with a sampler that learns.

        Args:
            states: of the study; refreshed here.
        """
        sampler = self._plan.sampler
        is_fast = self._plan.storage_server is None or sampler.name == QMC
        choose_under_lock = is_fast and sampler.startup is None
        claimed: list[tuple[Trial, int]] = []
        drawn: list[FrozenTrial] = []
        with claim_lock(self._study):
            states.refresh()
            active = states.active
            for left in range(self._size(states), 0, -1):
                if self._asker.draws and not states.waiting:
                    ordinals = range(active, active + left)
                    drawn = self._asker.create(ordinals, {WORKER: self._worker})
                    break
                is_alone = _was_deadly(states.waiting[:1])
                if claimed and is_alone:
                    break  # such a trial runs alone: if this worker dies too, it is the cause
                is_waiting = bool(states.waiting)
                ordinal = states.waiting.pop(0).number if is_waiting else active
                active += not is_waiting
                trial = self._asker.start(is_waiting, ordinal)
                trial.set_user_attr(WORKER, self._worker)
                claimed.append((trial, ordinal))
                if choose_under_lock:
                    self._asker.choose(trial, ordinal)
                if is_alone:
                    break
        if not choose_under_lock:
            for trial, ordinal in claimed:
                self._asker.choose(trial, ordinal)
        return self._asker.build([*(trial for trial, _ in claimed), *drawn])

    def _size(self, states: TrialStates) -> int:
        """Return how many trials to claim: fewer towards the end, so that workers end together."""
        settings, startup = self._plan.settings, self._plan.sampler.startup
        free = len(states.waiting) + max(self._plan.n_trials - states.active, 0)
        share = -(-free // (2 * settings.worker_count))
        if self._plan.one_at_a_time:
            return min(1, free)
        if settings.batch is not None:
            return min(settings.batch, free)
        if startup is not None:
            return min(max(startup - states.active, 1), share)
        return min(self._batch_size.at(0), share, MAX_CLAIMED)


def _was_deadly(trials: Sequence[FrozenTrial]) -> bool:
    """Return whether a worker died while it ran one of these trials."""
    return any(DEATHS in trial.user_attrs for trial in trials)
