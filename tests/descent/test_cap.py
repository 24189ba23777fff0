"""The cap: who may end whom, and that the winner stays the winner."""

from __future__ import annotations

import math

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gdexp import (
    GradientDescent,
    Himmelblau,
    Matrix,
    Problem,
    Quadratic,
    Result,
    Status,
    Stopping,
    descend,
    descend_batch,
)
from gdexp.descent.cap import Cap
from tests.support.long_form import share

thresholds = st.sampled_from([1e-8, 1e-6, 1e-5, 1e-3, 1e-2])
trials = st.lists(st.tuples(thresholds, st.integers(0, 50)), max_size=30)


@pytest.mark.slow
@given(trials, thresholds, st.sampled_from([1.0, 1.5, 3.0]))
def test_the_limit_is_the_fewest_iterations_of_an_equal_or_tighter_threshold(
    finished: list[tuple[float, int]], threshold: float, factor: float
) -> None:
    cap = Cap(factor)
    for tau, iterations in finished:
        cap.add(tau, [iterations])
    rivals = [iterations for tau, iterations in finished if tau <= threshold]
    assert cap.limit(threshold) == (math.floor(factor * min(rivals)) if rivals else None)


def test_without_a_factor_nothing_is_capped() -> None:
    cap = Cap(None)
    cap.add(1e-5, [3])
    assert cap.limit(1e-5) is None


def swept(pairs: list[tuple[float, float]], factor: float | None, problem: Problem) -> list[Result]:
    """Trials one after the other, each under the cap that those before it set."""
    cap, results = Cap(factor), []
    for lr, threshold in pairs:
        stopping = Stopping(threshold, max_iterations=400, cap=cap.limit(threshold))
        result = descend(problem, GradientDescent(lr), stopping)
        if result.converged:
            cap.add(threshold, [result.iterations])
        results.append(result)
    return results


@pytest.mark.slow
@pytest.mark.parametrize("problem", [Matrix(), Quadratic(dimension=4, mu=0.1)], ids=["matrix", "q"])
@settings(max_examples=share(40, 2))
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


@pytest.mark.slow
@given(
    st.lists(
        st.tuples(thresholds, st.lists(st.integers(0, 50), min_size=3, max_size=3)), min_size=1
    ),
    thresholds,
    st.lists(st.integers(0, 50), max_size=2),
)
def test_with_several_seeds_a_trial_has_what_the_incumbent_had_and_one_more(
    finished: list[tuple[float, list[int]]], threshold: float, made: list[int]
) -> None:
    cap = Cap(1.0)
    for tau, counts in finished:
        cap.add(tau, counts)
    rivals = [counts for tau, counts in finished if tau <= threshold]
    limit = cap.limit(threshold, made)
    if not rivals:
        assert limit is None
        return
    fewest = min(sum(counts) for counts in rivals)
    best = [counts for counts in rivals if sum(counts) == fewest]
    assert limit in {sum(counts[: len(made) + 1]) + 1 - sum(made) for counts in best}


@pytest.mark.slow
@pytest.mark.parametrize("problem", [Matrix(), Himmelblau(), Quadratic(dimension=4, mu=0.1)])
@settings(max_examples=share(40))
@given(
    pairs=st.lists(st.tuples(st.floats(0.002, 6), thresholds), min_size=1, max_size=25),
    factor=st.sampled_from([1.0, 1.5, 2.0]),
    block=st.sampled_from([None, 1, 7, 50]),
    chunk=st.sampled_from([None, 1, 4]),
)
def test_capped_rows_of_a_batch_are_what_they_are_one_after_the_other(
    problem: Problem,
    pairs: list[tuple[float, float]],
    factor: float,
    block: int | None,
    chunk: int | None,
) -> None:
    one_by_one, cap = swept(pairs, factor, problem), Cap(factor)
    batch = descend_batch(
        problem,
        [GradientDescent(lr) for lr, _ in pairs],
        [Stopping(threshold, max_iterations=400) for _, threshold in pairs],
        cap=cap,
        block=block,
        chunk=chunk,
    )
    for row, (alone, together) in enumerate(zip(one_by_one, batch, strict=True)):
        assert (together.status, together.iterations) == (alone.status, alone.iterations)
        assert together.trace.tobytes() == alone.trace.tobytes()
        assert together.final.numpy().tobytes() == alone.final.numpy().tobytes()
        assert together.hitting_time == alone.hitting_time == batch.hitting_time[row]
        assert together.stopping.limit == alone.stopping.limit
    after = Cap(factor)
    for result in one_by_one:
        if result.converged:
            after.add(result.threshold, [result.iterations])
    assert [cap.limit(t) for t in (1e-8, 1e-4, 1)] == [after.limit(t) for t in (1e-8, 1e-4, 1)]
