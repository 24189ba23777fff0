"""The first trials of samplers that learn from trials: evenly spaced in every range.

Ten random trials leave gaps as wide as a third of a range, and an optimum there is found late.
So each range has its own scrambled van der Corput sequence: of any 2^k trials in a row, each of
2^k equal parts of the range has one (A. B. Owen, Randomly permuted (t,m,s)-nets and
(t,s)-sequences, 1995). A point depends on seed, key and ordinal alone, so that a continued sweep
draws the same points.
"""

from __future__ import annotations

import hashlib
import math
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from optuna.distributions import BaseDistribution
    from optuna.samplers import BaseSampler

BITS = 40


def van_der_corput(seed: int, key: str, ordinal: int) -> float:
    """Return the point in [0, 1) of the trial with this ordinal, in the range of a key."""
    point, prefix = 0.0, ""
    for level in range(BITS):
        bit = (ordinal >> level) & 1
        flip = hashlib.sha256(f"{seed}/{key}/{prefix}".encode()).digest()[0] & 1
        point += (bit ^ flip) * 2.0 ** -(level + 1)
        prefix += str(bit)
    return point


def value_at(distribution: BaseDistribution, point: float) -> int | float | None:
    """Return the value at a point of a range; None for choices, which have no order.

    Args:
        distribution: a float or int range of Optuna's, or choices.
        point: in [0, 1).
    """
    from optuna.distributions import FloatDistribution, IntDistribution

    if isinstance(distribution, IntDistribution):
        low, high, step = distribution.low, distribution.high, distribution.step
        if distribution.log:
            bottom, top = math.log(low - 0.5), math.log(high + 0.5)
            return min(max(round(math.exp(bottom + point * (top - bottom))), low), high)
        return low + step * int(point * ((high - low) // step + 1))
    if isinstance(distribution, FloatDistribution):
        first, last = distribution.low, distribution.high
        if distribution.step is not None:
            steps = round((last - first) / distribution.step)
            return min(first + distribution.step * int(point * (steps + 1)), last)
        if distribution.log:
            bottom, top = math.log(first), math.log(last)
            return min(max(math.exp(bottom + point * (top - bottom)), first), last)
        return first + point * (last - first)
    return None


def startup_sampler(seed: int, number: int, ordinal: int) -> BaseSampler:
    """Return a sampler for one of the first trials.

    Args:
        seed: of the sweep.
        number: the seed for choices, which are drawn at random.
        ordinal: of the trial, counted from 0.
    """
    from optuna.samplers import RandomSampler

    class StartupSampler(RandomSampler):
        def sample_independent(
            self,
            study: Any,  # noqa: ANN401
            trial: Any,  # noqa: ANN401
            param_name: str,
            param_distribution: Any,  # noqa: ANN401
        ) -> Any:  # noqa: ANN401
            value = value_at(param_distribution, van_der_corput(seed, param_name, ordinal))
            if value is not None:
                return value
            return super().sample_independent(study, trial, param_name, param_distribution)

    return StartupSampler(seed=number)
