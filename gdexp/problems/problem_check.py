"""A check of what a problem declares, for the tests of user-defined problems."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager

import torch

from gdexp.core import GdexpError
from gdexp.problems.base import ROUNDING, Problem, first_loss
from gdexp.problems.gradient_check import gradient_error

CPU = torch.device("cpu")

EDGE = 8
"""The rows checked at each end of a large batch: whole SIMD vectors and the remainder."""

SMALL = 128
"""The largest batch of which all rows are checked."""

COORDINATES = 48
"""The entries of a gradient that are compared with differences at each point."""


class CheckFailed(GdexpError, AssertionError):
    """A problem does not keep a promise; the message names the problem and the promise."""


def check_problem(
    problem: Problem,
    *,
    seeds: Sequence[int] = (0, 1, 2),
    tolerance: float = 1e-6,
    batches: Sequence[int] = (1, 2, 7, 64),
    threads: Sequence[int] = (1, 2),
) -> None:
    """Check what a problem declares; return nothing when all of it holds.

    ::

        from gdexp import FunctionProblem, check_problem

        def test_my_problem() -> None:
            check_problem(FunctionProblem(lambda x: (x**2).sum(), shape=2, f_star=0.0))

    The loss is a scalar that depends on x. Its gradient agrees with differences in float64. With
    `batchable`, each row of a batch has the same loss and gradient as the row alone, bit for bit,
    in float32 and float64. No loss is below f*. x* is stationary and its loss is f*.

    Args:
        problem: the problem to check.
        seeds: the seeds of the starting points at which loss and gradient are checked.
        tolerance: the largest relative error of the gradient (see `gradient_error`). Raise it
            for a loss with kinks.
        batches: the sizes of the batches that are compared with single rows.
        threads: the thread counts of torch under which they are compared.

    Raises:
        CheckFailed: the first promise that does not hold, in one line.
        BadInput: the loss is not a scalar function of x.
    """
    double = problem.to(torch.float64, CPU)
    points = [point.to(torch.float64) for point in _points(problem, seeds)]
    for point in points:
        _check_shape(problem, point)
        first_loss(double, point.clone().requires_grad_())
        error = gradient_error(problem, point, COORDINATES)
        if not error <= tolerance:
            raise _failure(problem, f"its gradient is off by {error:.2g}, over {tolerance:g}")
    losses = [float(double.loss(point)) for point in points]
    _check_minimum(problem, double, losses, points[0])
    if problem.batchable:
        for dtype in (torch.float32, torch.float64):
            for size in batches:
                _check_rows(problem.to(dtype, CPU), points[0].to(dtype), size, threads)


def _points(problem: Problem, seeds: Sequence[int]) -> Iterator[torch.Tensor]:
    """Yield the start of every seed, and a random point near the first one."""
    for seed in seeds:
        yield problem.start(seed)
    first = problem.start(seeds[0])
    yield _around(first, 1, seeds[0])[0]


def _around(point: torch.Tensor, size: int, seed: int) -> torch.Tensor:
    generator = torch.Generator().manual_seed(seed)
    noise = torch.rand(size, *point.shape, generator=generator, dtype=torch.float64)
    return (point + (noise - 0.5)).to(point.dtype)


def _check_shape(problem: Problem, point: torch.Tensor) -> None:
    if problem.shape and tuple(point.shape) != tuple(problem.shape):
        raise _failure(
            problem, f"it starts with shape {tuple(point.shape)}, not {tuple(problem.shape)}"
        )


def _check_minimum(
    problem: Problem, double: Problem, losses: list[float], start: torch.Tensor
) -> None:
    f_star = problem.f_star
    if f_star is not None and min(losses) < f_star - ROUNDING * max(1.0, abs(f_star)):
        raise _failure(problem, f"a loss of {min(losses)!r} is below its f_star {f_star!r}")
    if double.x_star is None:
        return
    if problem.shape and tuple(double.x_star.shape) != tuple(problem.shape):
        raise _failure(problem, f"its x_star has shape {tuple(double.x_star.shape)}")
    loss, gradient = _loss_and_gradient(double, double.x_star)
    _, at_start = _loss_and_gradient(double, start)
    slope = float(gradient.abs().max())
    if not slope <= 1e-6 * max(1.0, float(at_start.abs().max())):
        raise _failure(problem, f"its x_star is not stationary: the gradient there is {slope:.2g}")
    if f_star is not None and not abs(float(loss) - f_star) <= 1e-9 * max(1.0, abs(f_star)):
        raise _failure(problem, f"the loss at x_star is {float(loss)!r}, its f_star is {f_star!r}")


def _check_rows(problem: Problem, point: torch.Tensor, size: int, threads: Sequence[int]) -> None:
    """Compare rows of a batch with the same rows alone: all of them, or those at both ends."""
    rows = _around(point, size, size)
    chosen = [i for i in range(size) if size <= SMALL or i < EDGE or i >= size - EDGE]
    together, alone = [], []
    for count in threads:
        with _thread_count(count):
            together.append(_loss_and_gradient(problem, rows))
            alone.append([_loss_and_gradient(problem, rows[i]) for i in chosen])
    where = f"in a batch of {size} ({str(point.dtype).removeprefix('torch.')})"
    for losses, gradients in together:
        if tuple(losses.shape) != (size,):
            raise _failure(problem, f"{where} its loss has shape {tuple(losses.shape)}")
        for singles in alone:
            for i, (loss, gradient) in zip(chosen, singles, strict=True):
                if not _same(loss, losses[i]):
                    raise _failure(problem, f"{where} the loss of row {i} is not its own")
                if not _same(gradient, gradients[i]):
                    raise _failure(problem, f"{where} the gradient of row {i} is not its own")


def _loss_and_gradient(problem: Problem, x: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    x = x.detach().clone().requires_grad_()
    with torch.enable_grad():
        loss = problem.loss(x)
        (gradient,) = torch.autograd.grad(loss.sum(), (x,))
    return loss.detach(), gradient


def _same(a: torch.Tensor, b: torch.Tensor) -> bool:
    """Return whether all bits are equal, those of -0.0 and of NaNs included."""
    return a.numpy().tobytes() == b.numpy().tobytes()


@contextmanager
def _thread_count(n: int) -> Iterator[None]:
    before = torch.get_num_threads()
    torch.set_num_threads(n)
    try:
        yield
    finally:
        torch.set_num_threads(before)


def _failure(problem: Problem, what: str) -> CheckFailed:
    return CheckFailed(f"problem {problem.name}: {what}")
