"""The learning rates around the best trial's that need as many iterations as it did."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any, cast

import numpy as np

from gdexp import checks, interrupts
from gdexp.batch.run import descend_batch, in_one_tensor
from gdexp.descent import descend, starting_point
from gdexp.errors import BadInput
from gdexp.experiment import Experiment
from gdexp.optimizers import UpdateRule

BUDGET = 30_000
"""Gradients of one small x, computed one after the other: some seconds' worth."""

NEAREST, FARTHEST = 1e-6, 1e12
"""Distances, relative to the learning rate, between which an end is looked for."""

SAFE = 1e-300, 1e300
"""Learning rates outside are not tried: their multiples are no normal doubles."""

MOST_PROBES = 64
"""Tried at once on each side; so many small rows of a batch cost little more than one."""

BATCH_NUMBERS = 2**15
"""Numbers in one batch of probes, so that large problems do not pay for rows they do not need."""

FREE_NUMBERS = 10_000
"""Numbers in a batch that take as long again as the overhead of its step."""


@dataclass(frozen=True)
class Interval:
    """The learning rates that share a count of iterations, as far as they were tried.

    Attributes:
        low: the smallest learning rate that was found to share the count.
        high: the largest.
        low_known: whether a smaller one was found that does not, close enough to `low` for the
            wanted digits; without, the interval goes on below `low` or may do so.
        high_known: the same of `high`.
        steps: gradient steps that the search made.
        fewer: a learning rate, tried on the way, that needs fewer iterations: the best trial was
            not the best possible. None when none was met.
    """

    low: float
    high: float
    low_known: bool
    high_known: bool
    steps: int
    fewer: float | None = None


def sharing(
    experiments: Sequence[Experiment],
    iterations: Sequence[int],
    *,
    digits: int = 4,
    budget: int = BUDGET,
) -> Interval | None:
    """Find the stretch of learning rates around an experiment's that have its counts.

    Outward from the experiment's learning rate the first one that has other counts is looked
    for on each side: distances are tried that double (that quadruple where only one can be
    tried at a time), then the gap between the last that shares and the first that does not is
    divided. So every learning rate tried between `low` and `high` shares the counts. Where the
    count goes up and down with the learning rate (Rosenbrock's valley, Adam), others may lie
    between those tried, and further stretches beyond the ends.

    Every probe is a real descent in the experiment's dtype that ends after the wanted count:
    it shares the count when it converges at just that iteration. Probes of a batchable problem
    and rule run together. Schedules and all other hyperparameters stay as they are. The ends
    are short decimals where the experiment's own learning rate is not the end; each was tried.

    Args:
        experiments: the trial's, one for each seed; they differ in the seed only.
        iterations: the counts of the seeds, all converged.
        digits: significant digits to which the ends are wanted, 1 … 12; an interval narrower
            than that is measured to an eighth of its width, down to 1e-6 of the learning rate.
        budget: the search is not taken further than so many steps, counted as the gradients
            that are computed one after the other (a batch's step on n numbers in all counts
            1 + n / 10,000). What is not found by then is not known.

    Returns:
        None where there is nothing to say: all counts are 0, so that the learning rate plays no
        part; the rule has none; or the budget does not reach for one try.

    Raises:
        BadInput: not one count for each experiment, or digits or a budget out of range.
        GdexpError: what the problem's own code raised.
    """
    checks.integer("digits", digits, low=1, high=12)
    checks.integer("budget", budget, low=0, high=10**12)
    if not experiments or len(experiments) != len(iterations):
        raise BadInput("iterations", list(iterations), f"must be {len(experiments)} counts, > 0")
    lr = getattr(experiments[0].rule, "lr", None)
    if not isinstance(lr, int | float) or not any(iterations):
        return None
    return _Search(experiments, iterations, float(lr), 10.0**-digits, budget).run()


class _Side:
    """What is known of the distance of one end from the learning rate, relative to it.

    Args:
        lr: where the search begins.
        sign: 1 for the upper end, -1 for the lower.
        guess: the distance that is tried first.
        fine: the relative precision that is wanted.
    """

    def __init__(self, lr: float, sign: int, guess: float, fine: float) -> None:
        self.lr, self.sign, self.guess, self.fine = lr, sign, guess, fine
        self.end = lr
        self.outer: float | None = None

    def distance(self, rate: float) -> float:
        """How far a learning rate is from the start; the same for lr·2 and lr/2."""
        return rate / self.lr - 1 if self.sign > 0 else self.lr / rate - 1

    @property
    def inner(self) -> float:
        """The distance of the outermost learning rate that shares the counts."""
        return self.distance(self.end)

    @property
    def found(self) -> bool:
        """Whether the end is known as well as it is wanted."""
        return self.outer is not None and self._narrow(self.outer)

    def _narrow(self, outer: float) -> bool:
        return outer - self.inner <= self._wanted()

    def _wanted(self) -> float:
        """The gap between what shares and what does not at which an end is known.

        Twice the nearest distance that is tried, so that rounding it to a decimal does no harm.
        """
        return max(min(self.fine * (1 + self.inner), self.inner / 8), 2 * NEAREST)

    def probes(self, most: int) -> list[float]:
        """The next learning rates to try, outward; none when there is nothing left to find."""
        if self.found:
            return []
        rates = [self._rate(at, width) for at, width in self._distances(most)]
        unique = sorted(set(rates), key=self.distance)
        return [rate for rate in unique if self._between(rate)]

    def _distances(self, most: int) -> list[tuple[float, float]]:
        """Distances with the precision that each needs."""
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
            # A little finer than is wanted, for what rounding adds.
            parts = min(most + 1, math.ceil(1.25 * (outer - inner) / self._wanted()))
            gap = (outer - inner) / parts
            return [(inner + gap * j, gap) for j in range(1, parts)]
        # So near to the start there is nothing more to know, so far from it nothing of use.
        kept = [at for at in ladder if NEAREST <= at <= FARTHEST]
        if inner == 0 and ladder[0] < NEAREST and (outer is None or outer > 2 * NEAREST):
            kept.insert(0, NEAREST)
        return [(at, at * (ratio - 1)) for at in kept]

    def _rate(self, at: float, width: float) -> float:
        """The learning rate at a distance, rounded by an eighth of `width` at most."""
        rate = self.lr * (1 + at) if self.sign > 0 else self.lr / (1 + at)
        return float(f"{rate:.{min(max(_digits(width / (1 + at)), 1), 16)}g}")

    def _between(self, rate: float) -> bool:
        beyond = self.outer is None or self.distance(rate) < self.outer
        return self.distance(rate) > self.inner and beyond and SAFE[0] <= rate <= SAFE[1]

    def learn(self, rates: Sequence[float], shared: Sequence[bool]) -> None:
        """What came of probes, in their order outward."""
        for rate, shares in zip(rates, shared, strict=True):
            if not shares:
                self.outer = self.distance(rate)
                return
            self.end = rate


def _digits(width: float) -> int:
    """Significant digits that round a number by at most an eighth of a relative width."""
    return math.ceil(1 - math.log10(width / 4))


class _Search:
    """One search: the two sides, what the probes cost, and the probes themselves."""

    def __init__(
        self,
        experiments: Sequence[Experiment],
        iterations: Sequence[int],
        lr: float,
        fine: float,
        budget: int,
    ) -> None:
        # A seed that starts within the threshold has count 0 at every learning rate.
        asked = [(e, n) for e, n in zip(experiments, iterations, strict=True) if n]
        self.experiments = [experiment for experiment, _ in asked]
        self.counts = [count for _, count in asked]
        self.stoppings = [replace(e.stopping, max_iterations=n, cap=None) for e, n in asked]
        self.budget, self.steps, self.tried = float(budget), 0, 0
        self.fewer: float | None = None
        self.fewest = sum(self.counts)
        first = self.first = self.experiments[0]
        self.size = starting_point(first.problem, first.seed).numel()
        self.together = in_one_tensor(
            first.problem, first.rule, first.dtype, first.device, self.size
        )
        # Where the error shrinks by a fixed factor per step, the count of n steps is shared by
        # learning rates that differ by about 1/n.
        guess = max(1 / (4 * max(self.counts)), 4 * NEAREST)
        self.low = _Side(lr, -1, guess, fine)
        self.high = _Side(lr, 1, guess, fine)

    def run(self) -> Interval | None:
        """Try probes on both sides until both ends are found, or the budget is used up."""
        many = 1
        if self.together:
            rows = BATCH_NUMBERS // (2 * self.size * len(self.counts))
            many = min(max(rows, 1), MOST_PROBES)
        while True:
            asked = [(side, side.probes(many)) for side in (self.low, self.high)]
            rates = [rate for _, probes in asked for rate in probes]
            if not rates or self._most(len(rates)) > self.budget:
                break
            shared = self._try(rates)
            self.tried += len(rates)
            for side, probes in asked:
                side.learn(probes, shared[: len(probes)])
                shared = shared[len(probes) :]
        if not self.tried:
            return None
        low, high = self.low, self.high
        return Interval(low.end, high.end, low.found, high.found, self.steps, self.fewer)

    def _most(self, probes: int) -> float:
        """The most of the budget that so many probes can cost."""
        if self.together:
            return self._cost(max(self.counts), probes * len(self.counts))
        return self._cost(probes * sum(self.counts), 1)

    def _cost(self, steps: int, rows: int) -> float:
        """What so many steps of so many rows cost."""
        return steps * (1 + rows * self.size / FREE_NUMBERS)

    def _try(self, rates: Sequence[float]) -> list[bool]:
        """Whether each learning rate has the counts."""
        rules = [_with_lr(self.first.rule, rate) for rate in rates]
        with self.first.named():
            made = self._batch(rules) if self.together else list(map(self._alone, rules))
        for rate, counts in zip(rates, made, strict=True):
            if None not in counts and sum(map(int, cast(Any, counts))) < self.fewest:
                self.fewest = sum(map(int, cast(Any, counts)))
                self.fewer = rate
        return [counts == self.counts for counts in made]

    def _batch(self, rules: Sequence[UpdateRule]) -> list[list[int | None]]:
        """The counts of each rule, seed by seed; None where one is above the wanted one."""
        seeds = len(self.counts)
        batch = descend_batch(
            self.first.problem,
            [rule for rule in rules for _ in range(seeds)],
            self.stoppings * len(rules),
            seeds=[e.seed for e in self.experiments] * len(rules),
            dtype=self.first.dtype,
            device=self.first.device,
            keep_traces=False,
            watch=_listen,
        )
        self.steps += int(batch.iterations.sum())
        self.budget -= self._cost(int(batch.iterations.max()), len(batch))
        pairs = zip(batch.iterations.tolist(), batch.converged.tolist(), strict=True)
        flat = [count if reached else None for count, reached in pairs]
        return [flat[i : i + seeds] for i in range(0, len(flat), seeds)]

    def _alone(self, rule: UpdateRule) -> list[int | None]:
        """The same for one rule, one descent at a time, until a seed needs too many."""
        counts: list[int | None] = []
        for experiment, stopping in zip(self.experiments, self.stoppings, strict=True):
            result = descend(
                experiment.problem,
                rule,
                stopping,
                seed=experiment.seed,
                dtype=experiment.dtype,
                device=experiment.device,
                watch=_listen_alone,
            )
            self.steps += result.iterations
            self.budget -= self._cost(result.iterations, 1)
            counts.append(result.iterations if result.converged else None)
            if not result.converged:
                break
        return counts


def _with_lr(rule: UpdateRule, lr: float) -> UpdateRule:
    changed: UpdateRule = replace(cast(Any, rule), lr=lr)
    return changed


def _listen(iteration: int, going: int) -> None:
    interrupts.check()


def _listen_alone(iteration: int, trace: object) -> int:
    interrupts.check()
    return iteration + 1000
