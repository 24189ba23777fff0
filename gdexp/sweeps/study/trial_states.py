"""What has become of a study's trials, looked at again and again at the cost of what is new."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from optuna import Study
    from optuna.trial import FrozenTrial


class TrialStates:
    """The trials of a study by their state, as they were at the last `look`.

    Attributes:
        complete: how many trials count.
        running: trials that somebody is at.
        waiting: trials that were queued again and that nobody is at.

    Args:
        study: that other processes may change meanwhile.
    """

    def __init__(self, study: Study) -> None:
        self._study = study
        # Trials before this one are finished, and what is finished stays so.
        self._settled = 0
        self._seen: set[int] = set()
        self._fresh: list[FrozenTrial] = []
        self.complete = 0
        self.running: list[FrozenTrial] = []
        self.waiting: list[FrozenTrial] = []

    @property
    def active(self) -> int:
        """How many trials count or may count yet."""
        return self.complete + len(self.running) + len(self.waiting)

    def newly_complete(self) -> list[FrozenTrial]:
        """The trials that count and were not given before, in order."""
        found, self._fresh = self._fresh, []
        return found

    def refresh(self) -> None:
        """Read what is new."""
        from optuna.trial import TrialState

        trials = self._study.get_trials(deepcopy=False)
        self.running, self.waiting = [], []
        unbroken = True
        for trial in trials[self._settled :]:
            if trial.state is TrialState.RUNNING:
                self.running.append(trial)
            elif trial.state is TrialState.WAITING:
                self.waiting.append(trial)
            elif trial.number not in self._seen:
                self._seen.add(trial.number)
                if trial.state is TrialState.COMPLETE:
                    self._fresh.append(trial)
                    self.complete += 1
            if not trial.state.is_finished():
                unbroken = False
            elif unbroken:
                self._settled += 1
                self._seen.discard(trial.number)
