"""Whole sweeps in memory, with the cap and without: the same winner, the same front."""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from dataclasses import dataclass

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gdexp import (
    Adam,
    Booth,
    GradientDescent,
    Himmelblau,
    Logistic,
    Matrix,
    Momentum,
    Problem,
    Quadratic,
    Result,
    Rosenbrock,
    Status,
    Stopping,
    UpdateRule,
    descend,
    descend_batch,
)
from gdexp.descent.cap import Cap
from gdexp.sweeps.results.pareto_front import non_dominated

pytestmark = pytest.mark.slow

Trial = tuple[float, float]
"""Share of the highest learning rate, and threshold."""


@dataclass(frozen=True)
class Case:
    """A problem with a rule, the learning rates that make sense and how long it may take."""

    problem: Problem
    rule: type[UpdateRule]
    highest: float
    limit: int = 300

    def rules(self, trials: Sequence[Trial]) -> list[UpdateRule]:
        return [self.rule(lr=share * self.highest) for share, _ in trials]  # type: ignore[call-arg]

    def __str__(self) -> str:
        return f"{self.problem.name}-{self.rule.name}"


CASES = [
    Case(Matrix(), GradientDescent, 10),
    Case(Matrix(), Adam, 2),
    Case(Quadratic(dimension=5, mu=0.1), GradientDescent, 2.2),
    Case(Quadratic(dimension=5, mu=0.1), Momentum, 3),
    Case(Booth(), GradientDescent, 0.15),
    Case(Rosenbrock(), GradientDescent, 0.004, limit=120),
    Case(Rosenbrock(), Adam, 0.5, limit=60),
    Case(Himmelblau(), GradientDescent, 0.05),
    Case(Logistic(), GradientDescent, 20, limit=8),
]

# Few values, so that trials tie, in the threshold alone and in everything.
shares = st.one_of(st.sampled_from([0.1, 0.45, 0.5]), st.floats(1e-3, 1))
thresholds = st.sampled_from([1e-30, 1e-8, 1e-5, 1e-3, 0.05, 0.5, 30.0])
sweeps = st.lists(st.tuples(shares, thresholds), min_size=1, max_size=12)
fixed = st.tuples(thresholds, st.lists(shares, min_size=1, max_size=14))


def parts(trials: Sequence[Trial], sizes: Sequence[int]) -> list[Sequence[Trial]]:
    """The trials in batches of the given sizes, over and over."""
    found: list[Sequence[Trial]] = []
    size = itertools.cycle(sizes)
    at = 0
    while at < len(trials):
        step = next(size)
        found.append(trials[at : at + step])
        at += step
    return found


def swept(
    case: Case, trials: Sequence[Trial], factor: float | None, sizes: Sequence[int] = (1,)
) -> list[Result]:
    """Batches one after the other; all trials of one have the limit from before it.

    So it is with several workers too: what the others find meanwhile comes too late.
    """
    cap, results = Cap(factor), []
    for part in parts(trials, sizes):
        asked = [Stopping(tau, case.limit, cap.limit(tau)) for _, tau in part]
        made = [
            descend(case.problem, rule, stopping)
            for rule, stopping in zip(case.rules(part), asked, strict=True)
        ]
        for result in made:
            if result.converged:
                cap.add(result.threshold, [result.iterations])
        results += made
    return results


def together(
    case: Case, trials: Sequence[Trial], factor: float, sizes: Sequence[int]
) -> list[Result]:
    """Batches as a sweep runs them: rows of one tensor that limit each other as they go."""
    cap, results = Cap(factor), []
    for part in parts(trials, sizes):
        stoppings = [Stopping(tau, case.limit) for _, tau in part]
        results += list(descend_batch(case.problem, case.rules(part), stoppings, cap=cap))
    return results


def winner(results: Sequence[Result]) -> int:
    """The trial that the sweep calls best: the first of those with the smallest hitting time."""
    times = [result.hitting_time for result in results]
    return times.index(min(times))


def check(free: Sequence[Result], capped: Sequence[Result]) -> None:
    """What must be the same with a cap, and what the cap is for."""
    if any(result.converged for result in free):
        best = winner(free)
        assert winner(capped) == best
        assert capped[best].status is free[best].status
        assert capped[best].iterations == free[best].iterations
        assert capped[best].hitting_time == free[best].hitting_time
        assert capped[best].trace.tobytes() == free[best].trace.tobytes()
    fronts = [
        [(i, results[i].hitting_time) for i in non_dominated(points)]
        for results in (free, capped)
        for points in [[(result.threshold, result.hitting_time) for result in results]]
    ]
    assert fronts[0] == fronts[1]
    for whole, cut in zip(free, capped, strict=True):
        assert cut.iterations <= whole.iterations
        assert cut.trace.tolist() == whole.trace[: len(cut.trace)].tolist()
        if cut.status is Status.CAPPED:
            assert cut.hitting_time >= cut.iterations + 1
            assert not whole.converged or whole.iterations > cut.iterations
        else:
            assert (cut.status, cut.iterations) == (whole.status, whole.iterations)


@pytest.mark.parametrize("case", CASES, ids=str)
@settings(max_examples=10)
@given(trials=sweeps, sizes=st.lists(st.integers(1, 6), min_size=1, max_size=3))
def test_a_sweep_of_both_has_the_same_winner_and_front(
    case: Case, trials: list[Trial], sizes: list[int]
) -> None:
    free = swept(case, trials, None)
    check(free, swept(case, trials, 1.0))
    check(free, swept(case, trials, 1.0, sizes))
    check(free, together(case, trials, 1.0, sizes))


@pytest.mark.parametrize("case", CASES, ids=str)
@settings(max_examples=10)
@given(given=fixed, factor=st.sampled_from([1.0, 1.3, 4.0]))
def test_a_sweep_of_the_learning_rate_has_the_same_winner(
    case: Case, given: tuple[float, list[float]], factor: float
) -> None:
    threshold, rates = given
    trials = [(share, threshold) for share in rates]
    free = swept(case, trials, None)
    check(free, swept(case, trials, factor))
    check(free, together(case, trials, factor, [5]))


def test_of_trials_that_tie_the_first_stays_the_winner() -> None:
    case = CASES[0]
    trials = [(0.3, 1e-5), (0.44, 1e-5), (0.44, 1e-5), (0.3, 1e-5), (0.44, 1e-5)]
    capped = swept(case, trials, 1.0)
    assert winner(capped) == winner(swept(case, trials, None)) == 1
    assert [result.status for result in capped] == [
        Status.CONVERGED,
        Status.CONVERGED,
        Status.CONVERGED,
        Status.CAPPED,
        Status.CONVERGED,
    ]


def test_equal_counts_are_told_apart_by_the_hitting_time() -> None:
    """A trial with the incumbent's count is not capped, since it may still be the better one."""
    case = CASES[0]
    trials = [(0.1, 1e-5), (0.1005, 1e-5), (0.101, 1e-5)]
    free, capped = swept(case, trials, None), swept(case, trials, 1.0)
    assert len({result.iterations for result in free}) == 1
    assert winner(free) == winner(capped) == 2
    check(free, capped)


def test_the_cap_saves_steps() -> None:
    case = CASES[0]
    trials = [(0.44, 1e-5), *((0.05 * i, 1e-5) for i in range(1, 20))]
    spent = [sum(r.iterations for r in swept(case, trials, factor)) for factor in (None, 3, 1)]
    assert spent[0] > spent[1] > spent[2]
