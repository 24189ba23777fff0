"""The cap: who may end whom, and that the winner stays the winner."""

from __future__ import annotations

import math

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gdexp import GradientDescent, Matrix, Quadratic, Result, Status, Stopping, descend
from gdexp.sweep.cap import Cap

thresholds = st.sampled_from([1e-8, 1e-6, 1e-5, 1e-3, 1e-2])
trials = st.lists(st.tuples(thresholds, st.integers(0, 50)), max_size=30)


@given(trials, thresholds, st.sampled_from([1.0, 1.5, 3.0]))
def test_the_limit_is_the_fewest_iterations_of_an_equal_or_tighter_threshold(
    finished: list[tuple[float, int]], threshold: float, factor: float
) -> None:
    cap = Cap(factor)
    for tau, iterations in finished:
        cap.add(tau, iterations)
    rivals = [iterations for tau, iterations in finished if tau <= threshold]
    assert cap.limit(threshold) == (math.floor(factor * min(rivals)) if rivals else None)


def test_without_a_factor_nothing_is_capped() -> None:
    cap = Cap(None)
    cap.add(1e-5, 3)
    assert cap.limit(1e-5) is None


def swept(
    pairs: list[tuple[float, float]], factor: float | None, problem: Matrix | Quadratic
) -> list[Result]:
    """Trials one after the other, each under the cap that those before it set."""
    cap, results = Cap(factor), []
    for lr, threshold in pairs:
        stopping = Stopping(threshold, max_iterations=400, cap=cap.limit(threshold))
        result = descend(problem, GradientDescent(lr), stopping)
        if result.converged:
            cap.add(threshold, result.iterations)
        results.append(result)
    return results


@pytest.mark.parametrize("problem", [Matrix(), Quadratic(dimension=4, mu=0.1)], ids=["matrix", "q"])
@settings(max_examples=40)
@given(
    pairs=st.lists(st.tuples(st.floats(0.05, 12), thresholds), min_size=1, max_size=12),
)
def test_with_cap_1_the_winner_is_the_same_for_fewer_steps(
    problem: Matrix | Quadratic, pairs: list[tuple[float, float]]
) -> None:
    free, capped = swept(pairs, None, problem), swept(pairs, 1.0, problem)
    if any(result.converged for result in free):
        times = [[r.hitting_time for r in results] for results in (free, capped)]
        winners = [t.index(min(t)) for t in times]
        assert winners[0] == winners[1]
        assert times[0][winners[0]] == times[1][winners[1]]
    spent = [sum(r.iterations for r in results) for results in (free, capped)]
    assert spent[1] <= spent[0]
    for alone, cut in zip(free, capped, strict=True):
        assert cut.trace.tolist() == alone.trace[: len(cut.trace)].tolist()
        if cut.status is Status.CAPPED:
            assert cut.hitting_time >= cut.stopping.limit + 1
