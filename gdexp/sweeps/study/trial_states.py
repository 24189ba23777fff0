"""The states of a study's trials, read again and again at the cost of what is new."""

from __future__ import annotations

from typing import TYPE_CHECKING

from gdexp.sweeps.study.trial_record import counts

if TYPE_CHECKING:
    from optuna import Study
    from optuna.trial import FrozenTrial


class TrialStates:
    """The trials of a study by state, as they were at the last `refresh`.

    Attributes:
        complete: the number of trials that count.
        running: trials that a worker runs.
        waiting: trials that were queued again and that no worker runs.

    Args:
        study: that other processes may change at any time.
    """

    def __init__(self, study: Study) -> None:
        self._study = study
        # All trials before this number are finished, and a finished trial never changes.
        self._all_finished_before = 0
        self._seen: set[int] = set()
        self._new: list[FrozenTrial] = []
        self.complete = 0
        self.running: list[FrozenTrial] = []
        self.waiting: list[FrozenTrial] = []

    @property
    def active(self) -> int:
        """The number of trials that count or may still count."""
        return self.complete + len(self.running) + len(self.waiting)

    def newly_complete(self) -> list[FrozenTrial]:
        """Return the trials that count and were not returned before, in the order of discovery."""
        new, self._new = self._new, []
        return new

    def refresh(self) -> None:
        """Read the states again."""
        from optuna.trial import TrialState

        trials = self._study.get_trials(deepcopy=False)
        self.running, self.waiting = [], []
        unbroken = True
        for trial in trials[self._all_finished_before :]:
            if trial.state is TrialState.RUNNING:
                self.running.append(trial)
            elif trial.state is TrialState.WAITING:
                self.waiting.append(trial)
            elif trial.number not in self._seen:
                self._seen.add(trial.number)
                if counts(trial):
                    self._new.append(trial)
                    self.complete += 1
            if not trial.state.is_finished():
                unbroken = False
            elif unbroken:
                self._all_finished_before += 1
                self._seen.discard(trial.number)
