"""A loss below f* is no convergence; an absolute threshold may be negative."""

from __future__ import annotations

import math
from dataclasses import replace
from fractions import Fraction

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from gdexp import (
    FunctionProblem,
    GradientDescent,
    Matrix,
    Problem,
    Stopping,
    descend,
    descend_batch,
)
from gdexp.core.errors import BadInput
from gdexp.descent.cap import Cap
from gdexp.descent.stopping import Status, hitting_time, projected_time
from gdexp.problems.registry import PROBLEMS

pytestmark = pytest.mark.usefixtures("each_engine")

LOW = -13.0


class Pit(Problem):
    """Of the user's own: the smallest loss is -13."""

    name = "pit"
    shape = (2,)
    batchable = True

    def __init__(self, f_star: float | str | None = None) -> None:
        super().__init__([3.0, 4.0])
        self.declare_minimum(f_star)

    def loss(self, x: torch.Tensor) -> torch.Tensor:
        return (x * x).sum(-1) + LOW


SLOW = GradientDescent(lr=0.01)


ABOVE = [
    (f_star, dtype) for f_star in (None, 0.0, -12.9) for dtype in (torch.float32, torch.float64)
]
ONE_ULP = (-13 + 1e-6, torch.float64)
"""In float32 this is one rounding error of a loss near 13, and forgiven."""


@pytest.mark.slow
@pytest.mark.parametrize(("f_star", "dtype"), [*ABOVE, ONE_ULP])
def test_a_loss_below_f_star_is_no_convergence(f_star: float | None, dtype: torch.dtype) -> None:
    result = descend(Pit(f_star), GradientDescent(lr=0.5), Stopping(1e-9), dtype=dtype)
    assert result.status is Status.BELOW_MINIMUM
    assert not result.converged
    assert result.hitting_time == 10 * result.stopping.max_iterations
    assert f"loss {result.final_loss:.6g} is below {f_star or 0:g}" in str(result)
    assert "declare" in str(result)
    assert "f_star=absolute" in str(result)


def test_a_start_below_nothing_declared_is_found_at_once() -> None:
    result = descend(FunctionProblem(lambda x: -x.sum(), x0=[1.0, 2.0]))
    assert (result.status, result.iterations) == (Status.BELOW_MINIMUM, 0)


def test_with_the_right_f_star_the_same_descent_converges() -> None:
    result = descend(Pit(LOW), SLOW, Stopping(1e-5), dtype="float64")
    assert result.converged
    assert 0 <= result.final_loss - LOW <= 1e-5


@pytest.mark.slow
@pytest.mark.parametrize("dtype", ["float32", "bfloat16"])
def test_no_shipped_problem_is_below_its_own_minimum(dtype: str) -> None:
    for make in PROBLEMS.values():
        problem = make()
        near = None if problem.x_star is None else problem.x_star.double() * (1 + 2.0**-20)
        for x0, lr in ((near, 1e-3), (None, 0.4)):
            stopping = Stopping(1e-14, max_iterations=12)
            result = descend(problem, GradientDescent(lr=lr), stopping, x0=x0, dtype=dtype)
            assert result.status is not Status.BELOW_MINIMUM, f"{problem.name}: {result}"


def test_rounding_below_a_declared_minimum_is_forgiven() -> None:
    """In float32 this loss falls below 0 near its minimum, by the rounding of larger terms."""

    def loss(x: torch.Tensor) -> torch.Tensor:
        return (x * x - 200 * x + 10_000).sum()

    x0 = [100.002, 99.999]
    x = torch.tensor(x0)
    below = min(float(loss(x + d)) for d in torch.linspace(-0.01, 0.01, 201))
    assert below < 0
    start = next(x + d for d in torch.linspace(-0.01, 0.01, 201) if float(loss(x + d)) < 0)
    declared = descend(FunctionProblem(loss, x0=start, f_star=0.0))
    assert declared.converged
    assert descend(FunctionProblem(loss, x0=start)).status is Status.BELOW_MINIMUM


def test_a_loss_that_takes_its_own_dtype_alone_is_judged_by_that() -> None:
    weights = torch.tensor([[1.0, 0.0], [0.0, 1.0]])

    def loss(x: torch.Tensor) -> torch.Tensor:
        return x @ weights @ x + LOW

    for f_star, status in ((-13.0, Status.CONVERGED), (-12.9, Status.BELOW_MINIMUM)):
        problem = FunctionProblem(loss, x0=[1.0, 1.0], f_star=f_star)
        assert descend(problem, GradientDescent(lr=0.5), Stopping(1e-6)).status is status


@pytest.mark.slow
def test_rows_of_a_batch_end_as_they_do_alone() -> None:
    rules = [GradientDescent(lr=lr) for lr in np.geomspace(5e-3, 1.2, 10)]
    stops = [Stopping(10 ** -(i % 5), max_iterations=70) for i in range(10)]
    stops[::3] = [replace(stop, continue_to=stop.threshold / 100) for stop in stops[::3]]
    statuses = set()
    for f_star in (None, 0.0, LOW, -12.0, "absolute"):
        if f_star == "absolute":
            stops = [Stopping(i - 13.01, 70, absolute=True) for i in range(10)]
        problem = Pit(f_star)
        for block in (None, 7):
            batch = descend_batch(problem, rules, stops, dtype="float64", block=block)
            for i, (rule, stop) in enumerate(zip(rules, stops, strict=True)):
                alone = descend(problem, rule, stop, dtype="float64")
                row = batch[i]
                assert (row.status, row.iterations) == (alone.status, alone.iterations)
                assert row.hitting_time == alone.hitting_time == batch.hitting_time[i]
                assert row.trace.tobytes() == alone.trace.tobytes()
                assert torch.equal(row.final, alone.final)
                statuses.add(row.status)
    assert statuses >= {Status.BELOW_MINIMUM, Status.CONVERGED, Status.MAX_ITERATIONS}


def test_a_row_below_the_minimum_caps_no_other() -> None:
    cap = Cap(1.0)
    rules = [GradientDescent(lr=lr) for lr in (0.5, 0.01, 0.02)]
    batch = descend_batch(Pit(), rules, Stopping(1e-5, max_iterations=50), cap=cap)
    assert cap.limit(1e-5) is None
    assert set(batch.counts) == {Status.BELOW_MINIMUM}


def test_absolute_thresholds_may_be_negative_and_anything_else_may_not() -> None:
    result = descend(Pit("absolute"), SLOW, Stopping(-12.5, absolute=True), dtype="float64")
    assert result.converged
    assert result.final_loss <= -12.5 < result.trace[-2]
    before, after = result.trace[-2:]
    share = (before + 12.5) / (before - after)
    assert result.hitting_time == pytest.approx(result.iterations - 1 + share, rel=1e-12)
    with pytest.raises(BadInput, match="must be > 0"):
        Stopping(-12.5)
    with pytest.raises(BadInput, match="only with a problem whose f_star is absolute"):
        descend(Matrix(), SLOW, Stopping(1.0, absolute=True))
    with pytest.raises(BadInput, match="must be a number, null, or absolute"):
        Pit("absolutely")


finite = st.floats(-1e308, 1e308)


@pytest.mark.slow
@given(st.lists(finite, min_size=1, max_size=8), finite)
def test_the_linear_hitting_time_lies_in_the_step_that_meets_the_threshold(
    losses: list[float], threshold: float
) -> None:
    trace = np.array(losses)
    time = hitting_time(trace, threshold, absolute=True)
    hits = np.flatnonzero(trace <= threshold)
    if not hits.size:
        assert time is None
        return
    k = int(hits[0])
    assert time == 0 if k == 0 else k - 1 < float(time or 0) <= k
    if k and trace[k - 1] - trace[k] < math.inf:
        before, after, wanted = (Fraction(float(v)) for v in (trace[k - 1], trace[k], threshold))
        assert time == pytest.approx(float(k - 1 + (before - wanted) / (before - after)), abs=1e-9)


def test_a_linear_fall_is_projected_to_where_it_would_arrive() -> None:
    trace = np.linspace(0, -10, 11)
    stopping = Stopping(-25.0, max_iterations=10, absolute=True)
    assert projected_time(trace, stopping, Status.MAX_ITERATIONS) == pytest.approx(25)
    rising = projected_time(-trace, stopping, Status.MAX_ITERATIONS)
    assert rising == 100


def test_a_loss_that_changes_x_is_refused_by_name(each_engine: str) -> None:
    calls = 0

    def at_once(x: torch.Tensor) -> torch.Tensor:
        with torch.no_grad():
            x.mul_(0.5)
        return (x * x).sum()

    def past_the_version(x: torch.Tensor) -> torch.Tensor:
        x.data.mul_(0.5)
        return (x * x).sum()

    def late(x: torch.Tensor) -> torch.Tensor:
        nonlocal calls
        calls += 1
        if calls > 20:
            with torch.no_grad():
                x.add_(1e-3)
        return (x * x).sum()

    for loss in (at_once, past_the_version, late):
        engine = "torch" if loss is late else each_engine  # only torch calls it so often
        with pytest.raises(BadInput, match=f"problem={loss.__name__}: its loss changes x in place"):
            descend(FunctionProblem(loss, shape=2), SLOW, engine=engine)


class Shifting(Pit):
    """Changes the rows of a batch."""

    name = "shifting"

    def loss(self, x: torch.Tensor) -> torch.Tensor:
        with torch.no_grad():
            x[..., 0] += 0.25
        return super().loss(x)


def test_a_loss_that_changes_the_rows_of_a_batch_is_refused() -> None:
    with pytest.raises(BadInput, match="problem=shifting: its loss changes x in place"):
        descend_batch(Shifting(0.0), [SLOW, GradientDescent(lr=0.02)], Stopping(1e-5))


def test_a_loss_that_differs_without_a_change_of_x_is_not_refused() -> None:
    noise = torch.Generator().manual_seed(0)

    def loss(x: torch.Tensor) -> torch.Tensor:
        return (x * x).sum() * (1 + torch.rand((), generator=noise))

    assert descend(FunctionProblem(loss, shape=2), SLOW, Stopping(1e-2)).converged
