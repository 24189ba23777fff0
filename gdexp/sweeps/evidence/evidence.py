"""How sure it is that the best trial is the best: intervals and tests over its seeds."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from gdexp.sweeps.evidence.bootstrap import interval, resampled_seeds, seeds_to_tell
from gdexp.sweeps.evidence.running_time import (
    FEWEST_RESAMPLED,
    FEWEST_SEEDS,
    Floats,
    SeedCounts,
    wins_and_losses,
)
from gdexp.sweeps.evidence.sign_test import LEVEL, pairs_to_tell, sign_test

BOOTSTRAP, SIGN_TEST, TOO_FEW = "bootstrap", "sign test", "too few seeds"
MOST_COMPARED = 1_000
"""Trials that are compared, the best ones first."""

MOST_NAMED = 8


@dataclass(frozen=True)
class Comparison:
    """A trial beside the best one, over the same seeds.

    Attributes:
        trial: its number.
        expected: its expected running time.
        low, high: the 95 % interval of it; None with few seeds.
        ratio: its expected running time over that of the best trial.
        ratio_low, ratio_high: the 95 % interval of the ratio; None with few seeds.
        wins: seeds on which the best trial needs fewer iterations; with one seed and several
            problems, problems.
        losses: of these those on which this one does.
        p_value: of the sign test; None with too few seeds.
        best_share: how often it is the best of a resample; None with few seeds.
        is_worse: whether it is told apart from the best trial.
        seeds_to_tell: about how many would, if the difference stays; None where not known.
    """

    trial: int
    expected: float
    low: float | None
    high: float | None
    ratio: float
    ratio_low: float | None
    ratio_high: float | None
    wins: int
    losses: int
    p_value: float | None
    best_share: float | None
    is_worse: bool
    seeds_to_tell: int | None


@dataclass(frozen=True)
class Evidence:
    """What the seeds tell of the best trial.

    Attributes:
        method: bootstrap, sign test, or too few seeds for either.
        seeds: of each trial.
        best: the best trial, compared with itself.
        others: the other trials, the best first.
        constant: whether every seed gives the same counts, as where all have one start.
        problems: that each seed has.
    """

    method: str
    seeds: int
    best: Comparison
    others: Sequence[Comparison]
    constant: bool = False
    problems: int = 1

    @property
    def sample(self) -> str:
        """What was drawn: `10 seeds`, `10 seeds on 3 problems`; with one seed `12 problems`."""
        if self.problems == 1:
            return f"{self.seeds} seeds"
        if self.seeds == 1:
            return f"{self.problems} problems"
        return f"{self.seeds} seeds on {self.problems} problems"

    @property
    def unit(self) -> str:
        """What trials are paired by: `seeds` or `problems`."""
        return "problems" if self.seeds == 1 < self.problems else "seeds"

    @property
    def contenders(self) -> list[Comparison]:
        """The trials that are not told apart from the best."""
        return [each for each in self.others if not each.is_worse]

    @property
    def _names(self) -> str:
        """The contenders in words: `trials 12, 31 and 4 more`."""
        names = ", ".join(str(each.trial) for each in self.contenders[:MOST_NAMED])
        left = len(self.contenders) - MOST_NAMED
        more = f" and {left:,} more" if left > 0 else ""
        return f"{'trial' if len(self.contenders) == 1 else 'trials'} {names}{more}"

    @property
    def interval_text(self) -> str:
        """The 95 % interval of the best trial's expected running time; empty where none is."""
        low, high = self.best.low, self.best.high
        if low is None or high is None or self.constant:
            return ""
        above = "no bound above" if math.isinf(high) else f"{high:,.6g}"
        return f"95 % interval {low:,.6g} to {above} (bootstrap of {self.sample})"

    def __str__(self) -> str:
        if self.method == TOO_FEW:
            return (
                f"{self.sample} cannot tell trials apart: a sign test needs at least "
                f"{FEWEST_SEEDS}, an interval {FEWEST_RESAMPLED}"
            )
        if self.constant:
            text = f"all {self.sample} give the same counts, and tell no more than one seed"
            return f"{text}; as many: {self._names}" if self.contenders else text
        by = "paired bootstrap" if self.method == BOOTSTRAP else "one-sided sign test"
        how = f"{by} of {self.sample}, 5 % for each pair"
        if not self.contenders:
            compared = len(self.others)
            if not compared:
                return f"no other trial has all {self.unit}, so there is nothing to compare it with"
            which = "the other trial" if compared == 1 else f"each of the other {compared:,} trials"
            return f"told apart from {which} ({how})"
        text = f"not distinguishable from {self._names} ({how})"
        first = self.contenders[0]
        if first.seeds_to_tell is None:
            return text
        about = f"about {first.seeds_to_tell:,} {self.unit} would tell trial {first.trial}"
        return f"{text}; {about} if the difference stays"


def evidence_of(best: SeedCounts, others: Sequence[SeedCounts]) -> Evidence:
    """Return what the seeds tell of the best trial.

    From ten seeds on a trial is told apart where the 95 % interval of its ratio to the best lies
    above 1, below that where a one-sided sign test gives 0.05 or less. Each is a comparison of two
    trials; nothing corrects for their number, nor for the choice of the best of many.

    Args:
        best: the trial with the smallest expected running time.
        others: trials over the same seeds; of more than a thousand the best ones count.
    """
    units, seeds, problems = best.units, best.seeds, best.problems
    rising = sorted(others, key=lambda each: (each.expected, each.trial))[:MOST_COMPARED]
    constant = all(each.is_constant for each in [best, *rising])
    method = BOOTSTRAP if units >= FEWEST_RESAMPLED else SIGN_TEST
    if units < FEWEST_SEEDS:
        method = TOO_FEW
    if method != BOOTSTRAP:
        found = [_by_signs(best, each, method) for each in rising]
        return Evidence(method, seeds, _by_signs(best, best, method), found, constant, problems)
    draws = resampled_seeds(units)
    base = best.resampled(draws)
    times = [base, *(each.resampled(draws) for each in rising)]
    shares = _best_shares(times)
    first, *found = (
        _by_resamples(best, each, base, own, share)
        for each, own, share in zip([best, *rising], times, shares, strict=True)
    )
    return Evidence(method, seeds, first, found, constant, problems)


def _by_signs(best: SeedCounts, other: SeedCounts, method: str) -> Comparison:
    wins, losses = wins_and_losses(best, other)
    p_value = sign_test(wins, losses) if method == SIGN_TEST else None
    worse = p_value is not None and p_value <= LEVEL and wins > losses
    wanted = None if worse or p_value is None else pairs_to_tell(wins, losses, best.units)
    own, ratio = other.expected, _ratio(other.expected, best.expected)
    nothing = None, None
    return Comparison(
        other.trial, own, *nothing, ratio, *nothing, wins, losses, p_value, None, worse, wanted
    )


def _by_resamples(
    best: SeedCounts, other: SeedCounts, base: Floats, times: Floats, share: float
) -> Comparison:
    units = best.units
    wins, losses = wins_and_losses(best, other)
    with np.errstate(invalid="ignore", divide="ignore"):
        ratios = np.where(np.isinf(base) & np.isinf(times), 1.0, times / base)
    ratios = np.where(np.isnan(ratios), 1.0, ratios)  # 0 / 0: both are at the threshold
    ends = interval(ratios, units)
    worse = ends[0] > 1
    return Comparison(
        other.trial,
        other.expected,
        *interval(times, units),
        _ratio(other.expected, best.expected),
        *ends,
        wins,
        losses,
        sign_test(wins, losses),
        share,
        worse,
        None if worse else seeds_to_tell(ratios, units),
    )


def _best_shares(times: Sequence[Floats]) -> list[float]:
    """Return how often each trial is the best of a resample; equal ones share it."""
    stacked = np.array(times)
    best = stacked == stacked.min(axis=0)
    shares: list[float] = (best / best.sum(axis=0)).mean(axis=1).tolist()
    return shares


def _ratio(one: float, other: float) -> float:
    return 1.0 if one == other else one / other if other else math.inf
