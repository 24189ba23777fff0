"""Monitors hear the readings of descents, and end them where they say; patience and time do so."""

from __future__ import annotations

import math
import random
import time
from collections.abc import Mapping
from dataclasses import replace

import numpy as np
import pytest

from gdexp import GradientDescent, Matrix, Result, Stopping, descend, descend_batch
from gdexp.core import BadInput
from gdexp.descent import Cap, Monitor, Monitors, Plateau, Status

ENGINES = pytest.mark.parametrize("engine", ["torch", "portable"])


class Ends:
    """Ends a descent at the first reading from an iteration on."""

    def __init__(self, at: float = math.inf, status: Status | None = None) -> None:
        self.at, self.status = at, status or Status.PRUNED
        self.heard: list[tuple[int, float]] = []

    def reading(
        self, iteration: int, metrics: Mapping[str, float], seconds: float
    ) -> Status | None:
        assert metrics.keys() == {"loss"}
        assert seconds >= 0
        self.heard.append((iteration, metrics["loss"]))
        return self.status if iteration >= self.at else None


def _same(one: Result, other: Result) -> bool:
    return (
        one.status is other.status
        and one.iterations == other.iterations
        and np.array_equal(one.trace, other.trace, equal_nan=True)
        and np.array_equal(one.final.numpy(), other.final.numpy(), equal_nan=True)
        and one.hitting_time == other.hitting_time
    )


@pytest.mark.slow
@ENGINES
@pytest.mark.parametrize("at", [0, 1, 7, 300, 1000])
def test_ended_descent_is_the_start_of_the_whole_one(engine: str, at: int) -> None:
    rule, stopping = GradientDescent(lr=0.01), Stopping(max_iterations=5000, every=1)
    monitor = Ends(at)
    ended = descend(Matrix(), rule, stopping, engine=engine, monitor=monitor)
    capped = descend(Matrix(), rule, replace(stopping, cap=at), engine=engine)
    assert ended.status is Status.PRUNED
    assert _same(replace(ended, status=Status.CAPPED), capped)
    assert monitor.heard == list(enumerate(ended.trace.tolist()))
    assert ended.at_least(1e-5) == at + 1  # censored: neither reached nor failed


@ENGINES
def test_readings_are_every_so_many_updates(engine: str) -> None:
    monitor = Ends()
    whole = descend(Matrix(), GradientDescent(lr=0.01), engine=engine, monitor=monitor)
    assert whole.converged
    assert monitor.heard == [(k, whole.trace[k]) for k in range(0, whole.iterations + 1, 50)]


@ENGINES
def test_its_own_end_counts_before_the_monitors(engine: str) -> None:
    rule, stopping = GradientDescent(lr=0.5), Stopping(every=1)
    free = descend(Matrix(), rule, stopping, engine=engine)
    monitor = Ends(free.iterations)
    assert _same(descend(Matrix(), rule, stopping, engine=engine, monitor=monitor), free)
    assert len(monitor.heard) == free.iterations + 1
    limited = replace(stopping, max_iterations=free.iterations - 1)
    monitor = Ends(limited.max_iterations)
    ended = descend(Matrix(), rule, limited, engine=engine, monitor=monitor)
    assert ended.status is Status.MAX_ITERATIONS


@pytest.mark.slow
@ENGINES
@pytest.mark.parametrize("seed", range(4))
def test_rows_of_a_batch_end_as_alone(engine: str, seed: int) -> None:
    chosen, rows, problem = random.Random(seed), 16, Matrix()
    factor, further = [None, 1, 2, 1][seed], [None, 1e-7, None, 1e-7][seed]
    rules = [GradientDescent(lr=10 ** chosen.uniform(-3, 1.3)) for _ in range(rows)]
    stoppings = [
        Stopping(
            threshold=10 ** chosen.uniform(-6, -2),
            max_iterations=chosen.choice([50, 1500]),
            every=chosen.choice([1, 7, 50]),
            patience=chosen.choice([None, 3]),
            min_delta=chosen.choice([0.0, 1e-3]),
            continue_to=further,
        )
        for _ in range(rows)
    ]
    ends = [chosen.choice([0, 1, 3, 17, 100, 500, math.inf]) for _ in range(rows)]
    monitors: list[Monitor] = [Ends(at) for at in ends]
    batch = descend_batch(
        problem, rules, stoppings, engine=engine, monitors=monitors, cap=Cap(factor)
    )
    cap = Cap(factor)
    for row, (rule, stopping, at) in enumerate(zip(rules, stoppings, ends, strict=True)):
        limit = cap.limit(stopping.threshold)
        if limit is not None and limit < stopping.limit:
            stopping = replace(stopping, cap=limit)
        alone = descend(problem, rule, stopping, engine=engine, monitor=Ends(at))
        if alone.converged:
            cap.add(stopping.threshold, [alone.iterations])
        assert _same(batch[row], alone), (row, batch[row], alone)
        assert batch.hitting_time[row] == alone.hitting_time
        assert batch[row].stopping == stopping


@ENGINES
def test_patience_ends_on_a_plateau(engine: str) -> None:
    stopping = Stopping(every=2, patience=3, min_delta=0.5)
    ended = descend(Matrix(), GradientDescent(lr=0.01), stopping, engine=engine)
    assert (ended.status, ended.iterations) == (Status.PLATEAU, 6)
    patient = replace(stopping, min_delta=0.0)
    assert descend(Matrix(), GradientDescent(lr=0.5), patient, engine=engine).converged


@pytest.mark.slow
@ENGINES
def test_time_ends_between_updates(engine: str) -> None:
    stopping = Stopping(threshold=1e-30, max_iterations=10**9, max_seconds=0.2)
    began = time.perf_counter()
    ended = descend(Matrix(), GradientDescent(lr=1e-6), stopping, engine=engine)
    assert 0.2 <= time.perf_counter() - began < 2
    assert ended.status is Status.OUT_OF_TIME
    cap = replace(stopping, max_seconds=None, cap=ended.iterations)
    capped = descend(Matrix(), GradientDescent(lr=1e-6), cap, engine=engine)
    assert np.array_equal(capped.trace, ended.trace)
    batch = descend_batch(
        Matrix(), [GradientDescent(lr=1e-6)] * 2, replace(stopping, max_seconds=0.05), engine=engine
    )
    assert batch.counts == {Status.OUT_OF_TIME: 2}
    assert batch.iterations.min() > 0


def test_what_is_an_improvement() -> None:
    def heard(plateau: Plateau, *values: float) -> list[Status | None]:
        return [plateau.reading(k, {"loss": v, "a": -v}, 0) for k, v in enumerate(values)]

    nan, end = math.nan, Status.PLATEAU
    assert heard(Plateau(2), 3, 3, 2, 2, 2) == [None, None, None, None, end]
    assert heard(Plateau(2, 0.5), 3, 2.6, 2.5) == [None, None, end]
    assert heard(Plateau(3), nan, 3, nan, 2, nan, nan, nan)[-2:] == [None, end]
    assert heard(Plateau(2), nan, nan) == [None, end]
    assert heard(Plateau(1, metric="a", maximize=True), 3, 2, 2) == [None, None, end]
    again = Plateau(2)
    assert heard(again, 3, 4) == heard(again, 3, 4)  # a descent that begins again
    rare = Plateau(1)
    assert rare.reading(0, {}, 0) is None
    assert rare.reading(1, {"loss": 1.0}, 0) is None
    assert rare.reading(2, {}, 0) is None
    both = Monitors([Ends(1), Ends(0, Status.PLATEAU)])
    assert both.reading(0, {"loss": 1.0}, 0) is Status.PLATEAU
    assert both.reading(1, {"loss": 1.0}, 0) is Status.PRUNED


def test_bad_values() -> None:
    for key, value in (
        ("every", 0),
        ("patience", 0),
        ("min_delta", -1.0),
        ("max_seconds", 0),
        ("max_epochs", 0),
    ):
        with pytest.raises(BadInput, match=key):
            Stopping(**{key: value})  # type: ignore[arg-type]
    with pytest.raises(BadInput, match="has no epochs"):
        descend(Matrix(), stopping=Stopping(max_epochs=3))
    with pytest.raises(BadInput, match="monitors"):
        descend_batch(Matrix(), seeds=[0, 1], monitors=[None])
    with pytest.raises(BadInput, match="keep_traces"):
        descend_batch(Matrix(), stopping=Stopping(patience=3), keep_traces=False)
