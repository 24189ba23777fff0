"""A rotated or shifted problem is the same problem elsewhere."""

from __future__ import annotations

import pytest
import torch

from gdexp.core.errors import BadInput
from gdexp.descent.single_descent import descend
from gdexp.descent.stopping import Stopping
from gdexp.optimizers.momentum import GradientDescent, Momentum
from gdexp.problems.base import Problem
from gdexp.problems.factorization import Factorization
from gdexp.problems.function import Function
from gdexp.problems.landscapes import Booth, Rosenbrock
from gdexp.problems.matrix import Matrix
from gdexp.problems.problem_check import check_problem
from gdexp.problems.quadratic import Quadratic
from gdexp.problems.registry import PROBLEMS
from gdexp.problems.regression import Ols
from gdexp.problems.transformed import Transformed
from gdexp.theory.counts import count_with_margin
from tests.support import names
from tests.support.long_form import share

F64, CPU = torch.float64, torch.device("cpu")
ROTATABLE = [name for name in names.PROBLEMS if name != "factorization"]


@pytest.mark.slow
@pytest.mark.parametrize("name", ROTATABLE)
def test_a_rotated_and_shifted_problem_keeps_its_promises(name: str) -> None:
    inner = PROBLEMS[name]()
    problem = Transformed(inner, rotation_seed=3, shift=0.5)
    check_problem(problem, seeds=(0,))
    assert problem.f_star == inner.f_star
    assert problem.curvature == inner.curvature
    assert problem.name == name
    assert not problem.batchable


@pytest.mark.slow
@pytest.mark.parametrize("name", names.PROBLEMS)
def test_a_shifted_problem_stays_batchable(name: str) -> None:
    problem = Transformed(PROBLEMS[name](), shift=-1.25)
    assert problem.batchable == PROBLEMS[name].batchable
    check_problem(problem, seeds=(0,))


@pytest.mark.slow
@pytest.mark.parametrize("name", ROTATABLE)
def test_the_start_has_the_same_loss(name: str) -> None:
    inner = PROBLEMS[name]()
    problem = Transformed(inner, rotation_seed=1, shift=2.0)
    before = inner.to(F64, CPU).loss(inner.start(5).to(F64)).item()
    assert problem.to(F64, CPU).loss(problem.start(5)).item() == pytest.approx(before, rel=1e-12)


@pytest.mark.parametrize("n", [1, 2, 3, 10, 100])
def test_a_rotation_is_orthogonal_and_reproducible(n: int) -> None:
    rotation = Transformed(Quadratic(n, 1.0, 1.0), rotation_seed=7).rotation
    again = Transformed(Quadratic(n, 1.0, 1.0), rotation_seed=7).rotation
    other = Transformed(Quadratic(n, 1.0, 1.0), rotation_seed=8).rotation
    assert rotation is not None
    assert again is not None
    assert other is not None
    assert torch.allclose(rotation @ rotation.T, torch.eye(n, dtype=F64), atol=1e-13)
    assert torch.equal(rotation, again)
    assert n == 1 or not torch.allclose(rotation, other)


@pytest.mark.slow
@pytest.mark.parametrize("rule", [GradientDescent(lr=1.5), Momentum(lr=1.0, momentum=0.7)])
@pytest.mark.parametrize("seed", range(share(5, 2)))
def test_counts_do_not_change_under_rotation(rule: GradientDescent, seed: int) -> None:
    inner, stopping = Quadratic(dimension=8, mu=0.02), Stopping(threshold=1e-7)
    problem = Transformed(inner, rotation_seed=seed, shift=0.25)
    known = count_with_margin(inner, rule, stopping, inner.start(0))
    assert known is not None
    assert known.margin > 1e-6
    plain = descend(inner, rule, stopping, dtype=F64)
    moved = descend(problem, rule, stopping, dtype=F64)
    assert plain.iterations == moved.iterations == known.count
    assert count_with_margin(problem, rule, stopping, problem.start(0)).count == known.count  # type: ignore[union-attr]


def test_a_nonlinear_problem_descends_the_same_way_when_rotated() -> None:
    problem = Transformed(Rosenbrock(), rotation_seed=2, shift=[3.0, -1.0])
    stopping = Stopping(threshold=1.0)
    plain = descend(Rosenbrock(), GradientDescent(lr=1e-3), stopping, dtype=F64)
    moved = descend(problem, GradientDescent(lr=1e-3), stopping, dtype=F64)
    assert moved.trace == pytest.approx(plain.trace, rel=1e-6)


def test_a_start_of_the_inner_problem_is_mapped() -> None:
    problem = Transformed(Booth(x0=[1.0, 3.0]), shift=[10.0, 20.0])
    assert problem.start(0).tolist() == [11.0, 23.0]
    assert problem.x_star is not None
    assert problem.x_star.tolist() == [11.0, 23.0]


def test_a_rotation_hides_parts_and_a_shift_does_not() -> None:
    assert Transformed(Ols(), rotation_seed=0).parts() == []
    assert Transformed(Ols(), shift=1.0).parts() == Ols().parts()


def test_the_curve_is_that_of_the_inner_weights() -> None:
    inner = Function()
    problem = Transformed(inner, rotation_seed=0, shift=0.1).to(F64, CPU)
    curve = problem.curve(problem.start(0))
    wanted = inner.to(F64, CPU).curve(inner.start(0).to(F64))
    assert curve is not None
    assert torch.allclose(curve.fitted, wanted.fitted)


def test_the_target_moves_along() -> None:
    problem = Transformed(Matrix(), shift=1.0)
    assert problem.target is not None
    assert torch.allclose(problem.target, Matrix().target + 1)


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: Transformed(Booth(), shift="1"), "shift=1: must be a number"),
        (lambda: Transformed(Booth(), shift=[1.0]), "shift=[1.0]: must be one number or a list"),
        (lambda: Transformed(Booth(), rotation_seed=-1), "rotation_seed=-1: must be an integer"),
        (
            lambda: Transformed(Factorization(), rotation_seed=0),
            "rotation_seed=0: rotates at most 4096 variables, not 9305",
        ),
    ],
)
def test_a_transformation_that_cannot_be_is_refused(make: type[Problem], message: str) -> None:
    with pytest.raises(BadInput) as error:
        make()
    assert str(error.value).startswith(message)
