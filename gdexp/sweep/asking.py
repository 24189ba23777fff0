"""Which trial comes next, and how many are asked at once."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from gdexp.experiment import Experiment
from gdexp.sweep.plan import Plan
from gdexp.sweep.samplers import GRID

if TYPE_CHECKING:
    from optuna import Study
    from optuna.trial import Trial

AT_ONCE = 64
"""Descents that are made together where nothing is gained from waiting."""

MOST_LOSSES = 2**25
"""Losses, a quarter of a gigabyte, that the traces of one batch may come to."""


@dataclass
class Asked:
    """A trial whose parameters are chosen, and what is to be run for it."""

    trial: Trial
    experiments: Sequence[Experiment] = field(default_factory=list)

    @property
    def number(self) -> int:
        """The trial's number in the study."""
        return int(self.trial.number)


class Asking:
    """Asks the study for trials.

    What the sampler draws depends on the trial's ordinal and on the trials told before the batch
    that it is asked in. So where a batch begins matters only to samplers that learn, and these
    ask one trial at a time unless `sweep.batch` says otherwise.

    Args:
        study: of the plan.
        plan: whose `batch` is used, or else what suits its sampler.
    """

    def __init__(self, study: Study, plan: Plan) -> None:
        from optuna.trial import TrialState

        self._study = study
        self._plan = plan
        self._sampler = plan.sampler
        self._seed = int(plan.base["seed"])
        waiting = study.get_trials(deepcopy=False, states=(TrialState.WAITING,))
        self._queued = len(waiting)

    def at_once(self, ordinal: int) -> int:
        """How many trials from this ordinal on are asked together."""
        settings, startup = self._plan.settings, self._sampler.startup
        if settings.batch is not None:
            return settings.batch - ordinal % settings.batch
        if startup is not None:
            return max(startup - ordinal, 1)
        longest = int(self._plan.base["stopping"]["max_iterations"]) + 1
        many = min(AT_ONCE, MOST_LOSSES // longest) // settings.seeds
        return max(many, 1) - ordinal % max(many, 1)

    def waits(self, ordinal: int) -> bool:
        """Whether all earlier trials must be told before this one is asked."""
        startup = self._sampler.startup
        return startup is not None and ordinal >= startup

    def ask(self, ordinal: int) -> Asked:
        """The next trial: a queued one if there is any, else what the sampler chooses."""
        plan, space = self._plan, self._plan.space
        if self._queued:
            self._queued -= 1
        elif self._sampler.name == GRID:
            self._study.enqueue_trial(space.encoded(space.point(ordinal)))
        fixed = None if space.conditional else space.distributions
        self._study.sampler = self._sampler.for_trial(self._seed, ordinal, space.conditional, fixed)
        trial = space.ask(self._study)
        return Asked(trial, plan.experiments(trial.params))
