"""`continue_to`: the trace goes on after the descent converged, and nothing else changes."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch

from gdexp import (
    Adam,
    BadInput,
    BatchResult,
    GradientDescent,
    Himmelblau,
    Matrix,
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
from gdexp.descent.stopping import first_hit
from gdexp.optimizers.schedules import Warmup

pytestmark = pytest.mark.usefixtures("each_engine")


def assert_only_the_trace_goes_on(alone: Result, continued: Result) -> None:
    """Everything but the trace is as it is without `continue_to`."""
    assert continued.status is alone.status
    assert continued.iterations == alone.iterations
    assert torch.equal(continued.final.view(torch.uint8), alone.final.view(torch.uint8))
    assert continued.period == alone.period
    for name in ("hitting_time", "final_loss", "min_loss", "max_loss"):
        assert (
            np.float64(getattr(continued, name)).tobytes()
            == np.float64(getattr(alone, name)).tobytes()
        ), name
    assert continued.trace[: alone.updates + 1].tobytes() == alone.trace.tobytes()
    if not alone.converged:
        assert continued.updates == alone.updates


CASES: list[tuple[Problem, UpdateRule, Stopping, Status]] = [
    (Matrix(), GradientDescent(1.0), Stopping(1e-2), Status.CONVERGED),
    (Matrix(), GradientDescent(4.5), Stopping(1e-2, cap=1), Status.CONVERGED),
    (Matrix(), GradientDescent(1.0), Stopping(1e-2, 12), Status.CONVERGED),
    (Matrix(), GradientDescent(9.5), Stopping(1e-2), Status.DIVERGED),
    (Matrix(), GradientDescent(1.0), Stopping(1e-3, cap=3), Status.CAPPED),
    (Matrix(), GradientDescent(1.0), Stopping(1e-3, 3), Status.MAX_ITERATIONS),
    (Matrix(), GradientDescent(1e-9), Stopping(1e-3, 500), Status.STALLED),
    (Matrix(), Adam(0.3), Stopping(0.05, 4000), Status.CONVERGED),
    (Quadratic(mu=0.01), GradientDescent(1.9), Stopping(1e-2, 3000), Status.CONVERGED),
    (Himmelblau(), GradientDescent(0.01), Stopping(1.0, 400), Status.CONVERGED),
    (Rosenbrock(), Adam(0.5), Stopping(30.0, 300), Status.CONVERGED),
]


@pytest.mark.slow
@pytest.mark.parametrize(("problem", "rule", "until", "status"), CASES, ids=str)
@pytest.mark.parametrize("goal", [1e-4, 1e-9, 1e-200])
def test_status_count_and_tensor_stay_those_at_the_own_threshold(
    problem: Problem, rule: UpdateRule, until: Stopping, status: Status, goal: float
) -> None:
    alone = descend(problem, rule, until)
    continued = descend(problem, rule, replace(until, continue_to=goal))
    assert alone.status is status
    assert_only_the_trace_goes_on(alone, continued)
    if alone.converged:
        whole = descend(problem, rule, Stopping(min(goal, until.threshold), until.max_iterations))
        assert continued.trace.tobytes() == whole.trace.tobytes()


def test_what_comes_after_convergence_changes_no_status() -> None:
    """A rate that grows: the descent converges, and diverges or stalls only afterwards."""
    growing = GradientDescent(60.0, schedule=Warmup(60))
    after = descend(Matrix(), growing, Stopping(1e-3, 5000, continue_to=1e-30))
    assert after.converged
    assert not np.isfinite(after.trace[-1])
    assert after.at_least(1e-30) is None  # failed there, so not censored
    assert np.isfinite(after.max_loss)
    stalled = descend(Matrix(), GradientDescent(1.0), Stopping(1e-3, 5000, continue_to=1e-300))
    assert stalled.converged
    assert stalled.period is None
    assert stalled.updates < 5000
    assert stalled.at_least(1e-30) is None


def test_a_trace_is_censored_where_it_was_ended_and_failed_where_it_could_not_go_on() -> None:
    converged = descend(Matrix(), GradientDescent(1.0), Stopping(1e-3))
    assert converged.at_least(1e-2) is None
    assert converged.iterations_to(1e-5) is None
    assert converged.at_least(1e-5) == converged.iterations + 1
    capped = descend(Matrix(), GradientDescent(1.0), Stopping(1e-3, cap=3))
    assert capped.at_least(1e-3) == 4
    failed = descend(Matrix(), GradientDescent(1.0), Stopping(1e-3, 3))
    assert failed.at_least(1e-3) is None
    continued = descend(Matrix(), GradientDescent(1.0), Stopping(1e-3, continue_to=1e-5))
    assert (continued.iterations_to(1e-5), continued.at_least(1e-5)) == (19, None)
    assert continued.at_least(1e-6) == 20


@pytest.mark.slow
@pytest.mark.parametrize("dtype", ["float32", "float64", "bfloat16"])
def test_a_row_that_goes_on_equals_the_descent_alone(dtype: str) -> None:
    rates = [0.5, 1.0, 4.5, 9.0, 9.5, 1e-9, 3.0, 8.5]
    untils = [
        Stopping(1e-2, 90, continue_to=1e-6),
        Stopping(1e-3, 90, continue_to=1e-30),
        Stopping(0.5, 40, cap=2, continue_to=1e-5),
        Stopping(1e-3, 30, cap=4, continue_to=1e-5),
        Stopping(1e-2, 25, continue_to=1e-1),
    ]
    pairs = [(GradientDescent(lr), until) for lr in rates for until in untils]
    growing = GradientDescent(60.0, schedule=Warmup(60))
    far = Stopping(1e-3, 600, continue_to=1e-300)  # stalls, or diverges, after it converged
    pairs += [(GradientDescent(1.0), far), (growing, far), (GradientDescent(0.9), far)]
    rules, limits = [rule for rule, _ in pairs], [until for _, until in pairs]
    apart = [descend(Matrix(), rule, until, dtype=dtype) for rule, until in pairs]
    for block in (None, 1, 5, 64):
        batch = descend_batch(Matrix(), rules, limits, dtype=dtype, block=block, chunk=17)
        assert_rows_are_the_descents(batch, apart)


def assert_rows_are_the_descents(batch: BatchResult, apart: list[Result]) -> None:
    assert any(row.updates > row.iterations for row in batch)
    for i, (row, alone) in enumerate(zip(batch, apart, strict=True)):
        assert row.trace.tobytes() == alone.trace.tobytes()
        assert_only_the_trace_goes_on(row, alone)
        assert (batch.iterations[i], batch.updates[i]) == (alone.iterations, alone.updates)
        found = batch.final_loss[i], batch.min_loss[i], batch.max_loss[i], batch.hitting_time[i]
        wanted = alone.final_loss, alone.min_loss, alone.max_loss, alone.hitting_time
        assert np.array(found).tobytes() == np.array(wanted).tobytes()
        assert torch.equal(batch.final[i].view(torch.uint8), alone.final.view(torch.uint8))


@pytest.mark.parametrize("block", [None, 3])
def test_in_a_batch_the_cap_counts_to_the_own_threshold_alone(block: int | None) -> None:
    rules = [GradientDescent(lr) for lr in (1.0, 4.4, 0.5, 4.5, 0.1, 4.4)]
    thresholds = (1e-2, 1e-3, 1e-3, 1e-5, 1e-2, 1e-4)
    found = []
    for goal in (None, 1e-9):
        untils = [Stopping(tau, 500, continue_to=goal) for tau in thresholds]
        cap = Cap(1.0)
        found.append(list(descend_batch(Matrix(), rules, untils, cap=cap, block=block)))
        assert cap.limit(1e-2) == min(r.iterations for r in found[0] if r.converged)
    for alone, continued in zip(*found, strict=True):
        assert_only_the_trace_goes_on(alone, continued)
        assert continued.stopping.cap == alone.stopping.cap
        if continued.converged:
            assert continued.updates == first_hit(continued.trace, 1e-9)


def test_continue_to_must_be_a_threshold() -> None:
    for wrong in (0.0, -1.0, float("nan"), float("inf"), True, "x"):
        with pytest.raises(BadInput, match="continue_to"):
            Stopping(continue_to=wrong)  # type: ignore[arg-type]
