"""A cell of a benchmark: one rule on one function in one dimension, with its swept rates.

A cell is done in two steps. First the learning rate is swept on the rate instances. Later, when
all functions have theirs, the descents of the benchmark are made with the best rate for the
function, and with the best single rate for all functions of the dimension.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from statistics import fmean
from typing import Any, NamedTuple

from gdexp.suite.descents import Descent, Function
from gdexp.suite.entry import Entry
from gdexp.suite.settings import BenchmarkSettings
from gdexp.suite.targets import TARGETS, evaluations_to

COARSE, FINE = 4, (-3, -2, -1, 1, 2, 3)
"""Rates are powers 10^(k/8): first every fourth k, then those around the best."""

MISSED = 10
"""A target that is missed counts as so many budgets when rates are compared."""


class Cell(NamedTuple):
    """A rule on a function in a dimension."""

    rule: str
    function: int
    dimension: int

    @property
    def name(self) -> str:
        """The text that its files are found by."""
        return f"{self.rule}-f{self.function}-d{self.dimension}"


@dataclass(frozen=True)
class RateSweep:
    """The outcome of a sweep of a learning rate.

    Attributes:
        best: the best rate for the function.
        scores: of the coarse rates: rate and mean log10 of the evaluations to a target.
    """

    best: float
    scores: tuple[tuple[float, float], ...]

    def as_data(self) -> dict[str, Any]:
        """Return the values as plain data."""
        return {"best": self.best, "scores": [list(each) for each in self.scores]}

    @classmethod
    def load(cls, data: Mapping[str, Any]) -> RateSweep:
        """Return the sweep with these values."""
        return cls(float(data["best"]), tuple((float(r), float(s)) for r, s in data["scores"]))


def rate_at(k: int) -> float:
    """Return 10^(k/8) with three digits: the same number on every machine."""
    return float(f"{10 ** (k / 8):.3g}")


def coarse_rates(settings: BenchmarkSettings) -> list[int]:
    """Return the exponents k of the coarse rates."""
    low, high = (round(8 * math.log10(r)) for r in (settings.rate_low, settings.rate_high))
    return list(range(low, high + 1, COARSE)) or [low]


def sweep_rate(
    entry: Entry, function: Function, settings: BenchmarkSettings, seed: int
) -> RateSweep:
    """Return the rate with the smallest mean log10 of the evaluations to the 51 targets.

    That is the area above the empirical distribution of running times, on a log axis. Of equal
    rates the one that comes closer to the minimum is taken, then the smaller one.
    """
    coarse = coarse_rates(settings)
    scores = _scores(entry, function, settings, seed, coarse)
    middle = min(coarse, key=scores.__getitem__)
    fine = [middle + step for step in FINE]
    scores |= _scores(entry, function, settings, seed, fine)
    best = min(sorted(scores), key=scores.__getitem__)
    return RateSweep(rate_at(best), tuple((rate_at(k), scores[k][0]) for k in coarse))


def _scores(
    entry: Entry, function: Function, settings: BenchmarkSettings, seed: int, powers: Sequence[int]
) -> dict[int, tuple[float, float]]:
    """Return for each rate the mean log10 of evaluations, and of the smallest gap."""
    seeds = range(seed, seed + settings.rate_starts)
    rates = [rate_at(k) for k in powers]
    found: dict[float, list[Descent]] = {rate: [] for rate in rates}
    for instance in settings.rate_instances:
        for each in function.descend(entry, rates, instance, seeds):
            found[float(each.rate or 0)].append(each)
    return {
        k: (
            fmean(_log_evaluations(each, function.budget) for each in found[rate]),
            fmean(math.log10(max(each.best, 1e-300)) for each in found[rate]),
        )
        for k, rate in zip(powers, rates, strict=True)
    }


def _log_evaluations(descent: Descent, budget: int) -> float:
    missed = MISSED * budget
    counts = (evaluations_to(descent.events, target) for target in TARGETS)
    return fmean(math.log10(count if math.isfinite(count) else missed) for count in counts)


def common_rate(sweeps: Sequence[RateSweep]) -> float:
    """Return the coarse rate with the smallest mean score over functions."""
    totals: dict[float, float] = {}
    for sweep in sweeps:
        for rate, score in sweep.scores:
            totals[rate] = totals.get(rate, 0.0) + score
    return min(sorted(totals), key=totals.__getitem__)


def descents(
    entry: Entry,
    function: Function,
    settings: BenchmarkSettings,
    rates: Sequence[float | None],
    seed: int,
) -> list[Descent]:
    """Return the descents of a cell, with each of its rates."""
    seeds = range(seed, seed + settings.starts)
    different = list(dict.fromkeys(rates))
    return [
        each
        for instance in settings.instances
        for each in function.descend(entry, different, instance, seeds)
    ]
