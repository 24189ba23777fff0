"""`stopping.measure=gradient_norm`: a descent ends where the gradient is small."""

from __future__ import annotations

import math
from collections.abc import Callable
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from gdexp import (
    Adam,
    FunctionProblem,
    GradientDescent,
    Matrix,
    Momentum,
    OptimizedGradientG,
    Problem,
    Quadratic,
    Result,
    Rosenbrock,
    Status,
    Stopping,
    descend,
    descend_batch,
)
from gdexp.core import BadInput
from gdexp.descent import EVALUATIONS, GRADIENTS, cost_at, hitting_cost
from gdexp.descent.portable import engine
from gdexp.engine import InterpretedEngine, NativeEngine, gradient_norm
from gdexp.optimizers import Armijo, ogm_g_sequence
from gdexp.theory import exact_count
from tests.descent.test_saved_descents import At, Kill, assert_same

MEASURE = "gradient_norm"
ENGINES = pytest.mark.parametrize("engine", ["portable", "torch"])


def by_hand(problem: Problem, lr: float, threshold: float) -> list[float]:
    """Return the norms of gradient descent in float64, until one is within the threshold."""
    converted = problem.to(torch.float64, torch.device("cpu"))
    x, norms = problem.start(0).double(), []
    while True:
        x = x.detach().requires_grad_()
        (gradient,) = torch.autograd.grad(converted.loss(x), x)
        norms.append(float(torch.linalg.vector_norm(gradient)))
        if norms[-1] <= threshold:
            return norms
        x = x.detach() - lr * gradient


@ENGINES
@pytest.mark.parametrize(("problem", "lr"), [(Matrix(), 1.0), (Quadratic(), 1.5)])
def test_a_descent_ends_at_the_first_small_gradient(
    problem: Problem, lr: float, engine: str
) -> None:
    norms, until = by_hand(problem, lr, 1e-3), Stopping(1e-3, measure=MEASURE)
    result = descend(problem, GradientDescent(lr), until, dtype="float64", engine=engine)
    assert result.status is Status.CONVERGED
    assert result.engine == engine
    assert result.gradient_norms is not None
    assert result.gradient_norms == pytest.approx(norms, rel=1e-9)
    assert len(result.trace) == len(norms) == result.iterations + 1
    above, last = math.log(norms[-2]), math.log(norms[-1])
    part = (above - math.log(1e-3)) / (above - last)
    assert result.hitting_time == pytest.approx(result.iterations - 1 + part, rel=1e-9)
    assert result.final_gradient_norm == result.gradient_norms[-1] <= 1e-3
    assert f"gradient norm {result.final_gradient_norm:.6g} <= 0.001" in str(result)
    # The losses are those of any other descent.
    never = descend(
        problem,
        GradientDescent(lr),
        Stopping(1e-300, result.iterations),
        dtype="float64",
        engine=engine,
    )
    assert never.gradient_norms is None
    assert result.trace.tobytes() == never.trace.tobytes()


def pseudo_huber(x: torch.Tensor) -> torch.Tensor:
    """Return Σ √(1 + x²) - 1: convex, with second derivatives of at most 1."""
    return ((1 + x * x).sqrt() - 1).sum()


@ENGINES
@pytest.mark.parametrize("n", [1, 5, 20])
@pytest.mark.parametrize("name", ["quadratic", "pseudo-Huber"])
def test_ogm_g_is_within_the_bound_of_kim_and_fessler(name: str, n: int, engine: str) -> None:
    """|∇f(x_N)|² <= 2 L (f(x0) - f*) / θ_0² <= 4 L (f(x0) - f*) / (N + 1)², theorem 6.1."""
    smoothness = 1.0  # the largest curvature of both
    problem: Problem = Quadratic()
    if name == "pseudo-Huber":
        problem = FunctionProblem(pseudo_huber, x0=[2.0, -0.5, 30.0], f_star=0.0)
    else:
        assert problem.curvature == (0.01, smoothness)
    rule = OptimizedGradientG(1 / smoothness, horizon=n)
    until = Stopping(1e-300, n, measure=MEASURE)
    result = descend(problem, rule, until, dtype="float64", engine=engine)
    assert result.gradient_norms is not None
    gap, theta = float(result.trace[0]) - problem.reference, float(ogm_g_sequence(n)[0])
    assert len(result.gradient_norms) == n + 1
    assert result.gradient_norms[n] ** 2 <= 2 * smoothness * gap / theta**2
    assert 2 / theta**2 <= 4 / (n + 1) ** 2
    # So with the bound as its threshold the method converges within N updates.
    bound = math.sqrt(2 * smoothness * gap) / theta
    judged = descend(
        problem, rule, Stopping(bound, n, measure=MEASURE), dtype="float64", engine=engine
    )
    assert judged.status is Status.CONVERGED
    assert judged.iterations <= n


@ENGINES
def test_ogm_g_attains_the_bound_on_a_parabola(engine: str) -> None:
    problem = FunctionProblem(lambda x: 0.5 * (x * x).sum(), x0=[3.0], f_star=0.0)
    for n in (3, 10):
        rule, until = OptimizedGradientG(1.0, horizon=n), Stopping(1e-300, n, measure=MEASURE)
        result = descend(problem, rule, until, dtype="float64", engine=engine)
        bound = math.sqrt(2 * 4.5) / float(ogm_g_sequence(n)[0])
        assert result.final_gradient_norm == pytest.approx(bound, rel=1e-12)


def test_ogm_g_makes_the_updates_of_the_paper() -> None:
    problem, n = Quadratic(), 30
    theta = [1.0]
    while len(theta) <= n:
        theta.insert(0, (1 + math.sqrt(1 + (8 if len(theta) == n else 4) * theta[0] ** 2)) / 2)
    assert problem.curvature is not None
    lr, converted = 1 / problem.curvature[1], problem.to(torch.float64, torch.device("cpu"))
    x = y = problem.start(0).double()
    norms = []
    for a, b in [*pairwise(theta), (1.0, 1.0)]:
        x = x.requires_grad_()
        (gradient,) = torch.autograd.grad(converted.loss(x), x)
        norms.append(float(torch.linalg.vector_norm(gradient)))
        x, share = x.detach(), (2 * b - 1) / (2 * a - 1)
        following = x - lr * gradient
        x = following + (a - 1) / a * share * (following - y) + share * (following - x)
        y = following
    threshold = norms[n // 2] * 1.0001
    first = next(k for k, norm in enumerate(norms) if norm <= threshold)
    rule, until = OptimizedGradientG(lr, horizon=n), Stopping(threshold, n, measure=MEASURE)
    result = descend(problem, rule, until, dtype="float64")
    assert result.iterations == first
    assert result.gradient_norms == pytest.approx(norms[: first + 1], rel=1e-10)


CASES: list[tuple[Problem, Any, Stopping]] = [
    (Matrix(), GradientDescent(1.0), Stopping(1e-3, measure=MEASURE)),
    (Matrix(), GradientDescent(1.0), Stopping(1e-2, 500, continue_to=1e-5, measure=MEASURE)),
    (Quadratic(), Momentum(0.5), Stopping(1e-9, 60, measure=MEASURE)),
    (Quadratic(dimension=3), GradientDescent(30.0), Stopping(1e-3, measure=MEASURE)),
    (Quadratic(dimension=40), Adam(0.1), Stopping(1e-2, 70, measure=MEASURE)),
    (Rosenbrock(), Armijo(0.1), Stopping(1e-1, 20, measure=MEASURE)),
]


@pytest.mark.parametrize("place", range(len(CASES)))
def test_all_ways_have_the_same_bits(place: int, monkeypatch: pytest.MonkeyPatch) -> None:
    problem, rule, until = CASES[place]
    dtype = ["float32", "float64"][place % 2]
    alone = descend(problem, rule, until, dtype=dtype, engine="portable")
    batch = descend_batch(problem, [rule] * 3, until, dtype=dtype, engine="portable", block=7)
    bare = descend_batch(
        problem, [rule] * 3, until, dtype=dtype, engine="portable", keep_traces=False
    )
    found = [batch[1]]
    made: list[Callable[[Any], Any]] = [
        InterpretedEngine,
        lambda plan: NativeEngine(plan, form="loops", optimise=False),
        lambda plan: NativeEngine(plan, cpu="baseline", optimise=False),
    ]
    for make in made:
        with monkeypatch.context() as patch:
            patch.setattr(engine, "runner", lambda prepared, *_, make=make: make(prepared.plan))
            found.append(descend(problem, rule, until, dtype=dtype, engine="portable"))
    assert alone.gradient_norms is not None
    assert len(alone.gradient_norms) == len(alone.trace)
    for other in found:
        assert_same(alone, other)
        assert other.gradient_norms is not None
        assert other.gradient_norms.tobytes() == alone.gradient_norms.tobytes()
        assert (other.min_loss, other.max_loss) == (alone.min_loss, alone.max_loss)
    assert bare.gradient_norms is None
    assert bare.hitting_time.tolist() == [alone.hitting_time] * 3
    assert bare.iterations.tolist() == [alone.iterations] * 3


@ENGINES
def test_rows_of_a_batch_equal_descents_alone(engine: str) -> None:
    rates = [0.5, 1.0, 4.0, 30.0]
    rules = [GradientDescent(rate) for rate in rates]
    batch = descend_batch(
        Matrix(), rules, Stopping(1e-3, 300), seeds=[0, 1, 2, 3], engine=engine, measure=MEASURE
    )
    for row, rule in enumerate(rules):
        alone = descend(
            Matrix(), rule, Stopping(1e-3, 300), seed=row, engine=engine, measure=MEASURE
        )
        assert_same(alone, batch[row])
        assert alone.gradient_norms is not None
        norms = batch[row].gradient_norms
        assert norms is not None
        assert norms.tobytes() == alone.gradient_norms.tobytes()
        assert batch.hitting_time[row] == alone.hitting_time
    assert {batch.status(row) for row in range(4)} == {Status.CONVERGED, Status.DIVERGED}


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_a_norm_neither_overflows_nor_vanishes(dtype: torch.dtype) -> None:
    info = torch.finfo(dtype)
    for size in (info.max / 8, info.tiny, info.tiny * info.eps, 1.0, 3e-12):
        gradient = torch.tensor([3.0, 0.0, -4.0], dtype=torch.float64) * size / 4
        made = gradient.to(dtype)
        expected = torch.linalg.vector_norm(made.double() / size) * size
        assert gradient_norm(made) == pytest.approx(float(expected), rel=1e-6)
    assert gradient_norm(torch.zeros(3, dtype=dtype)) == 0.0
    for wrong in (math.nan, math.inf):
        assert math.isnan(gradient_norm(torch.tensor([1.0, wrong], dtype=dtype)))
    # Where nothing overflows or vanishes it is the root of the sum of squares, to the last bit.
    numbers = torch.rand(4, dtype=dtype, generator=torch.Generator().manual_seed(5))
    a, b, c, d = (numbers * numbers).numpy()
    assert gradient_norm(numbers) == float(np.sqrt((a + c) + (b + d)))


@ENGINES
@pytest.mark.parametrize("scale", [1e-30, 1e30])
def test_small_and_large_gradients_are_measured_in_float32(scale: float, engine: str) -> None:
    problem = FunctionProblem(lambda x: (scale * x * x).sum(), x0=[0.5, 0.25], f_star=0.0)
    until = Stopping(1e-3 * scale, 500, measure=MEASURE)
    result = descend(problem, GradientDescent(0.05 / scale), until, engine=engine)
    assert result.status is Status.CONVERGED
    assert result.gradient_norms is not None
    assert result.gradient_norms[0] == pytest.approx(scale * math.hypot(1.0, 0.5), rel=1e-6)
    assert result.iterations == math.ceil(math.log(1e-3 / math.hypot(1, 0.5)) / math.log(0.9))


@ENGINES
def test_no_minimum_is_needed(engine: str) -> None:
    def loss(x: torch.Tensor) -> torch.Tensor:
        return (x * x).sum() - 7.0

    for f_star in (None, "absolute"):
        problem = FunctionProblem(loss, x0=[1.0, 2.0], f_star=f_star)  # type: ignore[arg-type]
        until = Stopping(1e-2, measure=MEASURE)
        result = descend(problem, GradientDescent(0.1), until, engine=engine)
        assert result.status is Status.CONVERGED
        assert result.final_loss < 0
        assert not result.stopping.absolute


def test_thresholds_are_of_norms_and_costs_count_the_last_gradient() -> None:
    result = descend(Quadratic(), GradientDescent(1.0), Stopping(1e-2), measure=MEASURE)
    norms = result.gradient_norms
    assert norms is not None
    assert result.iterations_to(0.1) == int(np.flatnonzero(norms <= 0.1)[0])
    assert result.iterations_to(1e-3) is None
    assert result.at_least(1e-3) == result.iterations + 1
    assert cost_at(result, GRADIENTS, 5) == cost_at(result, EVALUATIONS, 5) == 6
    assert hitting_cost(result, GRADIENTS) == pytest.approx(result.hitting_time + 1)
    assert result.curve(MEASURE)[:, 1].tolist() == norms.tolist()
    with pytest.raises(BadInput, match="has no exact count"):
        exact_count(Quadratic(), GradientDescent(1.0), result.stopping, result.initial)


@ENGINES
@pytest.mark.parametrize("rule", [GradientDescent(lr=0.3), Armijo(lr=0.1)])
def test_a_saved_descent_goes_on_with_the_same_bits(
    rule: Any,
    engine: str,
    tmp_path: Path,
) -> None:
    from gdexp.descent import descend

    until = Stopping(1e-2, 900, continue_to=1e-30, measure=MEASURE)
    whole = descend(Quadratic(), rule, until, engine=engine)
    with pytest.raises(Kill):
        descend(Quadratic(), rule, until, engine=engine, checkpoints=At(tmp_path, {2}, 3))
    resumed = At(tmp_path)
    again = descend(Quadratic(), rule, until, engine=engine, checkpoints=resumed)
    assert resumed.resumed_at
    assert_same(whole, again)
    assert whole.gradient_norms is not None
    assert again.gradient_norms is not None
    assert again.gradient_norms.tobytes() == whole.gradient_norms.tobytes()


def test_what_has_no_gradient_norm_is_refused() -> None:
    with pytest.raises(BadInput, match="measure=loss: choose from gap, gradient_norm, rel"):
        Stopping(measure="loss")
    with pytest.raises(BadInput, match="with metric=loss"):
        Stopping(measure=MEASURE, metric="accuracy")
    with pytest.raises(BadInput, match="must have one measure in a batch"):
        descend_batch(Matrix(), stopping=[Stopping(), Stopping(measure=MEASURE)])


def test_a_result_says_its_measure() -> None:
    result: Result = descend(Matrix(), stopping=Stopping(1e-2), measure=MEASURE)
    assert result.stopping.goal_text() == "gradient norm <= 0.01"
    assert "final gradient norm" in result._repr_html_()
