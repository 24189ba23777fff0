"""gdexp's own sampler: the learning rate from contraction factors, all else by TPE.

Trials are of two kinds. In one all parameters are those of the best trial so far, but for the
learning rate, which `next_rate` chooses from the trials that differ in nothing else (or in the
threshold, which the contraction factor accounts for). In the other all parameters are chosen by
TPE, or evenly spaced. Where nothing but the learning rate is swept, the trials are of the first
kind until the best rate is known well; then they look for a better one elsewhere. A looser
threshold never needs more iterations. So where learning rate and threshold are swept, the trials
of the first kind have the loosest threshold.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from functools import cache
from typing import TYPE_CHECKING, Any, NamedTuple

from gdexp.sweeps.sampling.contraction import (
    Tried,
    believed,
    contraction,
    expansion,
    next_rate,
)

if TYPE_CHECKING:
    from optuna import Study
    from optuna.distributions import BaseDistribution
    from optuna.samplers import BaseSampler
    from optuna.trial import FrozenTrial

SMALLEST = 1e-9
"""The smallest rate of a range that begins at 0, as a share of the largest."""


class Outcome(NamedTuple):
    """What the sampler learns from a finished trial.

    Attributes:
        time: the hitting time that Optuna was told, or its projection.
        threshold: of the trial.
        iterations: until its descent ended.
        diverged: whether the loss became no finite number.
        lost: whether the trial failed, stalled or fell below its minimum.
        largest: the logarithm of the largest number of its format.
    """

    time: float
    threshold: float
    iterations: int
    diverged: bool
    lost: bool
    largest: float

    @property
    def factor(self) -> float:
        """The contraction factor."""
        if self.diverged:
            return expansion(self.iterations, self.largest)
        return 1.0 if self.lost else contraction(self.time, self.threshold)


class Learned(NamedTuple):
    """What the sampler is told of the sweep.

    Attributes:
        rates: the names of the learning rates in the space, one for each rule that has its own.
        threshold: the name of the threshold in the space.
        outcome_of: returns the outcome of a finished trial; None where it has none.
    """

    rates: Collection[str]
    threshold: str
    outcome_of: Callable[[FrozenTrial], Outcome | None]


class Choice(NamedTuple):
    """All parameters of a trial, with their distributions."""

    parameters: dict[str, Any]
    distributions: dict[str, BaseDistribution]


def next_choice(
    study: Study, trial: FrozenTrial, learned: Learned, loosest: float | None = None
) -> Choice | None:
    """Return the best trial's parameters with another learning rate.

    Where `loosest` is given, the trial has this threshold, and learns from trials that have it,
    and from the best one.

    Rates of trials that still run are believed to be no better than the best; those of earlier
    trials that are not chosen yet, by workers that ask at the same time, are worked out first.

    Returns:
        None where no trial can be the best, or where its best rate is known well enough.
    """
    from optuna.trial import TrialState

    trials = study.get_trials(deepcopy=False)
    known = [
        (each, outcome)
        for each in trials
        if each.state is TrialState.COMPLETE and (outcome := learned.outcome_of(each)) is not None
    ]
    rated = [(each, outcome) for each, outcome in known if _rate_of(each, learned) is not None]
    if not rated:
        return None
    best, _ = min(rated, key=lambda pair: (pair[1].time, pair[0].number))
    name = str(_rate_of(best, learned))
    range_: Any = best.distributions[name]
    low, high = max(range_.low, SMALLEST * range_.high), range_.high
    others = _others(best, name, learned)
    tried = [
        Tried(max(each.params[name], low), outcome.factor)
        for each, outcome in rated
        if name in each.params
        and _others(each, name, learned) == others
        and (loosest is None or each is best or outcome.diverged or outcome.threshold >= loosest)
    ]
    for each in trials:
        if each.state is not TrialState.RUNNING or each.number == trial.number:
            continue
        rate = each.params.get(name)
        if rate is not None and _others(each, name, learned) == others:
            tried.append(believed(tried, max(rate, low)))
        elif not each.params and each.number < trial.number:
            rate = next_rate(tried, low, high)
            if rate is not None:
                tried.append(believed(tried, rate))
    rate = next_rate(tried, low, high)
    if rate is None:
        return None
    within = min(max(rate, range_.low), range_.high)
    threshold = {} if loosest is None else {learned.threshold: loosest}
    return Choice({**best.params, **threshold, name: within}, dict(best.distributions))


def _rate_of(trial: FrozenTrial, learned: Learned) -> str | None:
    """Return the name of the learning rate of a trial; None where it has none, or a list."""
    from optuna.distributions import FloatDistribution

    for name in learned.rates:
        range_ = trial.distributions.get(name)
        if isinstance(range_, FloatDistribution) and range_.step is None and not range_.single():
            return name
    return None


def _others(trial: FrozenTrial, rate: str, learned: Learned) -> dict[str, Any]:
    """Return what must be the same in trials whose rates are compared."""
    return {k: v for k, v in trial.params.items() if k not in (rate, learned.threshold)}


def learning_rate_sampler(
    inner: BaseSampler, learned: Learned, loosest: float | None = None
) -> BaseSampler:
    """Return a sampler of the best trial's parameters with another learning rate.

    Args:
        inner: chooses where there is no such rate.
        learned: what it is told of the sweep.
        loosest: the threshold of its trials; None: that of the best trial.
    """
    sampler: BaseSampler = _sampler_class()(inner, learned, loosest)
    return sampler


def loosest_threshold(
    space: Mapping[str, BaseDistribution] | None, learned: Learned
) -> float | None:
    """Return the largest threshold of a space of learning rates and a range of thresholds.

    Returns:
        None where the threshold is not swept, or other keys are too.
    """
    from optuna.distributions import FloatDistribution

    range_ = (space or {}).get(learned.threshold)
    others = {*(space or {})} - {*learned.rates, learned.threshold}
    return range_.high if isinstance(range_, FloatDistribution) and not others else None


@cache
def _sampler_class() -> Any:  # noqa: ANN401
    from optuna.samplers import BaseSampler

    class LearningRateSampler(BaseSampler):
        def __init__(self, inner: BaseSampler, learned: Learned, loosest: float | None) -> None:
            self._inner, self._learned, self._loosest = inner, learned, loosest
            self._choices: dict[int, Choice | None] = {}

        def infer_relative_search_space(
            self, study: Study, trial: FrozenTrial
        ) -> dict[str, BaseDistribution]:
            choice = next_choice(study, trial, self._learned, self._loosest)
            self._choices = {trial.number: choice}
            if choice is None:
                return self._inner.infer_relative_search_space(study, trial)
            return choice.distributions

        def sample_relative(
            self, study: Study, trial: FrozenTrial, search_space: dict[str, BaseDistribution]
        ) -> dict[str, Any]:
            choice = self._choices.get(trial.number)
            if choice is None:
                return dict(self._inner.sample_relative(study, trial, search_space))
            return choice.parameters

        def sample_independent(
            self,
            study: Study,
            trial: FrozenTrial,
            param_name: str,
            param_distribution: BaseDistribution,
        ) -> Any:  # noqa: ANN401
            return self._inner.sample_independent(study, trial, param_name, param_distribution)

    return LearningRateSampler


def evenly_spaced(ordinal: int, alone: bool) -> bool:
    """Return whether a trial that does not follow the best one is evenly spaced, not of TPE.

    Args:
        ordinal: of the trial.
        alone: whether nothing but the learning rate is swept, or it and the threshold.
    """
    return alone and ordinal % 2 == 1
