"""The descents of some rules on one instance of a function, and what is kept of each."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from gdexp.descent import BatchResult, Status, Stopping, descend_batch
from gdexp.engine import Plans
from gdexp.problems import Bbob
from gdexp.suite.entry import Entry
from gdexp.suite.targets import PRECISION, TARGETS

DTYPE = "float64"
"""In float32 f* hides the last targets."""

WORTH_OPTIMISING = 1_000_000
"""Evaluations, times the dimension, from which on code that is made to be fast is done sooner."""


@dataclass(frozen=True)
class Descent:
    """What is kept of a descent.

    Attributes:
        instance: of the function.
        seed: of the start.
        rate: the learning rate; None where the rule has none that is swept.
        status: why it ended.
        evaluations: all of them, the start and the trials of a line search included.
        best: the smallest gap.
        events: evaluations and gap of the start and of the points that met further targets, in
            their order.
        iterates: the number of iterates, the start included, until each event and in all, where
            the rule makes trials; None where every point that is evaluated is an iterate.
    """

    instance: int
    seed: int
    rate: float | None
    status: str
    evaluations: int
    best: float
    events: tuple[tuple[int, float], ...]
    iterates: tuple[int, ...] | None = None

    @property
    def by_iterates(self) -> Descent:
        """The descent as if the trials that are no iterates had cost nothing."""
        if self.iterates is None:
            return self
        *counts, made = self.iterates
        gaps = (gap for _, gap in self.events)
        events = tuple(zip(counts, gaps, strict=True))
        return replace(self, evaluations=made, events=events, iterates=None)

    def as_data(self) -> list[Any]:
        """Return the values as plain data."""
        events = [list(event) for event in self.events]
        whole = [self.instance, self.seed, self.rate, self.status, self.evaluations, self.best]
        return [*whole, events] if self.iterates is None else [*whole, events, [*self.iterates]]

    @classmethod
    def load(cls, data: Sequence[Any]) -> Descent:
        """Return the descent with these values."""
        instance, seed, rate, status, evaluations, best, events, *counted = data
        met = tuple((int(count), float(gap)) for count, gap in events)
        iterates = tuple(map(int, counted[0])) if counted else None
        return cls(instance, seed, rate, status, evaluations, best, met, iterates)


class Function:
    """The instances of a function in one dimension, with what was recorded of each.

    Args:
        number: 1 … 24.
        dimension: the number of variables.
        budget: the most evaluations of a descent.
    """

    def __init__(self, number: int, dimension: int, budget: int) -> None:
        self.number, self.dimension, self.budget = number, dimension, budget
        self._known: dict[int, tuple[Bbob, Plans]] = {}
        self.engine = ""

    def descend(
        self, entry: Entry, rates: Sequence[float | None], instance: int, seeds: Sequence[int]
    ) -> list[Descent]:
        """Return the descents of every rate from every start, rate by rate."""
        rows = [(rate, seed) for rate in rates for seed in seeds]
        problem, plans = self._instance(instance, len(rows))
        batch = descend_batch(
            problem,
            [entry.rule(rate) for rate, _ in rows],
            Stopping(threshold=PRECISION, max_iterations=max(self.budget - 1, 1)),
            seeds=[seed for _, seed in rows],
            dtype=DTYPE,
            plans=plans,
        )
        self.engine = batch.engine
        return list(_kept(batch, rows, instance, self.budget, entry.makes_trials))

    def _instance(self, number: int, rows: int) -> tuple[Bbob, Plans]:
        if number not in self._known:
            optimise = rows * self.budget * self.dimension >= WORTH_OPTIMISING
            problem = Bbob(self.number, number, self.dimension)
            self._known[number] = problem, Plans(kept=64, known=True, optimise=optimise)
        return self._known[number]


def _kept(
    batch: BatchResult,
    rows: Sequence[tuple[float | None, int]],
    instance: int,
    budget: int,
    makes_trials: bool,
) -> Iterator[Descent]:
    assert batch.traces is not None
    for row, (rate, seed) in enumerate(rows):
        gaps = batch.traces[row] - batch.f_star
        counts = np.arange(1, len(gaps) + 1)
        if batch.evaluations is not None:  # a search evaluates more than its iterates
            counts = batch.evaluations.whole(row)
            gaps = gaps[: np.searchsorted(counts, budget, side="right")]
        status = str(batch.status(row)) if counts[-1] <= budget else str(Status.MAX_ITERATIONS)
        best = np.minimum.accumulate(np.where(np.isfinite(gaps), gaps, np.inf))
        places = np.searchsorted(-best, -np.asarray(TARGETS), side="left")
        met = sorted({0, *places[places < len(best)].tolist()})
        if status == Status.BELOW_MINIMUM:  # from a wrong f* no gap says anything
            met = []
        events = tuple((int(counts[k]), float(best[k])) for k in met)
        made, least = min(int(counts[-1]), budget), float(best[-1])
        counted = makes_trials or batch.evaluations is not None
        iterates = (*(k + 1 for k in met), len(gaps)) if counted else None
        yield Descent(instance, seed, rate, status, made, least, events, iterates)
