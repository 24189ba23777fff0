"""`check_problem` finds each broken promise and says which."""

from __future__ import annotations

import pytest
import torch

from gdexp.core.errors import BadInput
from gdexp.problems.base import Problem
from gdexp.problems.custom import FunctionProblem
from gdexp.problems.gradient_check import gradient_error
from gdexp.problems.problem_check import CheckFailed, check_problem


class Wrong(torch.autograd.Function):
    """A square whose gradient is one percent too large."""

    @staticmethod
    def forward(ctx: object, x: torch.Tensor) -> torch.Tensor:
        ctx.save_for_backward(x)  # type: ignore[attr-defined]
        return x * x

    @staticmethod
    def backward(ctx: object, *grads: torch.Tensor) -> torch.Tensor:
        (x,) = ctx.saved_tensors  # type: ignore[attr-defined]
        return grads[0] * 2.02 * x


class Bowl(Problem):
    shape = (3,)
    batchable = True
    f_star = 0.0

    def loss(self, x: torch.Tensor) -> torch.Tensor:
        return (x * x).sum(-1)


def failure(problem: Problem) -> str:
    with pytest.raises(CheckFailed) as error:
        check_problem(problem)
    assert isinstance(error.value, AssertionError)
    assert "\n" not in str(error.value)
    return str(error.value)


def test_a_right_problem_passes_in_silence() -> None:
    check_problem(Bowl())


def test_a_wrong_gradient_is_named() -> None:
    problem = FunctionProblem(lambda x: Wrong.apply(x).sum(), shape=(2,))
    assert "its gradient is off by 0.0099" in failure(problem)
    assert gradient_error(problem, problem.start(0)) == pytest.approx(0.02 / 2.02, rel=1e-6)


def test_a_tiny_wrong_gradient_is_seen_too() -> None:
    problem = FunctionProblem(lambda x: 1e-9 * Wrong.apply(x).sum(), shape=(2,))
    assert "its gradient is off by" in failure(problem)


def test_a_minimum_that_is_too_high_is_named() -> None:
    problem = Bowl()
    problem.f_star = 100.0
    assert "is below its f_star 100.0" in failure(problem)


def test_a_minimiser_that_is_not_stationary_is_named() -> None:
    problem = Bowl()
    problem.x_star = torch.ones(3)
    assert "its x_star is not stationary: the gradient there is 2" in failure(problem)


def test_a_minimum_that_the_minimiser_does_not_have_is_named() -> None:
    problem = Bowl()
    problem.f_star, problem.x_star = -1.0, torch.zeros(3)
    assert "the loss at x_star is 0.0, its f_star is -1.0" in failure(problem)


def test_a_batch_that_is_summed_as_a_whole_is_named() -> None:
    problem = FunctionProblem(lambda x: (x * x).sum(), shape=(2,), batchable=True)
    assert "in a batch of 1 (float32) its loss has shape ()" in failure(problem)


def test_a_row_that_depends_on_its_neighbours_is_named() -> None:
    def loss(x: torch.Tensor) -> torch.Tensor:
        return x.square().sum(-1) * (1 + 1e-7 * (x.ndim - 1))

    problem = FunctionProblem(loss, shape=(2,), batchable=True)
    assert "is not its own" in failure(problem)


def test_a_loss_that_is_no_scalar_is_refused() -> None:
    with pytest.raises(BadInput, match="must be a scalar"):
        check_problem(FunctionProblem(lambda x: x, shape=(2,)))


def test_a_start_of_another_shape_is_named() -> None:
    class Elsewhere(Bowl):
        def start(self, seed: int) -> torch.Tensor:
            return torch.zeros(2)

    assert "it starts with shape (2,), not (3,)" in failure(Elsewhere())


def test_the_thread_count_is_left_as_it_was() -> None:
    before = torch.get_num_threads()
    check_problem(Bowl())
    assert torch.get_num_threads() == before


def test_a_loss_that_is_not_finite_has_an_infinite_gradient_error() -> None:
    problem = FunctionProblem(lambda x: torch.log(x).sum(), x0=[-1.0])
    assert gradient_error(problem, problem.start(0)) == float("inf")


def test_a_power_that_rounds_differently_at_the_end_of_a_vector_is_caught() -> None:
    claimed = FunctionProblem(lambda x: (x**4).sum(-1), shape=(5,), batchable=True)
    with pytest.raises(CheckFailed, match="is not its own"):
        check_problem(claimed)
