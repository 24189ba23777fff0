"""The parameters of trials as a function of their numbers, where the sampler does not learn.

They are those that Optuna would choose for the same trials one by one, bit for bit.
"""

from __future__ import annotations

from collections.abc import Iterable
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np

from gdexp.sweeps.optuna_internals import Draft, drawn_value, transform_of
from gdexp.sweeps.plan import Plan
from gdexp.sweeps.sampling import GRID, RANDOM, trial_seed

if TYPE_CHECKING:
    from numpy.random import RandomState

FIXED = "fixed_params"
"""Where Optuna keeps the parameters of a trial that was queued with them."""


class TrialDraws:
    """Draws the parameters of trials.

    Args:
        plan: of a sweep for which `possible` holds.
    """

    def __init__(self, plan: Plan) -> None:
        self._space, self._seed = plan.space, int(plan.base["seed"])
        self._is_grid = plan.sampler.name == GRID
        self._transforms = {
            name: None if range_.single() else transform_of(name, range_)
            for name, range_ in self._space.distributions.items()
        }

    @staticmethod
    def possible(plan: Plan) -> bool:
        """Return whether the parameters of a trial follow from its number alone."""
        closed = not plan.space.is_open
        return closed and plan.sampler.name in (GRID, RANDOM) and not plan.sampler.options

    def drafts(self, ordinals: Iterable[int], attributes: dict[str, Any]) -> list[Draft]:
        """Return new trials.

        Args:
            ordinals: of the trials.
            attributes: user attributes of each.
        """
        return [self._draft(ordinal, attributes) for ordinal in ordinals]

    def _draft(self, ordinal: int, attributes: dict[str, Any]) -> Draft:
        ranges = self._space.distributions
        if self._is_grid:
            values = self._space.encoded(self._space.point(ordinal))
            return Draft(values, {n: ranges[n] for n in values}, attributes, {FIXED: values})
        self._random.seed(trial_seed(self._seed, ordinal))
        values = {}
        chosen: dict[str, Any] = {}
        for d in self._space.dimensions:
            if d.used(chosen):
                transform = self._transforms[d.name]
                if transform is None:
                    value = ranges[d.name].to_external_repr(_only_value(ranges[d.name]))
                else:
                    value = drawn_value(transform, self._random)
                values[d.name] = value
                if d.is_group:
                    chosen[d.key] = value
        return Draft(values, {name: ranges[name] for name in values}, attributes, {})

    @cached_property
    def _random(self) -> RandomState:
        return np.random.RandomState()


def _only_value(range_: Any) -> float:  # noqa: ANN401 (any distribution)
    """Return the one value of a range, as Optuna stores it."""
    return 0.0 if hasattr(range_, "choices") else float(range_.low)
