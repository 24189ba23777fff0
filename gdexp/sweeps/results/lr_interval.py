"""The learning rates around the best trial's that need as many iterations as it did."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any, cast

from gdexp.core import BadInput, signals, validation
from gdexp.descent import descend, descend_batch, in_one_tensor, starting_point
from gdexp.experiment import Experiment
from gdexp.optimizers import UpdateRule
from gdexp.sweeps.results.interval_end import NEAREST, Side

BUDGET = 30_000
"""Gradients of one small x, computed one after the other: some seconds' worth."""

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


def find_interval(
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
    validation.integer("digits", digits, low=1, high=12)
    validation.integer("budget", budget, low=0, high=10**12)
    if not experiments or len(experiments) != len(iterations):
        raise BadInput("iterations", list(iterations), f"must be {len(experiments)} counts, > 0")
    lr = getattr(experiments[0].rule, "lr", None)
    if not isinstance(lr, int | float) or not any(iterations):
        return None
    return _Search(experiments, iterations, float(lr), 10.0**-digits, budget).run()


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
        self.low = Side(lr, -1, guess, fine)
        self.high = Side(lr, 1, guess, fine)

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
    signals.check()


def _listen_alone(iteration: int, trace: object) -> int:
    signals.check()
    return iteration + 1000
