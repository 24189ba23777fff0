"""One descent: the notebook's numbers, closed forms, every status, and bad problems."""

from __future__ import annotations

import math
import re
from typing import Any

import numpy as np
import pytest
import torch
import torch.nn.functional as F

from gdexp import (
    Autograd,
    BadInput,
    Function,
    GradientDescent,
    Matrix,
    Momentum,
    Problem,
    Result,
    Status,
    Stopping,
    descend,
    descend_batch,
)
from tests.support.long_form import share

NOTEBOOK_X0 = [[0.0515, 0.9451, 0.0815], [0.7376, 0.7345, 0.3697], [0.9189, 0.5949, 0.6095]]
TARGET = [[0.1, 0.2, 0.3], [0.4, 0.5, 0.6], [0.7, 0.8, 0.9]]


def notebook(lr: float, threshold: float) -> list[float]:
    """The notebook's own loop, word for word in its order of operations."""
    x, target = torch.tensor(NOTEBOOK_X0, requires_grad=True), torch.tensor(TARGET)
    losses = []
    while True:
        loss = F.mse_loss(x, target)
        losses.append(loss.item())
        if loss <= threshold:
            return losses
        loss.backward()
        assert x.grad is not None
        x = (x - lr * x.grad).detach().requires_grad_()


def test_the_notebooks_start_takes_its_19_iterations_with_its_losses() -> None:
    problem, rule, until = Matrix(x0=NOTEBOOK_X0), GradientDescent(lr=1.0), Stopping(1e-5)
    result = descend(problem, rule, until)
    assert (result.iterations, result.status) == (19, Status.CONVERGED)
    assert descend(problem, rule, until, engine="torch").trace.tolist() == notebook(1.0, 1e-5)
    np.testing.assert_allclose(result.trace, notebook(1.0, 1e-5), rtol=1e-5)
    assert [f"{loss:.2e}" for loss in result.trace[[1, 2, 3, -1]]] == [
        "6.73e-02",
        "4.07e-02",
        "2.46e-02",
        "7.92e-06",
    ]


class ClosedForm:
    """Exact losses of gd on the mse, with bounds on what rounding can make of them.

    A step computes x - lr * (2/n) * (x - t) in a few operations, each with a relative error of
    at most eps. An error d of one coordinate becomes |rho| d, plus the rounding of x and of the
    step. Losses within the bounds are told apart from the threshold only when the whole
    interval lies on one side of it.
    """

    def __init__(self, x0: torch.Tensor, lr: float, eps: float) -> None:
        target = torch.tensor(TARGET, dtype=torch.float32 if eps > 1e-10 else torch.float64)
        self.target = target.double()
        self.gap = (x0.double() - self.target).numpy().ravel()
        self.rho = 1 - 2 * lr / 9
        self.lr, self.eps = lr, eps
        self.scale = np.abs(self.target.numpy().ravel())

    def bounds(self, limit: int, threshold: float) -> tuple[int | None, int | None]:
        """The first iteration that can meet the threshold, and the first that must."""
        error = np.zeros_like(self.gap)
        gap = np.abs(self.gap)
        can = must = None
        for n in range(limit + 1):
            low = np.mean(np.maximum(gap - error, 0) ** 2) * (1 - 12 * self.eps)
            high = np.mean((gap + error) ** 2) * (1 + 12 * self.eps)
            if can is None and low <= threshold:
                can = n
            if high <= threshold:
                must = n
                break
            if not math.isfinite(high) or low > 1e40:
                break
            moved = gap * abs(self.rho)
            rounding = self.eps * (self.scale + 2 * gap + 2 * moved + 4 * error)
            step = self.eps * 4 * (2 * self.lr / 9) * (gap + error)
            error = abs(self.rho) * error + rounding + step
            gap = moved
        return can, must


def random_cases(count: int, seed: int) -> list[tuple[float, float, torch.Tensor]]:
    """Learning rates on both sides of 9, thresholds over five decades, uniform starts."""
    draw = np.random.default_rng(seed)
    generator = torch.Generator().manual_seed(seed)
    return [
        (
            float(np.exp(draw.uniform(np.log(0.05), np.log(12)))),
            float(np.exp(draw.uniform(np.log(1e-7), np.log(1e-2)))),
            torch.rand(3, 3, generator=generator),
        )
        for _ in range(count)
    ]


def exact_count(lr: float, threshold: float, first: float, limit: int) -> int | None:
    """ceil(ln(tau / L0) / (2 ln|1 - 2 lr / 9|)), and None where it never arrives."""
    if first <= threshold:
        return 0
    rho = abs(1 - 2 * lr / 9)
    if rho >= 1:
        return None
    count = math.ceil(math.log(threshold / first) / (2 * math.log(rho))) if rho > 0 else 1
    return count if count <= limit else None


def unconverged(lr: float, first: float, limit: int, dtype: torch.dtype) -> Status:
    """Diverged when the exact loss leaves the dtype within the limit, else out of iterations."""
    growth = 2 * math.log(abs(1 - 2 * lr / 9))
    room = math.log(torch.finfo(dtype).max) - math.log(first)
    assert abs(growth * limit - room) > 5, "the case cannot be decided; draw another seed"
    return Status.DIVERGED if growth * limit > room else Status.MAX_ITERATIONS


@pytest.mark.slow
@pytest.mark.parametrize("engine", ["torch", "portable"])
@pytest.mark.parametrize("dtype", [torch.float64, torch.float32])
def test_random_cases_have_the_status_and_count_of_the_closed_form(
    dtype: torch.dtype, engine: str
) -> None:
    """In float64 every count is the formula's; in float32 too, unless rounding can decide.

    Whether it can is computed, not assumed: `ClosedForm.bounds` follows the largest error that
    float32 can make, and a case is "within rounding" when two counts are possible. Then the
    count must be one of them, and float64 has settled it above.
    """
    limit = 5000
    eps = torch.finfo(dtype).eps
    within, problem = 0, Matrix()
    count = share(500, 8)
    for lr, threshold, x0 in random_cases(count, seed=7):
        result = descend(
            problem,
            GradientDescent(lr=lr),
            Stopping(threshold, max_iterations=limit),
            x0=x0,
            dtype=dtype,
            engine=engine,
        )
        form = ClosedForm(x0, lr, eps)
        can, must = form.bounds(limit, threshold)
        if can != must:
            within += 1
            assert can is not None
            assert result.iterations >= can
            assert must is None or result.iterations <= must
            continue
        expected = exact_count(lr, threshold, float(np.mean(form.gap**2)), limit)
        assert can == expected
        if expected is None:
            assert not result.converged
            assert result.status is unconverged(lr, float(np.mean(form.gap**2)), limit, dtype)
        else:
            assert (result.status, result.iterations) == (Status.CONVERGED, expected)
    assert within <= (0 if dtype is torch.float64 else 0.15 * count)


@pytest.mark.parametrize("lr", [4.5, 3.0, 1.0])
def test_the_matrix_count_is_symmetric_about_four_and_a_half(lr: float) -> None:
    def count(rate: float) -> int:
        return descend(Matrix(), GradientDescent(rate), dtype="float64").iterations

    assert count(lr) == count(9 - lr)
    assert count(4.5) == 1


def test_nine_oscillates_for_ever_and_is_called_stalled_with_its_period() -> None:
    result = descend(Matrix(), GradientDescent(9.0))
    assert result.status is Status.STALLED
    assert result.period == 2
    assert "every 2 iterations" in str(result)


def test_above_nine_it_diverges_at_the_first_loss_that_is_not_finite() -> None:
    result = descend(Matrix(), GradientDescent(9.5))
    assert result.status is Status.DIVERGED
    assert np.isfinite(result.trace[:-1]).all()
    assert not np.isfinite(result.trace[-1])
    assert str(result.iterations) in str(result)


def test_a_huge_learning_rate_ends_diverged() -> None:
    assert descend(Matrix(), GradientDescent(1e300)).status is Status.DIVERGED


def test_a_threshold_below_the_floor_of_float32_stalls_with_a_repeated_loss() -> None:
    result = descend(Matrix(), GradientDescent(1.0), Stopping(1e-16))
    assert result.status is Status.STALLED
    assert result.period == 1
    assert result.trace[-1] == result.trace[-2]
    assert result.min_loss > 1e-16


def test_the_limit_ends_a_descent_after_exactly_so_many_updates() -> None:
    result = descend(Matrix(), GradientDescent(0.001), Stopping(1e-5, max_iterations=10))
    assert (result.status, result.iterations) == (Status.MAX_ITERATIONS, 10)
    assert len(result.trace) == 11
    assert result.hitting_time > 11


@pytest.mark.parametrize("cap", [0, 3])
def test_a_cap_ends_a_descent_early_and_says_so(cap: int) -> None:
    result = descend(Matrix(), GradientDescent(0.001), Stopping(1e-5, cap=cap))
    assert (result.status, result.iterations) == (Status.CAPPED, cap)
    assert result.hitting_time >= cap + 1


def test_a_start_that_meets_the_threshold_needs_no_iteration() -> None:
    result = descend(Matrix(x0=TARGET), dtype="float64")
    assert (result.status, result.iterations, result.hitting_time) == (Status.CONVERGED, 0, 0.0)
    assert torch.equal(result.initial, result.final)


def test_the_threshold_of_autograd_counts_from_its_minimum() -> None:
    result = descend(Autograd(), GradientDescent(0.25), Stopping(1e-5))
    assert result.f_star == -16
    assert result.converged
    assert result.trace[-1] + 16 <= 1e-5 < result.trace[-2] + 16


def test_losses_do_not_depend_on_being_watched() -> None:
    calls: list[int] = []

    def watch(iteration: int, trace: Any) -> int:
        calls.append(iteration)
        assert len(trace) == iteration + 1
        return iteration + 3

    watched = descend(Matrix(), watch=watch)
    assert calls == list(range(0, watched.iterations + 1, 3))
    assert watched.trace.tobytes() == descend(Matrix()).trace.tobytes()


def test_the_same_seed_is_the_same_start_in_every_dtype() -> None:
    single, double = (descend(Matrix(), seed=5, dtype=d) for d in ("float32", "float64"))
    assert torch.equal(single.initial.double(), double.initial)
    assert not torch.equal(single.initial, descend(Matrix(), seed=6).initial)


def test_momentum_follows_its_two_term_recurrence_on_one_eigenvalue() -> None:
    result = descend(
        Matrix(target=[0.0], x0=[1.0]),
        Momentum(lr=0.1, momentum=0.5),
        Stopping(1e-12),
        dtype="float64",
    )
    e, v, losses = 1.0, 0.0, [1.0]
    for _ in range(result.iterations):
        v = 0.5 * v + 2 * e
        e -= 0.1 * v
        losses.append(e * e)
    np.testing.assert_allclose(result.trace, losses, rtol=1e-9)


@pytest.mark.slow
@pytest.mark.parametrize("name", ["sine", "step", "absolute", "polynomial", "gaussian", "sawtooth"])
def test_a_networks_weights_become_the_wanted_function(name: str) -> None:
    problem = Function(name)
    result = descend(problem, Momentum(lr=0.1, momentum=0.9), Stopping(2e-2, max_iterations=5000))
    assert result.converged
    curve = problem.to(torch.float32, torch.device("cpu")).curve(result.final)
    assert float(F.mse_loss(curve.fitted, curve.wanted)) == pytest.approx(result.final_loss)
    parts = problem.parts()
    assert [part.name for part in parts] == ["0.weight", "0.bias", "1.weight", "1.bias"]
    assert sum(part.numel for part in parts) == result.final.numel()


def test_the_network_is_torchs_own_linear_layers_and_tanh() -> None:
    problem = Function("sine", hidden=[3, 2])
    x = problem.start(seed=0).double()
    layers = torch.nn.Sequential(
        torch.nn.Linear(1, 3), torch.nn.Tanh(), torch.nn.Linear(3, 2), torch.nn.Tanh(),
        torch.nn.Linear(2, 1),
    ).double()  # fmt: skip
    torch.nn.utils.vector_to_parameters(x, layers.parameters())
    grid = torch.linspace(-1, 1, 64, dtype=torch.float64).unsqueeze(1)
    expected = F.mse_loss(layers(grid), torch.sin(math.pi * grid)).item()
    assert problem.loss(x).item() == pytest.approx(expected, rel=1e-12)


class Returns(Problem):
    """A loss that returns what it is told to."""

    name = "returns"
    shape = (2,)

    def __init__(self, make: Any) -> None:
        super().__init__()
        self.make = make

    def loss(self, x: torch.Tensor) -> torch.Tensor:
        value: torch.Tensor = self.make(x)
        return value


@pytest.mark.parametrize(
    ("make", "words"),
    [
        (lambda x: x * 2, "scalar, but has shape (2,)"),
        (lambda x: torch.tensor(1.0), "does not depend on x"),
        (lambda x: x.sum().detach(), "does not depend on x"),
        (lambda x: 1.0, "must return a tensor, not float"),
        (lambda x: None, "must return a tensor, not NoneType"),
    ],
)
def test_a_loss_that_is_no_scalar_function_of_x_is_refused_by_name(make: Any, words: str) -> None:
    with pytest.raises(BadInput, match="returns") as error:
        descend(Returns(make))
    assert words in str(error.value)


@pytest.mark.parametrize(
    ("call", "words"),
    [
        (lambda: Matrix(target=[[1.0, 2.0]], x0=[1.0, 2.0]), "target's shape"),
        (lambda: Matrix(target=5.0, x0=[[1.0]]), "target's shape"),
        (lambda: Matrix(target=[[1, 2], [3]]), "equal length"),
        (lambda: Matrix(target=[math.nan]), "finite"),
        (lambda: Matrix(target=[]), "at least one"),
        (lambda: Matrix(target=[True]), "numbers"),
        (lambda: Matrix(target=torch.tensor([1, 2])), "floating"),
        (lambda: Matrix(x0=np.zeros((3, 3), dtype=int)), "floating"),
        (lambda: Function("sinus"), "did you mean sine?"),
        (lambda: Function("sine", coefficients=[1.0]), "polynomial"),
        (lambda: Function(hidden=[0]), "integer from 1"),
        (lambda: Function(interval=[1.0, -1.0]), "lower first"),
        (lambda: GradientDescent(lr=0), "> 0"),
        (lambda: GradientDescent(lr=-0.1), "> 0"),
        (lambda: GradientDescent(lr=math.nan), "finite"),
        (lambda: GradientDescent(lr="nan"), ".nan"),  # type: ignore[arg-type]
        (lambda: Momentum(momentum=1.0), "below 1"),
        (lambda: descend(Matrix(), dtype="int32"), "float32"),
        (lambda: descend(Matrix(), device="meta"), "usable here: cpu"),
        (lambda: descend(Matrix(), seed=-1), "2^63-1"),
        (lambda: descend(Matrix(), x0=torch.zeros(2)), "shape (3, 3)"),
        (lambda: descend(Matrix(), x0=torch.zeros(3, 3, dtype=torch.int64)), "floating"),
        (lambda: descend(Matrix(), x0=torch.full((3, 3), math.inf)), "finite"),
    ],
)
def test_bad_arguments_are_refused_in_one_line(call: Any, words: str) -> None:
    with pytest.raises(BadInput) as error:
        call()
    assert words in str(error.value)
    assert "\n" not in str(error.value)


def test_a_result_explains_itself() -> None:
    result: Result = descend(Matrix(x0=NOTEBOOK_X0))
    assert str(result) == "converged after 19 iterations: loss 7.92471e-06 <= 1e-05"
    assert "GradientDescent" in repr(result)
    assert result.iterations_to(1e-3) == 10
    assert result.iterations_to(1e-9) is None


@pytest.mark.parametrize(
    ("given", "words"),
    [
        ((3,), "problem=3: must be an object, such as gdexp.Matrix()"),
        ((Matrix,), "problem=<class"),
        ((Matrix(), "gd"), "rule=gd: must be an object, such as gdexp.GradientDescent"),
        ((Matrix(), None, 1e-5), "stopping=1e-05: must be an object, such as gdexp.Stopping"),
    ],
)
def test_what_is_no_problem_or_rule_is_refused(given: tuple[Any, ...], words: str) -> None:
    with pytest.raises(BadInput, match=re.escape(words)):
        descend(*given)
    with pytest.raises(BadInput):
        descend_batch(*given)
