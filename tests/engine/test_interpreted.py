"""The interpreted way makes the steps of `Rows`, word for word."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Callable

import numpy as np
import pytest
import torch

from gdexp.core import GdexpError
from gdexp.engine.interpreted import InterpretedEngine
from gdexp.engine.plan import Plan
from gdexp.engine.rows import Block, Code, Rows
from tests.engine import literal, plans

RATES = (0.3, 1.0, 4.5, 9.0, 9.5, 30.0, 1e-20, 1e30)
COUNT = 24


def rows_of(plan: Plan) -> Rows:
    """Rows that end in every way."""
    generator = np.random.default_rng(3)
    rows = Rows.begin(plan, generator.random((COUNT, *plan.shape)))
    i = np.arange(COUNT)
    rows.threshold[:] = np.array([1e-2, 1e-5, 0.3, 1e-30])[i % 4]
    rows.goal[:] = np.where(i % 3 == 0, rows.threshold / 1000, rows.threshold)
    rows.limit[:] = np.array([200, 9, 0])[(i % 7) // 3]
    rows.max_iterations[:] = 220
    rows.midway_at[:] = rows.limit // 2
    rows.f_star[i % 5 == 4] = 0.05
    rows.checked[i % 10 == 4] = 1
    rows.constant_since[i % 6 == 5] = 12
    return rows


def coefficients(plan: Plan, iterations: int) -> np.ndarray:
    table = np.empty((COUNT, iterations, plan.coefficients), np.dtype(plan.dtype))
    table[:, :, 0] = np.array(RATES)[np.arange(COUNT) % len(RATES), None]
    table[5::6, :12, 0] *= 2
    if plan.coefficients > 1:
        table[:, :, 1] = 0.5
    return table


def descended(
    plan: Plan, advance: Callable[[Rows, Block], None], blocks: list[int]
) -> tuple[Rows, np.ndarray]:
    rows, trace = rows_of(plan), np.full((COUNT, 300), np.nan)
    table = coefficients(plan, blocks[-1] + 1)
    for until in blocks:
        for _ in range(2):  # the second time for rows that waited
            advance(rows, Block(until, table, 1, trace, 0))
            waits = rows.code == Code.BELOW
            rows.checked[waits] = 1
    return rows, trace


def same(a: Rows, b: Rows) -> None:
    for field in dataclasses.fields(Rows):
        left, right = getattr(a, field.name), getattr(b, field.name)
        assert left.tobytes() == right.tobytes(), field.name


@pytest.mark.slow
@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("make", [plans.descent, plans.heavy_ball])
def test_rows_in_step_are_what_they_are_word_for_word(
    make: Callable[[str], Plan], dtype: str
) -> None:
    plan = make(dtype)
    engine = InterpretedEngine(plan)
    wanted, trace = descended(plan, lambda r, b: literal.advance(plan, r, b), [230])
    assert set(wanted.code) >= {
        Code.CONVERGED, Code.DIVERGED, Code.STALLED, Code.LIMIT
    }  # fmt: skip
    for blocks in ([230], [0, 1, 2, 30, 230], list(range(0, 231, 5))):
        rows, own = descended(plan, engine.advance, blocks)
        same(rows, wanted)
        assert own.tobytes() == trace.tobytes()


def test_flushed_subnormals_are_kept_and_the_mode_restored() -> None:
    plan = plans.descent("float32", target=[0.0])
    engine = InterpretedEngine(plan)

    def ends() -> np.ndarray:
        rows = Rows.begin(plan, np.full((1, 1), 1e-18))
        engine.advance(rows, Block(60, np.full((1, 1, 1), 0.25, np.float32)))
        return np.append(rows.x.view(np.int32).ravel(), rows.loss.view(np.int64))

    usual = ends()
    assert 0 < abs(float(Rows.begin(plan, np.full((1, 1), 1e-40)).x[0, 0])) < 1e-38
    if not torch.set_flush_denormal(True):
        return
    try:
        assert ends().tobytes() == usual.tobytes()
        assert float(torch.tensor(1e-40) * 1.0) == 0
    finally:
        torch.set_flush_denormal(False)


def test_another_rounding_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    plan = plans.descent()
    monkeypatch.setattr("gdexp.engine.processor_mode._rounds_to_nearest", lambda device: False)
    with pytest.raises(GdexpError, match="round to nearest"):
        InterpretedEngine(plan).advance(
            Rows.begin(plan, np.zeros((1, 3, 3))), Block(1, np.ones((1, 1, 1), np.float32))
        )


def test_nan_is_recorded_as_the_one_nan() -> None:
    plan = plans.descent("float32", target=[0.0])
    rows = Rows.begin(plan, np.full((1, 1), math.inf))
    rows.x[0, 0] = np.uint32(0xFFC00001).view(np.float32)
    trace = np.zeros((1, 2))
    InterpretedEngine(plan).advance(rows, Block(1, np.ones((1, 1, 1), np.float32), 1, trace))
    assert trace[0, 0].tobytes() == np.float64(math.nan).tobytes()
    assert rows.code[0] == Code.DIVERGED
