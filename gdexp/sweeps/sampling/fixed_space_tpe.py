"""TPE in a space that is the same for every trial."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from optuna import Study
from optuna.distributions import BaseDistribution
from optuna.samplers import TPESampler
from optuna.trial import FrozenTrial


class FixedSpaceTPESampler(TPESampler):
    """TPE that knows its space; Optuna's own works it out from all trials, for each trial anew.

    Args:
        space: the parameters of every trial. All that have more than one value are sampled
            together, sorted by name as Optuna sorts them.
        options: of Optuna's class.
    """

    def __init__(self, space: Mapping[str, BaseDistribution], **options: Any) -> None:  # noqa: ANN401
        super().__init__(**options)
        self._fixed_space = {
            name: space[name] for name in sorted(space) if not space[name].single()
        }

    def infer_relative_search_space(
        self, study: Study, trial: FrozenTrial
    ) -> dict[str, BaseDistribution]:
        """Return the parameters that are sampled together."""
        return self._fixed_space
