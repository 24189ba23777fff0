"""What each problem says of itself, confirmed by other means."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from scipy import optimize

from gdexp.core.errors import BadInput
from gdexp.problems.base import Problem
from gdexp.problems.factorization import Factorization
from gdexp.problems.gradient_check import gradient_error
from gdexp.problems.landscapes import Beale, Himmelblau, Hyperbola, Rastrigin, Rosenbrock
from gdexp.problems.matrix import Matrix
from gdexp.problems.problem_check import check_problem
from gdexp.problems.quadratic import Quadratic
from gdexp.problems.registry import PROBLEMS
from gdexp.problems.regression import Logistic, Ols
from gdexp.theory.settings import sharpness
from tests.support import names

F64, CPU = torch.float64, torch.device("cpu")


def scipy_minimum(problem: Problem, start: torch.Tensor) -> float:
    moved = problem.to(F64, CPU)

    def value_and_slope(flat: np.ndarray) -> tuple[float, np.ndarray]:
        x = torch.tensor(flat).view(start.shape).requires_grad_()
        loss = moved.loss(x)
        (gradient,) = torch.autograd.grad(loss, (x,))
        return loss.item(), gradient.flatten().numpy()

    found = optimize.minimize(
        value_and_slope,
        start.to(F64).flatten().numpy(),
        jac=True,
        method="L-BFGS-B",
        options={"maxiter": 20_000, "maxfun": 40_000, "ftol": 1e-15, "gtol": 1e-7, "maxcor": 20},
    )
    return float(found.fun)


@pytest.mark.slow
@pytest.mark.parametrize("name", names.PROBLEMS)
def test_every_problem_keeps_its_promises(name: str) -> None:
    check_problem(PROBLEMS[name]())


@pytest.mark.slow
@pytest.mark.parametrize("name", names.PROBLEMS)
def test_every_gradient_agrees_with_differences_to_nine_digits(name: str) -> None:
    problem = PROBLEMS[name]()
    assert gradient_error(problem, problem.start(3), coordinates=64) < 1e-9


@pytest.mark.slow
@pytest.mark.parametrize("name", [name for name in names.KNOWN_MINIMUM if name != "rastrigin"])
def test_another_optimiser_finds_the_same_minimum(name: str) -> None:
    problem = PROBLEMS[name]()
    assert problem.f_star is not None
    found = scipy_minimum(problem, problem.start(0))
    assert abs(found - problem.f_star) <= 1e-8 * max(1.0, abs(problem.f_star))


@pytest.mark.slow
def test_a_global_optimiser_finds_rastrigins_minimum() -> None:
    problem = Rastrigin()
    found = optimize.differential_evolution(
        lambda x: problem.loss(torch.tensor(x)).item(),
        [(-5.12, 5.12)] * 2,
        rng=0,
        popsize=40,
        tol=1e-8,
    )
    assert abs(found.fun) < 1e-8


@pytest.mark.parametrize("name", names.KNOWN_MINIMUM)
def test_the_minimiser_is_stationary_and_has_the_minimal_loss(name: str) -> None:
    problem = PROBLEMS[name]()
    assert problem.x_star is not None
    assert problem.f_star is not None
    x = problem.x_star.clone().requires_grad_()
    loss = problem.loss(x)
    (gradient,) = torch.autograd.grad(loss, (x,))
    assert loss.item() == pytest.approx(problem.f_star, rel=1e-12, abs=1e-13)
    assert float(gradient.abs().max()) < 1e-11


@pytest.mark.parametrize("name", names.CONSTANT_HESSIAN)
def test_the_curvature_is_that_of_the_hessian_at_any_point(name: str) -> None:
    problem = PROBLEMS[name]().to(F64, CPU)
    assert problem.curvature is not None
    n = torch.Size(problem.shape).numel()
    for seed in (0, 1):
        x = problem.start(seed).to(F64) + seed
        hessian = torch.autograd.functional.hessian(problem.loss, x).reshape(n, n)
        eigenvalues = torch.linalg.eigvalsh(hessian)
        assert problem.curvature == pytest.approx(
            (float(eigenvalues[0]), float(eigenvalues[-1])), rel=1e-9
        )


@pytest.mark.parametrize("name", names.PROBLEMS)
def test_float32_and_float64_agree(name: str) -> None:
    problem = PROBLEMS[name]()
    x = problem.start(0)
    single = problem.to(torch.float32, CPU).loss(x.to(torch.float32))
    double = problem.to(F64, CPU).loss(x.to(F64))
    assert single.dtype is torch.float32
    assert single.item() == pytest.approx(double.item(), rel=1e-5)


def test_the_starts_have_the_losses_of_the_literature() -> None:
    first = {name: PROBLEMS[name]() for name in PROBLEMS}
    losses = {n: p.to(F64, CPU).loss(p.start(0).to(F64)).item() for n, p in first.items()}
    assert losses["beale"] == 14.203125
    assert losses["booth"] == 74
    assert losses["himmelblau"] == 170
    assert losses["rosenbrock"] == pytest.approx(24.2, rel=1e-14)
    assert losses["autograd"] == 14
    assert losses["ols"] == pytest.approx(0.5, rel=1e-14)
    assert losses["logistic"] == pytest.approx(math.log(2), rel=1e-14)


def test_rosenbrock_is_stable_below_the_known_learning_rate() -> None:
    top = sharpness(Rosenbrock())
    assert top is not None
    assert 2 / top == pytest.approx(0.0019968, abs=5e-8)


def test_himmelblau_has_four_minima_of_zero() -> None:
    problem = Himmelblau()
    for point in problem.MINIMA:
        x = torch.tensor(point, dtype=F64, requires_grad=True)
        loss = problem.loss(x)
        (gradient,) = torch.autograd.grad(loss, (x,))
        assert loss.item() < 1e-25
        assert float(gradient.abs().max()) < 1e-12
    rounded = [tuple(round(v, 6) for v in point) for point in problem.MINIMA]
    assert rounded == [
        (3.0, 2.0),
        (-2.805118, 3.131313),
        (-3.77931, -3.283186),
        (3.584428, -1.848127),
    ]


def test_rastrigins_nearest_trap_is_where_it_is_said_to_be() -> None:
    problem = Rastrigin(dimension=1)
    found = optimize.minimize_scalar(
        lambda t: problem.loss(torch.tensor([t], dtype=F64)).item(),
        bounds=(0.8, 1.2),
        method="bounded",
        options={"xatol": 1e-10},
    )
    assert found.x == pytest.approx(0.994958637, abs=1e-8)
    assert found.fun == pytest.approx(0.994959057, abs=1e-9)
    top = sharpness(problem)
    assert top == pytest.approx(2 + 40 * math.pi**2)


def test_hyperbola_is_at_least_twice_curved_at_every_minimum() -> None:
    for x in (0.5, 1.0, 3.0):
        point = torch.tensor([x, 1 / x], dtype=F64)
        hessian = torch.autograd.functional.hessian(Hyperbola().loss, point)
        top = float(torch.linalg.eigvalsh(hessian)[-1])
        assert top == pytest.approx(x * x + 1 / (x * x))
        assert top >= 2 - 1e-12


def test_the_regressions_have_the_published_minima() -> None:
    assert Ols().f_star == pytest.approx(0.241125788890, abs=5e-13)
    assert Logistic().f_star == pytest.approx(0.100446303781206, abs=5e-16)
    low, high = Ols().curvature or (0.0, 0.0)
    assert high / low == pytest.approx(470.08, abs=5e-3)


@pytest.mark.slow
def test_logistic_curvature_stays_within_its_bounds() -> None:
    problem = Logistic()
    for seed in range(3):
        x = torch.randn(31, dtype=F64, generator=torch.Generator().manual_seed(seed)) * seed
        values = torch.linalg.eigvalsh(torch.autograd.functional.hessian(problem.loss, x))
        assert float(values[0]) >= 0.01 - 1e-12
        assert float(values[-1]) <= 3.3305


@pytest.mark.slow
@pytest.mark.parametrize("rank", [1, 5, 64])
def test_factorization_reaches_the_tail_of_the_singular_values(rank: int) -> None:
    problem = Factorization(rank=rank)
    values = np.linalg.svd(problem.matrix.numpy(), compute_uv=False)
    assert problem.f_star == pytest.approx(0.5 * float(np.sum(values[rank:] ** 2)), abs=1e-9)
    assert problem.x_star is not None
    assert problem.loss(problem.x_star).item() == pytest.approx(problem.f_star, abs=1e-9)
    if rank == 5:
        assert problem.f_star == pytest.approx(2044.30973, abs=5e-6)


@pytest.mark.parametrize("name", ["ols", "logistic", "factorization"])
def test_parts_cover_x_without_gaps(name: str) -> None:
    problem = PROBLEMS[name]()
    offset = 0
    for part in problem.parts():
        assert part.offset == offset
        offset += part.numel
    assert (offset,) == tuple(problem.shape)


@pytest.mark.parametrize("name", names.PROBLEMS)
def test_the_last_node_is_the_loss(name: str) -> None:
    problem = PROBLEMS[name]()
    moved, x = problem.to(F64, CPU), problem.start(0).to(F64)
    last, value = moved.nodes(x)[-1]
    assert value.item() == moved.loss(x).item()
    assert last


def test_one_seed_is_one_start_and_another_seed_another() -> None:
    for problem in (Matrix(), Rastrigin(dimension=5), Factorization()):
        assert torch.equal(problem.start(4), problem.start(4))
        assert not torch.equal(problem.start(4), problem.start(5))
    assert float(Rastrigin(dimension=1000).start(0).abs().max()) <= 5.12


def test_the_geometric_spectrum_has_equal_ratios_and_exact_ends() -> None:
    spectrum = Quadratic(dimension=7, mu=1e-3, L=10.0).spectrum
    assert float(spectrum[0]) == 1e-3
    assert float(spectrum[-1]) == 10.0
    assert torch.allclose(spectrum[1:] / spectrum[:-1], torch.full((6,), 1e4 ** (1 / 6), dtype=F64))


def test_the_quadratics_gradient_is_lambda_x_rounded_once() -> None:
    problem = Quadratic(dimension=101, mu=1e-3)
    x = torch.randn(101, dtype=F64, generator=torch.Generator().manual_seed(0)).requires_grad_()
    (gradient,) = torch.autograd.grad(problem.loss(x), (x,))
    assert torch.equal(gradient, problem.spectrum * x.detach())


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"dimension": 0}, "dimension=0: must be an integer from 1 to 10000000"),
        ({"mu": 0.0}, "mu=0.0: must be > 0"),
        ({"mu": 2.0}, "mu=2.0: must be at most L, which is 1"),
        ({"dimension": 1}, "dimension=1: one dimension has one eigenvalue"),
        ({"spectrum": [1.0, 0.0]}, "spectrum=[1.0, 0.0]: must be a flat list of numbers > 0"),
        ({"spectrum": [[1.0]]}, "spectrum=[[1.0]]: must be a flat list of numbers > 0"),
        ({"x0": [1.0]}, "x0=(1,): must have shape (10,)"),
    ],
)
def test_a_quadratic_that_cannot_be_is_refused(arguments: dict, message: str) -> None:
    with pytest.raises(BadInput) as error:
        Quadratic(**arguments)
    assert str(error.value).startswith(message)


def test_a_start_of_another_shape_is_refused() -> None:
    for make in (lambda: Beale(x0=[1.0, 2.0, 3.0]), lambda: Ols(x0=[0.0]), lambda: Rastrigin(0)):
        with pytest.raises(BadInput):
            make()
