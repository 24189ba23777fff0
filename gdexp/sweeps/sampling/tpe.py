"""The TPE sampler: Optuna's, with gdexp's defaults."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from optuna import Study
    from optuna.distributions import BaseDistribution
    from optuna.samplers import TPESampler
    from optuna.trial import FrozenTrial

TRIALS_PER_GOOD = 5
"""One trial in so many counts as good; in Optuna it is one in ten.

With one in ten there are two good trials after twenty, and TPE's kernels are then a third of a
range wide.
"""
MOST_GOOD = 25
"""Trials that count as good at most, as in Optuna."""


def tpe_sampler(
    options: Mapping[str, Any], conditional: bool, fixed: Mapping[str, BaseDistribution] | None
) -> TPESampler:
    """Build the sampler.

    Args:
        options: keyword arguments of Optuna's class, the seed among them.
        conditional: whether trials differ in their parameters. TPE then learns for each set of
            parameters that occur together.
        fixed: the distributions of a space that is the same for every trial. TPE takes them from
            here instead of working them out from all trials, every time.
    """
    from optuna.samplers import TPESampler

    options = {"multivariate": True, "gamma": _gamma, **options}
    if conditional and options["multivariate"]:
        options.setdefault("group", True)
    if not fixed or not options["multivariate"] or options.get("group"):
        return TPESampler(**options)
    # In the order of Optuna's own search space.
    space = {name: fixed[name] for name in sorted(fixed) if not fixed[name].single()}
    sampler: TPESampler = _fixed_space_sampler()(space, options)
    return sampler


@cache
def _fixed_space_sampler() -> Any:  # noqa: ANN401
    from optuna.samplers import TPESampler

    class FixedSpaceTPESampler(TPESampler):
        def __init__(self, space: dict[str, BaseDistribution], options: Mapping[str, Any]) -> None:
            super().__init__(**options)
            self._fixed_space = space

        def infer_relative_search_space(
            self, study: Study, trial: FrozenTrial
        ) -> dict[str, BaseDistribution]:
            return self._fixed_space

    return FixedSpaceTPESampler


def _gamma(finished: int) -> int:
    """Return how many of so many finished trials count as good."""
    return min(-(-finished // TRIALS_PER_GOOD), MOST_GOOD)
