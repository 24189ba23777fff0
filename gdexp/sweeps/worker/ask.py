"""Asking the study for the next trial."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from typing import TYPE_CHECKING, Any

from gdexp.sweeps.plan import Plan
from gdexp.sweeps.sampling import GRID, LEARNING_RATE
from gdexp.sweeps.study import create_trials, no_waiting_trials
from gdexp.sweeps.trial import AskedTrial
from gdexp.sweeps.worker.draws import TrialDraws
from gdexp.sweeps.worker.learned_outcomes import learned_of

if TYPE_CHECKING:
    from optuna import Study
    from optuna.trial import FrozenTrial, Trial


class TrialAsker:
    """Asks the study for trials.

    Args:
        study: of the plan.
        plan: of the sweep.
    """

    def __init__(self, study: Study, plan: Plan) -> None:
        from optuna.trial import TrialState

        self._study = study
        self._plan = plan
        self._draws = TrialDraws(plan) if TrialDraws.possible(plan) else None
        self._learned = learned_of(plan) if plan.sampler.name == LEARNING_RATE else None
        self._seed = int(plan.base["seed"])
        self._waiting = len(study.get_trials(deepcopy=False, states=(TrialState.WAITING,)))

    def needs_earlier(self, ordinal: int) -> bool:
        """Return whether all earlier trials must be told before this one is asked."""
        startup = self._plan.sampler.startup
        return startup is not None and ordinal >= startup

    def ask(self, ordinal: int) -> AskedTrial:
        """Return the next trial: a waiting one if there is any, else a new one."""
        is_waiting = bool(self._waiting)
        self._waiting -= is_waiting
        self._set_sampler(ordinal)
        trial = self.start(is_waiting, ordinal)
        self._plan.space.choose(trial)
        return self.build([trial])[0]

    def ask_block(self, first: int, count: int) -> list[AskedTrial]:
        """Return the next trials, from this ordinal on: at most so many, at least one.

        Where their parameters follow from their numbers, they are created together.
        """
        if self._draws is None or self._waiting:
            return [self.ask(first)]
        return self.build(self.create(range(first, first + count)))

    def create(
        self, ordinals: Sequence[int], attributes: dict[str, Any] | None = None
    ) -> list[FrozenTrial]:
        """Create trials whose parameters follow from their numbers.

        Args:
            ordinals: of the trials.
            attributes: user attributes of each.
        """
        if self._draws is None:
            raise TypeError("this sampler chooses one trial at a time")
        return create_trials(self._study, self._draws.drafts(ordinals, attributes or {}))

    @property
    def draws(self) -> bool:
        """Whether the parameters of a trial follow from its number alone."""
        return self._draws is not None

    def build(self, trials: Sequence[Trial | FrozenTrial]) -> list[AskedTrial]:
        """Return trials with their experiments."""
        experiments = self._plan.experiments
        return [
            AskedTrial.build(trial, partial(experiments, trial.params, trial.number))
            for trial in trials
        ]

    def start(self, is_waiting: bool, ordinal: int) -> Trial:
        """Return a waiting trial, or else a new one, before its parameters are chosen."""
        if not is_waiting and self._plan.sampler.name != GRID:
            with no_waiting_trials(self._study):
                return self._study.ask()
        if not is_waiting:
            space = self._plan.space
            self._study.enqueue_trial(space.encoded(space.point(ordinal)))
        return self._study.ask()

    def choose(self, trial: Trial, ordinal: int) -> None:
        """Choose the parameters of a trial."""
        self._set_sampler(ordinal)
        self._plan.space.choose(trial)

    def _set_sampler(self, ordinal: int) -> None:
        """Give the study the sampler for the trial of this ordinal."""
        space = self._plan.space
        fixed = None if space.conditional else space.distributions
        self._study.sampler = self._plan.sampler.for_trial(
            self._seed, ordinal, space.conditional, fixed, self._learned
        )
