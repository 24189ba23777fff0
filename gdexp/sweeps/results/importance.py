"""The importance of each swept key for the hitting time."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

import numpy as np

from gdexp.sweeps.results.forest import impurity_decreases

if TYPE_CHECKING:
    from optuna.trial import FrozenTrial

Column = list[float] | list[str]
"""One parameter in all trials: numbers from 0 to 1, or the positions of choices."""

FEWEST_TRIALS = 50
"""With fewer trials no importance is computed: chance gives a key that plays no part a share."""

MOST_TRIALS = 1000
"""Of more trials, so many are used, evenly spaced; it takes about a quarter of a second."""

TREES, SEED = 64, 0

TINY = 1e-100
"""Values below this are scaled to 1 before they are learned: their squares would be 0."""


def importances(
    trials: Sequence[FrozenTrial], *, maximize: bool = False, logarithmic: bool = True
) -> dict[str, float]:
    """Return the share of each key in the variance of the hitting times, or of another value.

    A random forest learns log(1 + hitting time) from the parameters; of other values it learns
    their ranks, so that no outlier is all that it explains. The share of a key is the
    variance that the forest's branches on it explain, alone or together with other keys (mean
    decrease in impurity, as `MeanDecreaseImpurityImportanceEvaluator` of Optuna; G. Louppe et al.,
    Understanding variable importances in forests of randomized trees, 2013). It describes the
    trials that were made, and most samplers make most of them near the best. Equal trials give
    equal shares: the forest is seeded, and of more than a thousand trials a fixed choice is used.

    A parameter that only some trials have (`optimizer.adam.lr`) counts in the others as the
    middle of its values (on a log axis if it is swept on one), or as its first choice.

    Args:
        trials: finished trials; their first value is the hitting time. Trials without a number
            are left out, and infinity counts as ten times the largest finite value.
        maximize: whether larger values are better.
        logarithmic: whether the values are hitting times.

    Returns:
        Shares by key that sum to 1, the largest first. Empty with fewer than fifty trials, or if
        all hitting times or all parameters are equal.
    """
    valued = [trial for trial in trials if trial.values and not math.isnan(trial.values[0])]
    if len(valued) > MOST_TRIALS:
        valued = [valued[i * len(valued) // MOST_TRIALS] for i in range(MOST_TRIALS)]
    told = [float(trial.values[0]) for trial in valued]
    times = _logs(told) if logarithmic else _ranks([-each if maximize else each for each in told])
    if len(valued) < FEWEST_TRIALS or min(times) == max(times):
        return {}
    columns = {name: _column(name, valued) for name in _names(valued)}
    varied = {name: column for name, column in columns.items() if len(set(column)) > 1}
    if not varied:
        return {}
    constant = {name: 0.0 for name in columns if name not in varied}
    shares = dict.fromkeys(varied, 1.0) if len(varied) == 1 else _shares(varied, times)
    return shares | constant


def _logs(times: Sequence[float]) -> list[float]:
    finite = [max(time, 0.0) for time in times if math.isfinite(time)]
    beyond = 10 * max(finite, default=1.0)
    logs = [math.log1p(max(time, 0.0) if math.isfinite(time) else beyond) for time in times]
    largest = max(logs, default=0.0)
    if 0 < largest < TINY:
        return [each / largest for each in logs]
    return logs


def _ranks(values: Sequence[float]) -> list[float]:
    """Return the place of each value among all, from 0 to 1; equal values have one place."""
    places = {value: place for place, value in enumerate(sorted(set(values)))}
    return [places[value] / max(len(places) - 1, 1) for value in values]


def _names(trials: Sequence[FrozenTrial]) -> list[str]:
    """Return every key that some trial has, in the order of their first use."""
    return list(dict.fromkeys(name for trial in trials for name in trial.params))


def _column(name: str, trials: Sequence[FrozenTrial]) -> Column:
    from optuna.distributions import CategoricalDistribution, FloatDistribution, IntDistribution

    range_ = next(t.distributions[name] for t in trials if name in t.params)
    if isinstance(range_, CategoricalDistribution):
        # By position, as Optuna takes it: 1 and True are two choices.
        return [
            str(
                int(t.distributions[name].to_internal_repr(t.params[name]))
                if name in t.params
                else 0
            )
            for t in trials
        ]
    log = isinstance(range_, FloatDistribution | IntDistribution) and range_.log
    known = {i: float(t.params[name]) for i, t in enumerate(trials) if name in t.params}
    if log:
        known = {i: math.log(value) for i, value in known.items()}
    # Scaled, because a forest takes values that are less than 1e-7 apart, as thresholds are, for
    # equal.
    low, high = min(known.values()), max(known.values())
    if low == high:
        return [0.5] * len(trials)
    return [(known[i] - low) / (high - low) if i in known else 0.5 for i in range(len(trials))]


def _shares(columns: Mapping[str, Column], times: Sequence[float]) -> dict[str, float]:
    """Return the share of each column, the largest first; that of choices over all of them."""
    names: list[str] = []
    made: list[list[float]] = []
    for name, column in columns.items():
        choices = sorted({value for value in column if isinstance(value, str)})
        if choices:  # one column for each choice
            made += [[float(value == choice) for value in column] for choice in choices]
            names += [name] * len(choices)
        else:
            made.append([float(value) for value in column])
            names.append(name)
    found = impurity_decreases(np.array(made).T, np.array(times), TREES, SEED)
    shares = dict.fromkeys(columns, 0.0)
    for name, share in zip(names, found.tolist(), strict=True):
        shares[name] += share
    return dict(sorted(shares.items(), key=lambda item: -item[1]))
