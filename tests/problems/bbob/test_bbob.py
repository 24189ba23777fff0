"""What the functions of bbob promise beside COCO's values."""

from __future__ import annotations

import math
from itertools import product

import pytest
import torch

from gdexp import (
    BadInput,
    Bbob,
    GradientDescent,
    Stopping,
    check_problem,
    descend,
    descend_batch,
    exact_count,
    gradient_error,
)
from gdexp.descent.portable import choice
from gdexp.experiment import Experiment
from gdexp.problems.bbob import FORMULAS, random_numbers
from gdexp.problems.constants import PORTABLE, TORCH
from gdexp.problems.transformed import Transformed
from gdexp.theory import stability_limit
from tests.support.commands import composed
from tests.support.long_form import some

F64, CPU = torch.float64, torch.device("cpu")
FUNCTIONS = range(1, 25)
NOT_UNIQUE = {5, 7, 16, 23}
RUGGED = {16, 19, 23}
"""Their slopes change within the steps of `gradient_error`."""


def gradient(problem: Bbob, x: torch.Tensor) -> torch.Tensor:
    x = x.clone().requires_grad_()
    (found,) = torch.autograd.grad(problem.loss(x).sum(), (x,))
    return found


def points(dimension: int, count: int = 20) -> torch.Tensor:
    generator = torch.Generator().manual_seed(dimension)
    return 11 * torch.rand(count, dimension, dtype=F64, generator=generator) - 5.5


@pytest.mark.slow
@pytest.mark.parametrize("function", FUNCTIONS)
def test_the_minimum_has_two_decimals_and_is_reached_at_the_minimiser(function: int) -> None:
    for instance, dimension in some([*product((1, 2, 15), (2, 3, 20))], 4):
        problem = Bbob(function, instance, dimension)
        for each in (problem, problem.portable_form()):
            assert each.f_star is not None
            assert each.x_star is not None
            assert each.f_star == round(each.f_star, 2) == problem.f_star
            assert abs(each.f_star) <= 1000
            assert each.x_star.abs().max() <= 5
            loss = float(each.loss(each.x_star))
            assert loss == pytest.approx(each.f_star, rel=1e-12, abs=1e-12)


@pytest.mark.slow
@pytest.mark.parametrize("function", FUNCTIONS)
def test_no_loss_near_the_minimiser_or_elsewhere_is_below_the_minimum(function: int) -> None:
    for dimension in (2, 5):
        problem = Bbob(function, 4, dimension)
        assert problem.x_star is not None
        assert problem.f_star is not None
        least = problem.f_star - 1e-12 * max(1.0, abs(problem.f_star))
        spread = points(dimension, 200)
        for scale in (1.0, 1e-1, 1e-3, 1e-6, 1e-9):
            assert float(problem.loss(problem.x_star + scale * spread).min()) >= least
        assert float(problem.loss(spread).min()) >= least


@pytest.mark.slow
@pytest.mark.parametrize("function", sorted({*FUNCTIONS} - RUGGED))
def test_the_gradient_agrees_with_differences(function: int) -> None:
    for dimension in (2, 5):
        problem = Bbob(function, 3, dimension)
        errors = sorted(gradient_error(problem, x) for x in points(dimension, 5))
        assert errors[2] < 1e-4  # a step across a kink, or over an oscillation, is no error


@pytest.mark.parametrize(("function", "step"), [(16, 1e-9), (19, 1e-9)])
def test_the_gradient_of_a_rugged_function_agrees_with_small_differences(
    function: int, step: float
) -> None:
    problem = Bbob(function, 3, 2)
    for x in points(2, 5):
        steps = step * torch.eye(2, dtype=F64)
        slopes = (problem.loss(x + steps) - problem.loss(x - steps)) / (2 * step)
        found = gradient(problem, x)
        assert torch.allclose(found, slopes, rtol=0, atol=2e-3 * float(found.abs().max()))


def test_the_gradient_of_katsuura_is_its_formula() -> None:
    n = 3
    problem = Bbob(23, 2, n)
    for x in points(n, 5).clamp(-5, 5):
        z = problem.first @ (x - problem.shift)
        scaled = 2.0 ** torch.arange(1, 33, dtype=F64) * z[:, None]
        rest = scaled - torch.floor(scaled + 0.5)
        series = (rest.abs() / scaled.abs() * z[:, None].abs()).sum(1)
        factors = 1 + torch.arange(1, n + 1, dtype=F64) * series
        slopes = torch.arange(1, n + 1, dtype=F64) * rest.sign().sum(1) / factors
        power = 10 / n**1.2
        wanted = 10 / n**2 * factors.prod() ** power * power * (slopes @ problem.first)
        assert torch.allclose(gradient(problem, x), wanted, rtol=1e-9)


@pytest.mark.slow
@pytest.mark.parametrize("function", FUNCTIONS)
def test_the_gradient_is_finite_at_the_minimiser_and_stationary(function: int) -> None:
    for dimension in (2, 20):
        problem = Bbob(function, 1, dimension)
        assert problem.x_star is not None
        assert float(gradient(problem, problem.x_star).abs().max()) < 1e-6


def test_the_gradient_is_finite_where_there_is_no_derivative() -> None:
    ridge = Bbob(13, 1, 3)
    along = torch.linalg.solve(ridge.first, torch.tensor([0.5, 0.0, 0.0], dtype=F64))
    assert gradient(ridge, ridge.shift + along).isfinite().all()
    slope = Bbob(5, 1, 3)
    assert gradient(slope, slope.shift).tolist() == [0, 0, 0]
    assert gradient(slope, 1.5 * slope.shift).tolist() == [0, 0, 0]
    for function in FUNCTIONS:
        problem = Bbob(function, 1, 3)
        for x in (torch.zeros(3, dtype=F64), problem.start(0).to(F64)):
            assert gradient(problem, x).isfinite().all()


def test_f7_has_almost_no_gradient() -> None:
    problem = Bbob(7, 1, 5)
    inside = points(5, 200).clamp(-5, 5)
    slopes = gradient(problem, inside).abs().amax(1)
    assert int((slopes == 0).sum()) >= 198
    assert float(slopes.max()) <= 1e-4
    assert problem.x_star is not None
    assert 0 < float(gradient(problem, problem.x_star + 1e-3).abs().max()) < 1e-4


def test_the_sphere_has_a_constant_hessian() -> None:
    assert Bbob(1).curvature == (2.0, 2.0)
    assert all(Bbob(function).curvature is None for function in range(2, 25))


@pytest.mark.slow
@pytest.mark.parametrize("function", sorted({*FUNCTIONS} - RUGGED))
def test_every_function_keeps_its_promises(function: int) -> None:
    check_problem(
        Bbob(function, 5, 5), seeds=(0,), tolerance=1e-2, batches=(1, 7, 33), threads=(1,)
    )


@pytest.mark.slow
@pytest.mark.parametrize("function", FUNCTIONS)
def test_a_row_of_a_batch_is_the_descent_alone(function: int) -> None:
    problem = Bbob(function, 5, 7)
    for dtype in (torch.float32, F64):
        moved, rows = problem.to(dtype, CPU), points(7, 33).to(dtype)
        losses, gradients = moved.loss(rows), gradient(moved, rows)
        for i in (0, 1, 15, 31, 32):  # of whole vectors, and of their remainder
            assert torch.equal(moved.loss(rows[i]), losses[i])
            assert torch.equal(gradient(moved, rows[i]), gradients[i])


@pytest.mark.slow
@pytest.mark.parametrize("function", FUNCTIONS)
def test_every_function_is_portable(function: int) -> None:
    for dtype in (torch.float32, F64):
        problem = Bbob(function, 1, 5)
        choice.find_plan(problem, GradientDescent(1e-6), dtype, CPU, problem.start(0))


@pytest.mark.parametrize("functions", [TORCH, PORTABLE])
@pytest.mark.parametrize("n", [2, 3, 20])
def test_rotations_are_orthogonal(functions: object, n: int) -> None:
    matrix = random_numbers.rotation(functions, 1_010_008, n)  # type: ignore[arg-type]
    assert torch.allclose(matrix @ matrix.T, torch.eye(n, dtype=F64), atol=1e-11)


def test_random_numbers_have_the_moments_of_their_distributions() -> None:
    uniform = random_numbers.uniform(10_001, 20_000)
    assert 0 < float(uniform.min()) < float(uniform.max()) < 1
    assert float(uniform.mean()) == pytest.approx(0.5, abs=0.01)
    assert float(uniform.var()) == pytest.approx(1 / 12, abs=0.002)
    normal = random_numbers.gaussian(TORCH, 10_001, 20_000)
    assert float(normal.mean()) == pytest.approx(0, abs=0.03)
    assert float(normal.std()) == pytest.approx(1, abs=0.03)
    ours = random_numbers.gaussian(PORTABLE, 10_001, 20_000)
    assert torch.allclose(ours, normal, rtol=1e-14, atol=1e-14)


def test_the_peak_of_schwefel_is_the_root_of_its_equation() -> None:
    problem = Bbob(20, 1, 4)
    assert problem.x_star is not None
    x = problem.x_star.clone().requires_grad_()
    (found,) = torch.autograd.grad(problem.loss(x), (x,))
    assert float(found.abs().max()) < 1e-9
    root = math.sqrt(420.968746359982)
    assert math.tan(root) == pytest.approx(-root / 2, rel=1e-12)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"function": 0}, "function=0: must be an integer from 1 to 24"),
        ({"function": 25}, "function=25: must be an integer from 1 to 24"),
        ({"instance": 0}, "instance=0: must be an integer from 1 to 100000"),
        ({"dimension": 1}, "dimension=1: must be an integer from 2 to 1000"),
        ({"x0": [1.0]}, "x0=(1,): must have shape (2,)"),
    ],
)
def test_bad_arguments_are_refused(arguments: dict, message: str) -> None:
    with pytest.raises(BadInput) as error:
        Bbob(**arguments)
    assert str(error.value).startswith(message)


@pytest.mark.slow
def test_a_config_takes_float64_and_float32_is_answered_with_a_warning() -> None:
    chosen = ["problem=bbob", "problem.function=24", "problem.instance=3", "problem.dimension=5"]
    chosen += ["optimizer.lr=1e-6", "stopping.threshold=1e-8"]
    assert Experiment.from_config(composed(*chosen)).dtype is F64
    assert Experiment.from_config(composed(*chosen)).threshold_warning() is None
    single = Experiment.from_config(composed(*chosen, "dtype=float32"))
    warning = single.threshold_warning()
    assert warning is not None
    assert warning.endswith("dtype=float64 goes lower")


def test_theory_counts_the_iterations_on_the_sphere() -> None:
    problem, rule, stopping = Bbob(1, 4, 3), GradientDescent(0.3), Stopping(1e-8)
    found = descend(problem, rule, stopping, dtype=F64)
    assert found.iterations == exact_count(problem, rule, stopping, found.initial)
    assert stability_limit(problem, rule) == 1


def test_theory_uses_a_hessian_only_where_there_is_one() -> None:
    known = {f for f in FUNCTIONS if stability_limit(Bbob(f, 1, 3), GradientDescent()) is not None}
    assert known == {1, 8, 9, 12, 19, 20, 24}
    moved = Transformed(Bbob(2, 1, 3), rotation_seed=1)
    assert stability_limit(moved, GradientDescent()) is None


@pytest.mark.slow
@pytest.mark.parametrize("engine", ["torch", "portable"])
def test_a_descent_of_a_rotated_function_is_the_same_in_a_batch(engine: str) -> None:
    problem, stopping = Bbob(10, 1, 4), Stopping(1e-8, 30)
    rules = [GradientDescent(lr) for lr in (1e-7, 4e-7, 1e-3)]
    together = descend_batch(problem, rules, stopping, dtype=F64, engine=engine)
    for i, rule in enumerate(rules):
        alone = descend(problem, rule, stopping, dtype=F64, engine=engine)
        assert together[i].trace.tobytes() == alone.trace.tobytes()


def test_a_rotation_keeps_the_minimum() -> None:
    inner = Bbob(10, 1, 4)
    problem = Transformed(inner, rotation_seed=1)
    assert problem.f_star == inner.f_star
    assert problem.x_star is not None
    assert float(problem.loss(problem.x_star)) == pytest.approx(inner.f_star, abs=1e-9)


def test_every_function_has_a_title_and_some_have_other_minimisers() -> None:
    assert len({formula.title for formula in FORMULAS}) == 24
    assert {f for f in FUNCTIONS if not Bbob(f).unique} == NOT_UNIQUE
