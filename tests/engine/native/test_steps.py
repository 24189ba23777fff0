"""Native code makes the steps of `Rows`, with the bits of the interpreted way."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable

import numpy as np
import pytest

from gdexp.engine.native import CompiledPlans, NativeEngine
from gdexp.engine.plan import Plan
from gdexp.engine.rows import Block, Code, Rows
from tests.engine.native import oracle, plans
from tests.engine.native.random_programs import random_plan

HOST, PLAIN = ("unrolled", "host"), ("loops", "baseline")


def assert_same(
    plan: Plan, coefficients: list[float], until: int, forms: list[tuple[str, str]]
) -> Rows:
    """Advance three descents at once by the oracle, in two blocks by native code; compare."""
    n = int(np.prod(plan.shape))
    x = np.random.default_rng(3).normal(size=(3, n))
    constant = np.array(coefficients, plan.dtype).reshape(1, 1, -1)
    wanted, losses = Rows.begin(plan, x), np.zeros((3, until + 1))
    oracle.advance(plan, wanted, Block(until, constant, trace=losses))
    for form, cpu in forms:
        rows, trace = Rows.begin(plan, x), np.zeros((3, until + 1))
        engine = NativeEngine(plan, form=form, cpu=cpu)
        engine.advance(rows, Block(until // 3, constant, trace=trace))
        engine.advance(rows, Block(until, constant, trace=trace))
        assert oracle.differences(rows, wanted) == [], (form, cpu)
        assert trace.tobytes() == losses.tobytes(), (form, cpu)
    return wanted


@pytest.mark.slow
@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("n", [9, 16, 37])
def test_a_matrix_descends_with_the_same_bits(n: int, dtype: str) -> None:
    plan = plans.gd_plan(dtype, (n,), plans.matrix(n))
    assert_same(plan, [0.3 * n], 25, [HOST] if n == 16 else [PLAIN] if n == 37 else [HOST, PLAIN])


@pytest.mark.slow
@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_a_quadratic_with_momentum_has_the_same_bits(dtype: str) -> None:
    assert_same(plans.momentum_plan(dtype, (7,), plans.quadratic(7)), [0.1, 0.9], 20, [HOST, PLAIN])


@pytest.mark.slow
@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_reversed_views_gathers_scatters_and_bits_are_the_same(dtype: str) -> None:
    assert_same(plans.gd_plan(dtype, (12,), plans.gathers(12)), [0.1], 12, [HOST, PLAIN])


@pytest.mark.slow
def test_long_products_and_trees_in_loops_are_the_same() -> None:
    """Sums of 70, 64, 16 and 331 numbers take each way that a tree can be written in loops."""
    loops = [("loops", "host")]
    assert_same(plans.momentum_plan("float32", (70,), plans.quadratic(70)), [0.1, 0.9], 3, loops)
    assert_same(plans.momentum_plan("float64", (49,), plans.network()), [0.1, 0.9], 3, loops)
    assert_same(plans.gd_plan("float32", (31,), plans.regression(331, 31)), [0.5], 3, loops)


@pytest.mark.slow
@pytest.mark.parametrize("form", [HOST, PLAIN])
def test_a_line_search_makes_trials_that_are_no_iterations(form: tuple[str, str]) -> None:
    rows = assert_same(plans.searching("float32", 5), [3.0], 12, [form])
    assert (rows.evaluations > 13).all()
    assert (rows.k == 13).all()


@pytest.mark.slow
@pytest.mark.parametrize("seed", [4, 9])
def test_random_programs_have_the_same_bits(seed: int) -> None:
    plan = random_plan(seed, ("float32", "float64")[seed % 2], 12)
    assert_same(plan, [0.3], 9, [HOST, PLAIN])


def stopping(rows: Rows, seed: int) -> None:
    """Give every row another stopping rule."""
    draw, count = np.random.default_rng(seed), len(rows.k)
    rows.threshold[:] = 10.0 ** draw.uniform(-6, 1, count)
    rows.goal[:] = rows.threshold * 10.0 ** -draw.choice([0, 0, 1, 4, 40], count)
    rows.f_star[:] = draw.choice([0.0, 0.0, 1e-3, 0.5], count)
    rows.limit[:] = draw.choice([7, 64, 1000, 1000], count)
    rows.max_iterations[:] = rows.limit + draw.choice([0, 20], count)
    rows.midway_at[:] = draw.integers(-1, 20, count)
    rows.constant_since[:] = draw.choice([0, 0, 5, 33], count)


def ended(advance: Callable[[Plan, Rows, Block], None]) -> list[tuple[Rows, bytes]]:
    """Descents that end for every reason, after each of six blocks, with their traces."""
    plan, count = plans.gd_plan("float32", (9,), plans.matrix(9)), 40
    draw = np.random.default_rng(8)
    lr = draw.choice([0.5, 3.0, 4.4, 9.0, 9.5, 40.0, 0.0], (count, 1, 1)).astype(np.float32)
    rows = Rows.begin(plan, draw.normal(size=(count, 9)))
    stopping(rows, 1)
    found = []
    for until in (0, 1, 2, 9, 40, 100):
        trace = np.zeros((count, until + 1))
        advance(plan, rows, Block(until, lr, trace=trace))
        found.append((oracle.copied(rows), trace.tobytes()))
        rows.checked[::2] = rows.code[::2] == Code.BELOW
    return found


def native(
    form: str, cpu: str, threads: int, shared: CompiledPlans
) -> Callable[[Plan, Rows, Block], None]:
    def advance(plan: Plan, rows: Rows, block: Block) -> None:
        engine = NativeEngine(plan, form=form, cpu=cpu, threads=threads, compiled=shared)
        engine.advance(rows, block)

    return advance


@pytest.mark.slow
def test_rows_end_alike_for_every_reason() -> None:
    """Thresholds, goals, limits, cycles (lr 9), stalls (lr 0), divergence, waits below f*."""
    wanted = ended(oracle.advance)
    shared = CompiledPlans()
    for form, cpu, threads in ((*HOST, 1), (*HOST, 2), (*PLAIN, 1), (*PLAIN, 2)):
        advance = native(form, cpu, threads, shared)
        for (rows, trace), (same, losses) in zip(ended(advance), wanted, strict=True):
            assert oracle.differences(rows, same) == []
            assert trace == losses
    last = wanted[-1][0]
    assert set(last.code) == {int(code) for code in Code}
    assert {1, 2} <= set(last.period)
    assert ((last.hit_k >= 0) & (last.code != Code.CONVERGED)).any()


def test_coefficients_differ_by_row_and_iteration() -> None:
    plan = plans.momentum_plan("float64", (3,), plans.matrix(3))
    draw = np.random.default_rng(5)
    x, given = draw.normal(size=(4, 3)), draw.uniform(0.1, 0.9, (4, 21, 2))
    wanted, rows = Rows.begin(plan, x), Rows.begin(plan, x)
    oracle.advance(plan, wanted, Block(20, given))
    engine = NativeEngine(plan)
    engine.advance(rows, Block(8, given[:, :9]))
    engine.advance(rows, Block(20, given[:, 9:].copy(), first=10))
    assert oracle.differences(rows, wanted) == []
    engine.advance(rows, Block(30, given[:1, :1].copy()))
    oracle.advance(plan, wanted, Block(30, given[:1, :1].copy()))
    assert oracle.differences(rows, wanted) == []


def test_a_trace_may_begin_later_and_is_left_alone_elsewhere() -> None:
    plan = plans.gd_plan("float32", (9,), plans.matrix(9))
    engine, lr = NativeEngine(plan), np.ones((1, 1, 1), np.float32)
    x = np.random.default_rng(6).normal(size=(2, 9))
    rows, whole = Rows.begin(plan, x), np.zeros((2, 31))
    engine.advance(rows, Block(30, lr, trace=whole))
    parts = np.full((2, 25), -1.0)
    rows = Rows.begin(plan, x)
    engine.advance(rows, Block(9, lr))
    engine.advance(rows, Block(30, lr, trace=parts, trace_first=8))
    assert np.array_equal(parts[:, 2:23], whole[:, 10:])
    assert (parts[:, :2] == -1).all()
    assert (parts[:, 23:] == -1).all()


def test_a_block_that_lacks_numbers_is_refused() -> None:
    plan = plans.gd_plan("float32", (9,), plans.matrix(9))
    engine, lr = NativeEngine(plan), np.ones((1, 1, 1), np.float32)
    rows = Rows.begin(plan, np.zeros((2, 9)))
    with pytest.raises(ValueError, match="no place for iterations 0 to 9"):
        engine.advance(rows, Block(9, lr, trace=np.zeros((2, 9))))
    with pytest.raises(ValueError, match="coefficients are missing"):
        engine.advance(rows, Block(9, lr.repeat(9, 1)))
    with pytest.raises(ValueError, match="the coefficients are float64"):
        engine.advance(rows, Block(9, lr.astype(np.float64)))
    wrong = dataclasses.replace(rows, x=np.zeros((9, 2), np.float32).T)
    with pytest.raises(ValueError, match=r"rows\.x is"):
        engine.advance(wrong, Block(9, lr))


def test_engines_share_compiled_plans() -> None:
    plan, shared = plans.gd_plan("float32", (9,), plans.matrix(9)), CompiledPlans()
    NativeEngine(plan, compiled=shared)
    again = plans.gd_plan("float32", (9,), plans.matrix(9))
    NativeEngine(again, compiled=shared, threads=2)
    assert len(shared.known) == 1
