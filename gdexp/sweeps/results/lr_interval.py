"""The interval of learning rates around the best trial's that need as many iterations."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any, cast

import numpy as np

from gdexp.core import BadInput, signals, validation
from gdexp.descent import descend, descend_batch, in_one_tensor, starting_point
from gdexp.experiment import Experiment
from gdexp.optimizers import UpdateRule

BUDGET = 30_000
"""Gradients of one small x that are computed one after the other in a few seconds."""

MOST_PROBES = 64
"""Probes at once on each side; so many small rows of a batch cost little more than one."""

BATCH_NUMBERS = 2**15
"""Numbers in one batch of probes, so that large problems do not pay for rows they do not need."""

FREE_NUMBERS = 10_000
"""Numbers in a batch that take as long again as the overhead of its step."""

NEAREST, FARTHEST = 1e-6, 1e12
"""Distances, relative to the learning rate, between which an end is searched."""

SAFE = 1e-300, 1e300
"""Learning rates outside are not tried: their multiples are not normal doubles."""


@dataclass(frozen=True)
class Interval:
    """The learning rates that share a count of iterations, as far as they were tried.

    Attributes:
        low: the smallest learning rate that was found to share the count.
        high: the largest.
        low_known: whether a smaller one that does not share the count was found so close to
            `low` that the wanted digits are certain. If not, the interval may go on below `low`.
        high_known: the same of `high`.
        steps: gradient steps that the search made.
        fewer: a learning rate that was tried and needs fewer iterations, so that the best trial
            was not the best possible; None if there was none.
    """

    low: float
    high: float
    low_known: bool
    high_known: bool
    steps: int
    fewer: float | None = None

    def __str__(self) -> str:
        low = f"{self.low:.8g}" if self.low_known else f"below {self.low:.8g}"
        high = f"{self.high:.8g}" if self.high_known else f"beyond {self.high:.8g}"
        return f"{low} to {high}"


def find_interval(
    experiments: Sequence[Experiment],
    iterations: Sequence[int],
    *,
    digits: int = 4,
    budget: int = BUDGET,
) -> Interval | None:
    """Find the interval of learning rates around an experiment's that have its counts.

    On each side the search goes outward from the experiment's learning rate to the first one
    that has other counts. It doubles the distance (quadruples it where only one probe can run
    at a time), then divides the gap between the last learning rate that shares the counts and
    the first that does not. So every learning rate tried between `low` and `high` shares the
    counts. Where the count goes up and down with the learning rate (Rosenbrock's valley, Adam),
    others may lie between those tried, and further intervals beyond the ends.

    Every probe is a real descent in the experiment's dtype that ends after the wanted count.
    It shares the count if it converges at exactly that iteration. Probes of a batchable problem
    and rule run together. Schedules and all other hyperparameters stay as they are. The ends
    are short decimals unless an end is the experiment's own learning rate; each was tried.

    Args:
        experiments: the trial's, one for each seed; they differ in the seed only.
        iterations: the counts of the seeds, all converged.
        digits: significant digits wanted of the ends, 1 … 12. An interval narrower than that is
            measured to an eighth of its width, down to 1e-6 of the learning rate.
        budget: the most steps of the search, counted as gradients that are computed one after
            the other (a batch's step on n numbers in all counts 1 + n / 10,000). What is not
            found within the budget is not known.

    Returns:
        None if all counts are 0, so that the learning rate plays no part, if the rule has no
        learning rate, or if the budget is too small for one probe.

    Raises:
        BadInput: not one count for each experiment, or digits or a budget out of range.
        GdexpError: the problem's own code failed.
    """
    validation.integer("digits", digits, low=1, high=12)
    validation.integer("budget", budget, low=0, high=10**12)
    if not experiments or len(experiments) != len(iterations):
        raise BadInput("iterations", list(iterations), f"must be {len(experiments)} counts, > 0")
    lr = getattr(experiments[0].rule, "lr", None)
    if not isinstance(lr, int | float) or not any(iterations):
        return None
    return _Search(experiments, iterations, float(lr), 10.0**-digits, budget).run()


class _Search:
    """One search: its two ends, its budget, and the probes."""

    def __init__(
        self,
        experiments: Sequence[Experiment],
        iterations: Sequence[int],
        lr: float,
        precision: float,
        budget: int,
    ) -> None:
        # A seed that starts within the threshold has count 0 at every learning rate.
        pairs = [(e, n) for e, n in zip(experiments, iterations, strict=True) if n]
        self.experiments = [experiment for experiment, _ in pairs]
        self.counts = [count for _, count in pairs]
        self.stoppings = [replace(e.stopping, max_iterations=n, cap=None) for e, n in pairs]
        self.budget, self.steps, self.probed = float(budget), 0, False
        self.fewer: float | None = None
        self.fewest = sum(self.counts)
        first = self.first = self.experiments[0]
        self.size = starting_point(first.problem, first.seed).numel()
        self.batched = in_one_tensor(
            first.problem, first.rule, first.dtype, first.device, self.size
        )
        # Where the error shrinks by a fixed factor per step, the count of n steps is shared by
        # learning rates that differ by about 1/n.
        guess = max(1 / (4 * max(self.counts)), 4 * NEAREST)
        self.low = _End(lr, -1, guess, precision)
        self.high = _End(lr, 1, guess, precision)

    def run(self) -> Interval | None:
        """Probe both sides until both ends are found or the budget is used up."""
        most = 1
        if self.batched:
            rows = BATCH_NUMBERS // (2 * self.size * len(self.counts))
            most = min(max(rows, 1), MOST_PROBES)
        while True:
            below, above = self.low.probes(most), self.high.probes(most)
            probes = [*below, *above]
            if not probes or self._most_cost(len(probes)) > self.budget:
                break
            shared = self._probe(probes)
            self.probed = True
            self.low.update(below, shared[: len(below)])
            self.high.update(above, shared[len(below) :])
        if not self.probed:
            return None
        low, high = self.low, self.high
        return Interval(low.rate, high.rate, low.found, high.found, self.steps, self.fewer)

    def _most_cost(self, probes: int) -> float:
        """Return the most of the budget that so many probes can cost."""
        if self.batched:
            return self._cost(max(self.counts), probes * len(self.counts))
        return self._cost(probes * sum(self.counts), 1)

    def _cost(self, steps: int, rows: int) -> float:
        """Return the cost of so many steps of so many rows."""
        return steps * (1 + rows * self.size / FREE_NUMBERS)

    def _probe(self, rates: Sequence[float]) -> list[bool]:
        """Return for each learning rate whether it has the counts."""
        rules = [_with_lr(self.first.rule, rate) for rate in rates]
        with self.first.problem_errors():
            found = self._batch(rules) if self.batched else list(map(self._one_by_one, rules))
        for rate, counts in zip(rates, found, strict=True):
            if None not in counts and sum(map(int, cast(Any, counts))) < self.fewest:
                self.fewest = sum(map(int, cast(Any, counts)))
                self.fewer = rate
        return [counts == self.counts for counts in found]

    def _batch(self, rules: Sequence[UpdateRule]) -> list[list[int | None]]:
        """Return the counts of each rule, seed by seed; None where one is above the wanted one."""
        seeds = len(self.counts)
        batch = descend_batch(
            self.first.problem,
            [rule for rule in rules for _ in range(seeds)],
            self.stoppings * len(rules),
            seeds=[e.seed for e in self.experiments] * len(rules),
            dtype=self.first.dtype,
            device=self.first.device,
            keep_traces=False,
            watch=_check_signals_of_batch,
        )
        self.steps += int(batch.iterations.sum())
        self.budget -= self._cost(int(batch.iterations.max()), len(batch))
        pairs = zip(batch.iterations.tolist(), batch.converged.tolist(), strict=True)
        flat = [count if converged else None for count, converged in pairs]
        return [flat[i : i + seeds] for i in range(0, len(flat), seeds)]

    def _one_by_one(self, rule: UpdateRule) -> list[int | None]:
        """Return the counts of one rule, up to the first seed that needs too many."""
        counts: list[int | None] = []
        for experiment, stopping in zip(self.experiments, self.stoppings, strict=True):
            result = descend(
                experiment.problem,
                rule,
                stopping,
                seed=experiment.seed,
                dtype=experiment.dtype,
                device=experiment.device,
                watch=_check_signals,
            )
            self.steps += result.iterations
            self.budget -= self._cost(result.iterations, 1)
            counts.append(result.iterations if result.converged else None)
            if not result.converged:
                break
        return counts


class _End:
    """One end of the interval, and how far from the learning rate it can be.

    Args:
        lr: the learning rate at which the search begins.
        sign: 1 for the upper end, -1 for the lower.
        guess: the distance that is tried first, relative to the learning rate.
        precision: the relative precision that is wanted.

    Attributes:
        rate: the outermost learning rate that shares the counts.
        outer: the distance of the innermost one that does not; None before one is found.
    """

    def __init__(self, lr: float, sign: int, guess: float, precision: float) -> None:
        self.lr, self.sign, self.guess, self.precision = lr, sign, guess, precision
        self.rate = lr
        self.outer: float | None = None

    def distance(self, rate: float) -> float:
        """Return how far a learning rate is from the start; the same for 2 lr and lr / 2."""
        return rate / self.lr - 1 if self.sign > 0 else self.lr / rate - 1

    @property
    def inner(self) -> float:
        """The distance of the outermost learning rate that shares the counts."""
        return self.distance(self.rate)

    @property
    def found(self) -> bool:
        """Whether the end is known to the wanted precision."""
        return self.outer is not None and self.outer - self.inner <= self._tolerance()

    def _tolerance(self) -> float:
        """Return the gap between `inner` and `outer` that is small enough.

        At least twice the nearest distance, so that rounding to a decimal does no harm.
        """
        return max(min(self.precision * (1 + self.inner), self.inner / 8), 2 * NEAREST)

    def probes(self, most: int) -> list[float]:
        """Return the next learning rates to try, outward; none if nothing is left to find."""
        if self.found:
            return []
        rates = [self._rounded_rate(at, width) for at, width in self._distances(most)]
        unique = sorted(set(rates), key=self.distance)
        return [rate for rate in unique if self._is_useful(rate)]

    def _distances(self, most: int) -> list[tuple[float, float]]:
        """Return the distances to try, each with the width to which it may be rounded."""
        inner, outer, ratio = self.inner, self.outer, 2.0 if most > 8 else 4.0
        if outer is None and inner == 0:
            first = self.guess * ratio ** -(most // 2)
            ladder = [first * ratio**j for j in range(most)]
        elif outer is None:
            ladder = [inner * ratio ** (j + 1) for j in range(most)]
        elif inner == 0:
            ladder = [outer * ratio ** (j - most) for j in range(most)]
        elif outer > ratio * inner:
            ladder = np.geomspace(inner, outer, most + 2)[1:-1].tolist()
        else:
            # A little finer than wanted, to make up for rounding.
            parts = min(most + 1, math.ceil(1.25 * (outer - inner) / self._tolerance()))
            gap = (outer - inner) / parts
            return [(inner + gap * j, gap) for j in range(1, parts)]
        near_enough = [at for at in ladder if NEAREST <= at <= FARTHEST]
        if inner == 0 and ladder[0] < NEAREST and (outer is None or outer > 2 * NEAREST):
            near_enough.insert(0, NEAREST)
        return [(at, at * (ratio - 1)) for at in near_enough]

    def _rounded_rate(self, at: float, width: float) -> float:
        """Return the learning rate at a distance, rounded by at most an eighth of `width`."""
        rate = self.lr * (1 + at) if self.sign > 0 else self.lr / (1 + at)
        digits = math.ceil(1 - math.log10(width / (1 + at) / 4))
        return float(f"{rate:.{min(max(digits, 1), 16)}g}")

    def _is_useful(self, rate: float) -> bool:
        inside = self.outer is None or self.distance(rate) < self.outer
        return self.distance(rate) > self.inner and inside and SAFE[0] <= rate <= SAFE[1]

    def update(self, rates: Sequence[float], shared: Sequence[bool]) -> None:
        """Take in which probes share the counts, in their order outward."""
        for rate, shares in zip(rates, shared, strict=True):
            if not shares:
                self.outer = self.distance(rate)
                return
            self.rate = rate


def _with_lr(rule: UpdateRule, lr: float) -> UpdateRule:
    changed: UpdateRule = replace(cast(Any, rule), lr=lr)
    return changed


def _check_signals_of_batch(iteration: int, running: int) -> None:
    signals.check()


def _check_signals(iteration: int, trace: object) -> int:
    signals.check()
    return iteration + 1000
