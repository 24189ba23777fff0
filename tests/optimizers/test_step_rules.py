"""Rules whose step follows from the function: against their papers' formulas, and searches.

The references are written here with numpy as the papers write them. For closed forms: the worst
case of OGM and of OGM-G is attained on `x² / 2`; Chebyshev's method multiplies each eigenvector by
a Chebyshev polynomial; steepest descent attains its worst rate from `(1 / mu, 1 / L)` in the
eigenvectors; conjugate gradients need as many iterations as there are distinct eigenvalues.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable
from functools import partial
from typing import Any

import numpy as np
import pytest
import torch

import gdexp
from gdexp import Problem, Status, Stopping
from gdexp.core import BadInput
from gdexp.optimizers.accelerated import (
    FastGradient,
    OptimizedGradient,
    OptimizedGradientG,
    nesterov_sequence,
    ogm_g_sequence,
)
from gdexp.optimizers.base import UpdateRule
from gdexp.optimizers.conditioned import ChebyshevSemiIteration, TripleMomentum
from gdexp.optimizers.descent_directions import ConjugateGradients, ExactLineSearch, Wolfe
from gdexp.optimizers.line_search import Armijo
from gdexp.optimizers.local_curvature import AdGD, BarzilaiBorwein
from gdexp.optimizers.polyak import Polyak, PolyakLevel
from gdexp.optimizers.registry import RULES
from gdexp.theory.best import krylov_floor

MU, TOP = 0.05, 4.0
SPECTRUM = np.array([MU, 0.3, 1.0, 2.5, TOP])
X0 = np.array([1.0, -2.0, 0.5, 3.0, -1.0])

far = Stopping(1e-300, 60)


def descend(*given: Any, **named: Any) -> gdexp.Result:
    """Descend in float64."""
    return gdexp.descend(*given, dtype="float64", **named)


class Spectrum(Problem):
    """`Σ λ_i x_i² / 2`; it counts how often its loss is computed."""

    f_star = 0.0

    def __init__(self, spectrum: Any = SPECTRUM, x0: Any = X0) -> None:
        super().__init__(torch.tensor(x0))
        self.spectrum = torch.tensor(spectrum)
        self.calls = [0]

    def loss(self, x: torch.Tensor) -> torch.Tensor:
        self.calls[0] += 1
        return (self.spectrum * x * x).sum() / 2


def parabola() -> Problem:
    return Spectrum([1.0], [3.0])


def gradient(x: np.ndarray) -> np.ndarray:
    return SPECTRUM * x


def losses(points: list[np.ndarray]) -> list[float]:
    return [float(SPECTRUM @ (x * x)) / 2 for x in points]


def fast_gradient(n: int, lr: float) -> list[np.ndarray]:
    x, y, t, points = X0, X0, 1.0, [X0]
    for _ in range(n):
        y_next, t_next = x - lr * gradient(x), (1 + math.sqrt(1 + 4 * t * t)) / 2
        x = y_next + (t - 1) / t_next * (y_next - y)
        y, t = y_next, t_next
        points.append(x)
    return points


def ogm(n: int, lr: float) -> list[np.ndarray]:
    x, y, t, points = X0, X0, 1.0, [X0]
    for i in range(n):
        factor = 8 if i == n - 1 else 4
        y_next, t_next = x - lr * gradient(x), (1 + math.sqrt(1 + factor * t * t)) / 2
        x = y_next + (t - 1) / t_next * (y_next - y) + t / t_next * (y_next - x)
        y, t = y_next, t_next
        points.append(x)
    return points


def ogm_g(n: int, lr: float) -> list[np.ndarray]:
    theta = [1.0]
    while len(theta) <= n:
        factor = 8 if len(theta) == n else 4
        theta.insert(0, (1 + math.sqrt(1 + factor * theta[0] ** 2)) / 2)
    x, y, points = X0, X0, [X0]
    for a, b in itertools.pairwise(theta):
        y_next = x - lr * gradient(x)
        share = (2 * b - 1) / (2 * a - 1)
        x = y_next + (a - 1) / a * share * (y_next - y) + share * (y_next - x)
        y = y_next
        points.append(x)
    return points


def triple_momentum(n: int, lr: float) -> list[np.ndarray]:
    rho = 1 - 1 / math.sqrt(TOP / MU)
    alpha, beta = (1 + rho) * lr, rho**2 / (2 - rho)
    gamma = rho**2 / ((1 + rho) * (2 - rho))
    xi = before = X0
    points = [X0]
    for _ in range(n):
        y = (1 + gamma) * xi - gamma * before
        xi, before = (1 + beta) * xi - beta * before - alpha * gradient(y), xi
        points.append((1 + gamma) * xi - gamma * before)
    return points


def barzilai_borwein(step: str, n: int, lr: float) -> list[np.ndarray]:
    points, t = [X0, X0 - lr * gradient(X0)], lr
    for k in range(1, n):
        s = points[-1] - points[-2]
        y = gradient(points[-1]) - gradient(points[-2])
        short = step == "short" or (step == "alternating" and k % 2 == 0)
        t = (s @ y) / (y @ y) if short else (s @ s) / (s @ y)
        points.append(points[-1] - t * gradient(points[-1]))
    return points


def adgd(version: int, n: int, lr: float) -> list[np.ndarray]:
    points, last, theta = [X0, X0 - lr * gradient(X0)], lr, math.inf if version == 2020 else 1 / 3
    for _ in range(1, n):
        s = points[-1] - points[-2]
        curvature = np.linalg.norm(gradient(s)) / np.linalg.norm(s)
        if version == 2020:
            step = min(math.sqrt(1 + theta) * last, 1 / (2 * curvature))
        else:
            under = max(2 * last**2 * curvature**2 - 1, 0)
            bound = last / math.sqrt(under) if under else math.inf
            step = min(math.sqrt(2 / 3 + theta) * last, bound)
        theta, last = step / last, step
        points.append(points[-1] - step * gradient(points[-1]))
    return points


def polyak(n: int, lr: float) -> list[np.ndarray]:
    points = [X0]
    for _ in range(n):
        x, g = points[-1], gradient(points[-1])
        points.append(x - lr * (SPECTRUM @ (x * x) / 2) / (g @ g) * g)
    return points


def steepest(n: int, lr: float) -> list[np.ndarray]:
    points = [X0]
    for _ in range(n):
        g = gradient(points[-1])
        points.append(points[-1] - (g @ g) / (g @ (SPECTRUM * g)) * g)
    return points


PAPERS: list[tuple[UpdateRule, Callable[[int, float], list[np.ndarray]]]] = [
    (FastGradient(0.25), fast_gradient),
    (OptimizedGradient(0.25, horizon=40), ogm),
    (OptimizedGradientG(0.25, horizon=40), ogm_g),
    (TripleMomentum(0.25, condition=TOP / MU), triple_momentum),
    (Polyak(0.7), polyak),
    (BarzilaiBorwein(0.1), partial(barzilai_borwein, "long")),
    (BarzilaiBorwein(0.1, step="short"), partial(barzilai_borwein, "short")),
    (BarzilaiBorwein(0.1, step="alternating"), partial(barzilai_borwein, "alternating")),
    (AdGD(0.01, version=2020), partial(adgd, 2020)),
    (AdGD(0.01), partial(adgd, 2024)),
    (ExactLineSearch(0.1, tolerance=1e-9), steepest),
]


@pytest.mark.slow
@pytest.mark.parametrize("engine", ["portable", "torch"])
@pytest.mark.parametrize(("rule", "paper"), PAPERS, ids=lambda each: getattr(each, "name", ""))
def test_a_rule_makes_the_steps_of_its_paper(
    rule: Any,
    paper: Callable[[int, float], list[np.ndarray]],
    engine: str,
) -> None:
    chaotic = isinstance(rule, BarzilaiBorwein | Polyak)  # its rounding errors grow
    n = 12 if chaotic else 40
    result = descend(Spectrum(), rule, Stopping(1e-300, n), engine=engine)
    expected = losses(paper(n, rule.lr))[: result.iterations + 1]
    assert len(expected) == n + 1
    assert result.trace.tolist() == pytest.approx(expected, rel=1e-5 if chaotic else 1e-7)


@pytest.mark.parametrize("n", [1, 5, 30])
def test_ogm_and_ogm_g_attain_their_worst_cases_on_a_parabola(n: int) -> None:
    theta = 1.0
    for i in range(n):
        theta = (1 + math.sqrt(1 + (8 if i == n - 1 else 4) * theta**2)) / 2
    until = Stopping(1e-300, n)
    result = descend(parabola(), OptimizedGradient(horizon=n), until, engine="torch")
    assert result.final_loss == pytest.approx(9 / (2 * theta**2), rel=1e-12)
    result = descend(parabola(), OptimizedGradientG(horizon=n), until, engine="torch")
    assert abs(float(result.final)) == pytest.approx(3 / float(ogm_g_sequence(n)[0]), rel=1e-12)
    assert ogm_g_sequence(n)[0] == pytest.approx(theta, rel=1e-14)


def test_nesterovs_sequence_is_above_half_of_its_place() -> None:
    t = nesterov_sequence(1000)
    assert (t[:1001] >= (np.arange(1001) + 2) / 2).all()
    assert t[1] == (1 + math.sqrt(5)) / 2


def test_after_its_horizon_a_method_begins_again() -> None:
    for rule in (OptimizedGradient(0.25, horizon=7), OptimizedGradientG(0.25, horizon=7)):
        whole = descend(Spectrum(), rule, Stopping(1e-300, 14), engine="torch")
        first = descend(Spectrum(), rule, Stopping(1e-300, 7), engine="torch")
        second = descend(Spectrum(x0=first.final.numpy()), rule, Stopping(1e-300, 7))
        assert whole.trace[7:].tolist() == pytest.approx(second.trace.tolist(), rel=1e-12)


def test_the_chebyshev_semi_iteration_multiplies_each_eigenvector_by_its_polynomial() -> None:
    rule, center = ChebyshevSemiIteration(1 / TOP, condition=TOP / MU), (TOP + MU) / (TOP - MU)
    for n in (1, 2, 9, 40):
        result = descend(Spectrum(), rule, Stopping(1e-300, n))
        top = np.cosh(n * np.arccosh(center))
        argument = ((TOP + MU - 2 * SPECTRUM) / (TOP - MU)).clip(-1, 1)
        factors = np.cos(n * np.arccos(argument)) / top
        assert result.final.numpy() == pytest.approx(factors * X0, rel=1e-6, abs=1e-13)
    assert rule.constant_from(10**6)
    assert not rule.constant_from(3)


def test_the_semi_iteration_ends_where_the_schedule_of_the_same_length_ends() -> None:
    schedule = gdexp.Chebyshev(mu=MU, L=TOP, steps=8)
    stepped = descend(Spectrum(), gdexp.GradientDescent(schedule=schedule), Stopping(1e-300, 8))
    rule = ChebyshevSemiIteration(1 / TOP, condition=TOP / MU)
    result = descend(Spectrum(), rule, Stopping(1e-300, 8))
    assert result.final_loss == pytest.approx(stepped.final_loss, rel=1e-8)
    assert result.max_loss < stepped.max_loss


@pytest.mark.slow
def test_steepest_descent_attains_its_worst_rate() -> None:
    problem = Spectrum([MU, TOP], [1 / MU, 1 / TOP])
    result = descend(problem, ExactLineSearch(tolerance=1e-12), Stopping(1e-300, 20))
    rate = ((TOP - MU) / (TOP + MU)) ** 2
    assert (result.trace[1:] / result.trace[:-1]).tolist() == pytest.approx([rate] * 20, rel=1e-6)


@pytest.mark.parametrize("formula", ["polak_ribiere", "fletcher_reeves"])
def test_conjugate_gradients_need_the_floor_of_all_methods_on_a_quadratic(formula: str) -> None:
    problem = gdexp.Quadratic(dimension=6, mu=0.02, L=4.0)
    rule = ConjugateGradients(formula=formula, decrease=1e-10, curvature=1e-9)
    for threshold in (1e-2, 1e-5, 1e-9):
        result = descend(problem, rule, Stopping(threshold, 100))
        assert result.iterations == krylov_floor(problem, result.initial, threshold)
    assert result.iterations <= 6


def test_triple_momentum_falls_at_its_rate() -> None:
    rule, rho = TripleMomentum(1 / TOP, condition=TOP / MU), 1 - math.sqrt(MU / TOP)
    result = descend(Spectrum(), rule, Stopping(1e-300, 160))
    k = np.arange(40, 161)
    slope = np.polyfit(k, np.log(result.trace[40:]), 1)[0]
    assert slope <= 2 * math.log(rho) + 0.01


def test_polyaks_step_comes_nearer_to_the_minimiser_each_time() -> None:
    points = np.stack(polyak(60, 1.0))
    distances = np.linalg.norm(points, axis=1)
    assert (np.diff(distances) < 0).all()
    problem = gdexp.Rosenbrock()
    taken = descend(problem, Polyak(), Stopping(1e-6, 2000))
    assert taken.status is Status.CONVERGED
    assert taken.rule == Polyak(f_star=0.0)


@pytest.mark.slow
def test_the_estimated_level_gets_there_without_f_star() -> None:
    for gap, path in ((0.01, 10.0), (100.0, 0.1)):
        rule = PolyakLevel(gap=gap, path=path)
        shifted = Spectrum()
        result = descend(shifted, rule, Stopping(1e-6, 5000), engine="torch")
        assert result.status is Status.CONVERGED


def test_a_slope_of_0_ends_in_rest_and_not_in_nan() -> None:
    class Flat(Problem):
        f_star = 0.0

        def loss(self, x: torch.Tensor) -> torch.Tensor:
            return 1 + (x * x).sum()

    for name in ("polyak", "polyak_level", "barzilai_borwein", "adgd"):
        rule = RULES[name]().for_problem(Flat([0.0, 0.0]))
        result = descend(Flat([0.0, 0.0]), rule, Stopping(max_iterations=20), engine="torch")
        assert result.final.tolist() == [0, 0]
    for search in (Armijo(), Wolfe(), ExactLineSearch(), ConjugateGradients()):
        result = descend(Flat([0.0, 0.0]), search, Stopping(max_iterations=9), engine="torch")
        assert (result.status, result.final.tolist()) == (Status.STALLED, [0, 0])


@pytest.mark.parametrize("engine", ["portable", "torch"])
@pytest.mark.slow
def test_every_step_satisfies_the_strong_wolfe_conditions(engine: str) -> None:
    problem = gdexp.Rosenbrock()
    rule = Wolfe(decrease=1e-3, curvature=0.4)
    points = [problem.start(0).double()]
    for n in range(1, 13):
        points.append(descend(problem, rule, Stopping(1e-300, n), engine=engine).final)
    for x, after in itertools.pairwise(points):
        (before_loss, g), (after_loss, g_after) = (
            value_and_slope(problem, x, x),
            (value_and_slope(problem, after, x)),
        )
        t = float((x - after).norm() / g.norm())
        square = float(g @ g)
        assert after_loss <= before_loss - rule.decrease * t * square * (1 - 1e-9)
        assert abs(float(g_after @ g)) <= rule.curvature * square * (1 + 1e-9)


def value_and_slope(
    problem: Problem, x: torch.Tensor, base: torch.Tensor
) -> tuple[float, torch.Tensor]:
    x = x.detach().clone().requires_grad_()
    loss = problem.loss(x)
    (slope,) = torch.autograd.grad(loss, x)
    return loss.item(), slope


@pytest.mark.slow
@pytest.mark.parametrize(
    "rule", [Armijo(3.0), Wolfe(50.0), ExactLineSearch(), ConjugateGradients()]
)
def test_evaluations_are_the_calls_of_the_loss(rule: UpdateRule) -> None:
    problem = Spectrum()
    until = Stopping(1e-3, 200)
    result = descend(problem, rule, until, engine="torch")
    assert result.evaluations is not None
    assert int(result.evaluations[-1]) == problem.calls[0] > result.iterations + 1
    assert len(result.evaluations) == len(result.trace)
    assert (np.diff(result.evaluations) >= 1).all()
    again = descend(Spectrum(), rule, until, engine="portable")
    assert again.evaluations is not None
    assert again.evaluations.tolist() == result.evaluations.tolist()


def test_a_rule_without_trials_evaluates_once_for_each_iterate() -> None:
    for engine in ("portable", "torch"):
        assert descend(Spectrum(), AdGD(), far, engine=engine).evaluations is None
        assert (
            descend(Spectrum(), gdexp.GradientDescent(0.1), far, engine=engine).evaluations is None
        )


BATCHED: list[list[UpdateRule]] = [
    [Polyak(0.5), Polyak(1.0), Polyak(f_star=-1.0)],
    [BarzilaiBorwein(0.1), BarzilaiBorwein(0.2, step="short"), BarzilaiBorwein(0.3)],
    [AdGD(0.1), AdGD(0.01, version=2020), AdGD(0.2)],
    [OptimizedGradient(0.1), OptimizedGradient(0.2, horizon=5), OptimizedGradient(0.1, horizon=9)],
    [TripleMomentum(0.1, condition=50.0), TripleMomentum(0.2, condition=80.0)],
    [ChebyshevSemiIteration(0.1, condition=50.0), ChebyshevSemiIteration(0.2, condition=80.0)],
    [Armijo(1.0), Armijo(0.2), Armijo(5.0, shrink=0.3)],
    [ConjugateGradients(1.0), ConjugateGradients(0.1, formula="fletcher_reeves")],
]


@pytest.mark.parametrize("rules", BATCHED, ids=lambda rules: rules[0].name)
@pytest.mark.parametrize("engine", ["portable", "torch"])
@pytest.mark.slow
def test_rows_of_a_batch_are_what_they_are_alone(rules: list[UpdateRule], engine: str) -> None:
    problem, until = gdexp.Quadratic(dimension=4), Stopping(1e-4, 25)
    batch = gdexp.descend_batch(problem, rules, until, engine=engine)
    for row, rule in enumerate(rules):
        alone = gdexp.descend(problem, rule, until, engine=engine)
        assert batch[row].trace.tobytes() == alone.trace.tobytes()
        found, own = batch[row].evaluations, alone.evaluations
        assert (found is None) == (own is None)
        assert own is None or (found == own).all()


BAD: list[tuple[Callable[..., UpdateRule], dict[str, Any], str]] = [
    (OptimizedGradient, {"horizon": 0}, "horizon"),
    (OptimizedGradientG, {"horizon": None}, "horizon"),
    (TripleMomentum, {"condition": 0.5}, "condition"),
    (ChebyshevSemiIteration, {"condition": "10"}, "condition"),
    (Polyak, {"f_star": math.nan}, "f_star"),
    (PolyakLevel, {"gap": 0.0}, "gap"),
    (BarzilaiBorwein, {"step": "middle"}, "step"),
    (BarzilaiBorwein, {"shortest": 2.0, "longest": 1.0}, "longest"),
    (AdGD, {"version": 2021}, "version"),
    (Wolfe, {"decrease": 0.9}, "decrease"),
    (ExactLineSearch, {"tolerance": 0.0}, "tolerance"),
    (ConjugateGradients, {"curvature": 0.6}, "curvature"),
    (ConjugateGradients, {"formula": "hestenes"}, "formula"),
]


@pytest.mark.parametrize(("cls", "values", "key"), BAD)
def test_what_a_rule_cannot_use_is_refused_by_its_name(
    cls: Callable[..., UpdateRule], values: dict[str, Any], key: str
) -> None:
    with pytest.raises(BadInput) as caught:
        cls(**values)
    assert caught.value.key == key


def test_what_a_problem_does_not_declare_must_be_given() -> None:
    with pytest.raises(BadInput, match="f_star=null: function declares no f\\*"):
        gdexp.descend(gdexp.Function(), Polyak())
    with pytest.raises(BadInput, match="condition=null: rosenbrock declares no L / mu"):
        gdexp.descend_batch(gdexp.Rosenbrock(), [TripleMomentum(0.1), TripleMomentum(0.2)])
    quadratic = gdexp.Quadratic(mu=0.1, L=3.0)
    assert TripleMomentum().for_problem(quadratic).condition == pytest.approx(30)
