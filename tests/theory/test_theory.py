"""Counts, best settings and floors against simulation and brute force."""

from __future__ import annotations

import math
from dataclasses import dataclass
from fractions import Fraction
from typing import Any

import numpy as np
import pytest
import torch

from gdexp.core.errors import BadInput
from gdexp.descent.single_descent import descend
from gdexp.descent.stopping import Status, Stopping
from gdexp.optimizers.adaptive import Adam
from gdexp.optimizers.base import UpdateRule
from gdexp.optimizers.momentum import GradientDescent, Momentum, Nesterov
from gdexp.problems.base import Problem
from gdexp.problems.landscapes import Beale, Booth, Hyperbola, Matyas, Rosenbrock
from gdexp.problems.matrix import Matrix
from gdexp.problems.quadratic import Quadratic
from gdexp.problems.regression import Logistic, Ols
from gdexp.problems.transformed import Transformed
from gdexp.theory import best as best_module
from gdexp.theory.best import best_possible, distance, distance_from_best, fewest, krylov_floor
from gdexp.theory.counts import ExactCount, count_interval, count_with_margin, exact_count
from gdexp.theory.modes import transition
from gdexp.theory.settings import best_lr, chebyshev_floor, optimal_setting, stability_limit
from tests.support.long_form import share

F64 = torch.float64
NOTEBOOK = [[0.0515, 0.9451, 0.0815], [0.7376, 0.7345, 0.3697], [0.9189, 0.5949, 0.6095]]
LIMIT = 1500
WIDTH = 9
"""Variables of every simulated case; shorter problems are filled up with zeros."""


@dataclass
class Case:
    problem: Problem
    rule: UpdateRule
    threshold: float
    curvatures: list[float]  # of the simulated ½ Σ λ e²
    start: list[float]

    @property
    def x0(self) -> torch.Tensor:
        return self.problem.start(0)

    @property
    def stopping(self) -> Stopping:
        return Stopping(self.threshold, LIMIT)


def random_rule(kind: str, top: float, draw: np.random.Generator) -> UpdateRule:
    beta = float(draw.choice([0.3, 0.8, 0.9, 0.97])) if kind != "gd" else 0.0
    limit = {
        "gd": 2 / top,
        "momentum": 2 * (1 + beta) / top,
        "nesterov": 2 * (1 + beta) / ((1 + 2 * beta) * top),
    }[kind]
    lr = limit * float(np.exp(draw.uniform(np.log(0.005), np.log(1.1))))
    if kind == "gd":
        return GradientDescent(lr=lr)
    if kind == "momentum":
        return Momentum(lr=lr, momentum=beta)
    return Nesterov(lr=lr, momentum=beta)


def random_case(kind: str, draw: np.random.Generator) -> Case:
    if draw.random() < 0.25:
        n = int(draw.integers(1, WIDTH + 1))
        target, x0 = draw.random(n), draw.random(n)
        problem: Problem = Matrix(target=target.tolist(), x0=x0.tolist())
        curvatures, start = [2 / n] * n, (x0 - target).tolist()
    else:
        n = int(draw.integers(1, WIDTH + 1))
        kappa = float(np.exp(draw.uniform(0, np.log(1e4))))
        top = float(np.exp(draw.uniform(np.log(0.1), np.log(100))))
        spectrum = top / kappa ** np.sort(np.r_[0, draw.random(n - 1)])
        curvatures, start = spectrum.tolist(), draw.normal(size=n).tolist()
        problem = Quadratic(spectrum=curvatures, x0=start)
    first = 0.5 * float(np.dot(curvatures, np.square(start)))
    threshold = first * float(np.exp(draw.uniform(np.log(1e-9), np.log(1.2))))
    rule = random_rule(kind, max(curvatures), draw)
    pad = WIDTH - n
    return Case(problem, rule, threshold, curvatures + [0.0] * pad, start + [0.0] * pad)


def simulate(cases: list[Case]) -> list[int | None]:
    """The counts of all cases at once: autograd, and torch's order of update, in float64."""
    curvatures = torch.tensor([case.curvatures for case in cases], dtype=F64)
    x = torch.tensor([case.start for case in cases], dtype=F64)
    lr = torch.tensor([[case.rule.lr] for case in cases], dtype=F64)  # type: ignore[attr-defined]
    beta = torch.tensor([[getattr(case.rule, "momentum", 0.0)] for case in cases], dtype=F64)
    threshold = torch.tensor([case.threshold for case in cases], dtype=F64)
    nesterov = cases[0].rule.name == "nesterov"
    velocity = torch.zeros_like(x)
    counts = torch.full((len(cases),), -1)
    for n in range(LIMIT + 1):
        x.requires_grad_()
        losses = 0.5 * (curvatures * x**2).sum(1)
        hit = (losses.detach() <= threshold) & (counts < 0)
        counts[hit] = n
        (gradient,) = torch.autograd.grad(losses.sum(), (x,))
        velocity = beta * velocity + gradient
        step = gradient + beta * velocity if nesterov else velocity
        x = x.detach() - lr * step
        if n % 100 == 0 and bool((counts >= 0).all()):
            break
    return [None if c < 0 else c for c in counts.tolist()]


@pytest.mark.slow
@pytest.mark.parametrize(("kind", "seed"), [("gd", 1), ("momentum", 2), ("nesterov", 3)])
def test_random_counts_of_each_rule_equal_a_simulation(kind: str, seed: int) -> None:
    draw = np.random.default_rng(seed)
    cases = [random_case(kind, draw) for _ in range(share(3400, 8))]
    simulated = simulate(cases)
    found = [count_with_margin(case.problem, case.rule, case.stopping, case.x0) for case in cases]
    within_rounding = []
    for case, known, count in zip(cases, found, simulated, strict=True):
        assert known is not None
        if known.margin < 1e-8:  # rounding may decide these: the blurred counts must hold them
            within_rounding.append(case)
            ends = count_interval(case.problem, case.rule, case.stopping, case.x0, 1e-6)
            assert ends is not None
            low, high = (math.inf if end is None else end for end in ends)
            assert low <= (math.inf if count is None else count) <= high
        else:
            assert known.count == count, (case, known, count)
    said = f"{len(within_rounding)} of {len(cases)} are within rounding"
    assert len(within_rounding) <= len(cases) / 170, said
    reached = [known.count for known in found if known is not None and known.count is not None]
    assert len(reached) > len(cases) / 2  # the comparison is not about cases that never end
    assert len(set(reached)) > len(cases) / 12


@pytest.mark.slow
@pytest.mark.parametrize("kind", ["gd", "momentum", "nesterov"])
def test_a_threshold_that_is_a_loss_of_the_trace_is_known_to_be_within_rounding(kind: str) -> None:
    draw = np.random.default_rng(21)
    for _ in range(share(20, 4)):
        case = random_case(kind, draw)
        trace = descend(case.problem, case.rule, Stopping(1e-300, 30), dtype=F64).trace
        first = int(np.argmin(trace))
        stopping = Stopping(float(trace[first]) + 1e-300, 30)
        known = count_with_margin(case.problem, case.rule, stopping, case.x0)
        ends = count_interval(case.problem, case.rule, stopping, case.x0, 1e-6)
        assert known is not None
        assert known.margin < 1e-7  # x − target loses digits when the loss is tiny
        assert ends is not None
        assert ends[0] is not None
        assert ends[0] <= first <= (31 if ends[1] is None else ends[1])


@pytest.mark.slow
@pytest.mark.parametrize("kind", ["gd", "momentum", "nesterov"])
def test_random_counts_equal_the_descents_own(kind: str) -> None:
    draw = np.random.default_rng(11)
    compared = 0
    while compared < share(100, 10):
        case = random_case(kind, draw)
        stopping = Stopping(case.threshold, 200)
        known = count_with_margin(case.problem, case.rule, stopping, case.x0)
        assert known is not None
        if known.margin < 1e-8:
            continue
        result = descend(case.problem, case.rule, stopping, dtype=F64)
        assert (result.iterations if result.converged else None) == known.count
        compared += 1


def test_the_notebooks_start_needs_19() -> None:
    problem = Matrix(x0=NOTEBOOK)
    known = count_with_margin(problem, GradientDescent(), Stopping(), problem.start(0))
    assert known is not None
    assert known.count == 19
    result = descend(problem)
    assert result.iterations == 19
    assert result.trace[1:4] == pytest.approx([6.73e-2, 4.07e-2, 2.46e-2], rel=2e-3)
    assert result.final_loss == pytest.approx(7.92e-6, rel=1e-3)


@pytest.mark.parametrize("lr", [0.1, 1.0, 3.7, 4.4, 4.6, 7.0, 8.9])
def test_the_matrix_count_is_the_closed_formula(lr: float) -> None:
    problem = Matrix(x0=NOTEBOOK)
    first = float(problem.loss(problem.start(0)))
    formula = math.ceil(math.log(1e-5 / first) / (2 * math.log(abs(1 - 2 * lr / 9))))
    assert exact_count(problem, GradientDescent(lr=lr), Stopping(), problem.start(0)) == formula


def test_the_matrix_is_done_in_one_step_at_lr_4_5_whatever_the_start() -> None:
    problem = Matrix()
    for seed in range(20):
        x0 = problem.start(seed)
        assert exact_count(problem, GradientDescent(lr=4.5), Stopping(1e-12), x0) == 1


@pytest.mark.parametrize("distance_", [0.125, 1.0, 2.5, 4.25])
def test_the_matrix_is_symmetric_about_lr_4_5(distance_: float) -> None:
    x0 = Matrix().start(0)
    below = exact_count(Matrix(), GradientDescent(lr=4.5 - distance_), Stopping(), x0)
    above = exact_count(Matrix(), GradientDescent(lr=4.5 + distance_), Stopping(), x0)
    assert below == above


@pytest.mark.parametrize(("lr", "status"), [(9.0, Status.STALLED), (9.5, Status.DIVERGED)])
def test_the_matrix_never_converges_from_lr_9_on(lr: float, status: Status) -> None:
    rule, stopping = GradientDescent(lr=lr), Stopping(1e-5, 10**9)
    assert exact_count(Matrix(), rule, stopping, Matrix().start(0)) is None
    ended = descend(Matrix(), rule, Stopping(1e-5, 5000))
    assert ended.status is status or (lr == 9.0 and not ended.converged)


def test_a_start_within_the_threshold_needs_nothing() -> None:
    problem = Quadratic(x0=[0.0] * 10)
    assert exact_count(problem, GradientDescent(), Stopping(), problem.start(0)) == 0
    assert krylov_floor(problem, problem.start(0), 1e-5) == 0
    best = fewest(problem, GradientDescent(), problem.start(0), 1e-5)
    assert best is not None
    assert best.iterations == 0


def test_a_gap_that_falls_and_then_rises_is_caught_at_its_dip() -> None:
    problem = Quadratic(spectrum=[1.0, 3.0], x0=[1.0, 1e-4])
    rule, stopping = GradientDescent(lr=0.7), Stopping(5e-5, 10**6)
    known = count_with_margin(problem, rule, stopping, problem.start(0))
    assert known is not None
    assert known.count == descend(problem, rule, stopping, dtype=F64).iterations
    assert exact_count(problem, rule, Stopping(1e-12, 10**6), problem.start(0)) is None


def test_the_interval_holds_the_count_and_widens_with_the_blur() -> None:
    problem, rule, stopping = Quadratic(), GradientDescent(lr=1.0), Stopping()
    x0 = problem.start(0)
    count = exact_count(problem, rule, stopping, x0)
    assert count_interval(problem, rule, stopping, x0, 0.0) == (count, count)
    ends = count_interval(problem, rule, stopping, x0, 0.2)
    assert ends is not None
    low, high = ends
    assert low is not None
    assert high is not None
    assert count is not None
    assert low < count < high


def test_dampening_is_counted_too() -> None:
    problem = Quadratic()
    for beta in (0.0, 0.6):
        rule = Momentum(lr=0.5, momentum=beta, dampening=0.4)
        known = count_with_margin(problem, rule, Stopping(), problem.start(0))
        best = fewest(problem, rule, problem.start(0), 1e-5)
        assert known is not None
        assert best is not None
        assert descend(problem, rule, dtype=F64).iterations == known.count
        faster = Momentum(lr=best.lr, momentum=beta, dampening=0.4)
        assert descend(problem, faster, dtype=F64).iterations == best.iterations


@pytest.mark.slow
@pytest.mark.parametrize("problem", [Booth(), Matyas(), Ols(), Transformed(Quadratic(), 1, 0.5)])
@pytest.mark.parametrize("kind", [GradientDescent, Momentum, Nesterov])
def test_every_problem_with_a_constant_hessian_is_counted(
    problem: Problem, kind: type[UpdateRule]
) -> None:
    lr = best_lr(problem, kind())
    rule = kind(lr=lr)  # type: ignore[call-arg]
    stopping = Stopping(1e-4)
    known = count_with_margin(problem, rule, stopping, problem.start(0))
    assert known is not None
    assert known.margin > 1e-6
    assert descend(problem, rule, stopping, dtype=F64).iterations == known.count


def test_where_theory_does_not_apply_the_answer_is_none() -> None:
    x0 = Beale().start(0)
    assert count_with_margin(Beale(), GradientDescent(), Stopping(), x0) is None
    assert count_with_margin(Matrix(), Adam(), Stopping(), Matrix().start(0)) is None
    assert count_interval(Beale(), GradientDescent(), Stopping(), x0, 0.1) is None
    assert best_lr(Beale(), GradientDescent()) is None
    assert best_lr(Matrix(), Adam()) is None
    assert stability_limit(Matrix(), Adam()) is None
    assert optimal_setting(Matrix(), "adam") is None
    assert fewest(Beale(), GradientDescent(), x0, 1e-5) is None
    assert best_possible(Matrix(), "adam", Matrix().start(0), 1e-5) is None
    assert krylov_floor(Beale(), x0, 1e-5) is None
    assert distance_from_best(Beale(), descend(Beale(), GradientDescent(lr=0.01))) is None
    with pytest.raises(BadInput, match=r"problem=beale: has no exact count with gd"):
        exact_count(Beale(), GradientDescent(), Stopping(), x0)


def radius(rule: UpdateRule, lr: float, curvature: float) -> float:
    _, later = transition(np.array([curvature]), rule, lr)
    return float(np.abs(np.linalg.eigvals(later[0])).max())


@pytest.mark.slow
@pytest.mark.parametrize("kappa", [1.0, 3.0, 100.0, 1e4])
@pytest.mark.parametrize(
    "rule",
    [
        GradientDescent(),
        Momentum(momentum=0.5),
        Momentum(momentum=0.95),
        Momentum(momentum=0.7, dampening=0.5),
        Nesterov(momentum=0.5),
        Nesterov(momentum=0.95),
    ],
)
def test_no_learning_rate_has_a_better_worst_rate_than_the_best(
    rule: UpdateRule, kappa: float
) -> None:
    problem = Quadratic(spectrum=[1.0, kappa])
    lr, limit = best_lr(problem, rule), stability_limit(problem, rule)
    assert lr is not None
    assert limit is not None

    def worst(lr: float) -> float:
        return max(radius(rule, lr, 1.0), radius(rule, lr, kappa))

    others = min(worst(limit * part) for part in np.linspace(1e-3, 1.05, share(800)))
    assert worst(lr) <= others + 1e-7


@pytest.mark.parametrize(
    "rule",
    [
        GradientDescent(),
        Momentum(momentum=0.9),
        Momentum(momentum=0.7, dampening=0.5),
        Nesterov(momentum=0.9),
    ],
)
def test_the_stability_limit_parts_shrinking_from_growing(rule: UpdateRule) -> None:
    limit = stability_limit(Quadratic(spectrum=[0.1, 5.0]), rule)
    assert limit is not None
    assert radius(rule, limit * 0.9999, 5.0) < 1 < radius(rule, limit * 1.0001, 5.0)


@pytest.mark.parametrize("kappa", [2.0, 100.0, 1e4])
def test_the_best_settings_have_the_published_rates(kappa: float) -> None:
    problem = Quadratic(spectrum=[0.5, 0.5 * kappa])
    for name, tuned, kind in (
        ("gd", True, GradientDescent),
        ("momentum", True, Momentum),
        ("nesterov", True, Nesterov),
        ("nesterov", False, Nesterov),
    ):
        setting = optimal_setting(problem, name, tuned)
        assert setting is not None
        beta = {} if name == "gd" else {"momentum": setting.momentum}
        rule = kind(lr=setting.lr, **beta)
        worst = max(radius(rule, setting.lr, lam) for lam in np.geomspace(0.5, 0.5 * kappa, 50))
        assert worst == pytest.approx(setting.rate, abs=2e-7)  # a double root loses half the digits


@pytest.mark.slow
def test_the_local_limits_of_curved_problems_are_known() -> None:
    assert stability_limit(Rosenbrock(), GradientDescent()) == pytest.approx(0.0019968, abs=5e-8)
    assert stability_limit(Hyperbola(), GradientDescent()) == pytest.approx(1.0)
    limit = stability_limit(Logistic(), GradientDescent())
    assert limit is not None
    assert descend(Logistic(), GradientDescent(lr=0.3 * limit), Stopping(1e-4)).converged


def test_chebyshev_needs_38_for_kappa_100_and_a_gap_of_a_millionth() -> None:
    assert chebyshev_floor(100, 1e-6) == 38
    per_step = math.acosh(101 / 99)
    assert 1 / math.cosh(37 * per_step) ** 2 > 1e-6 >= 1 / math.cosh(38 * per_step) ** 2
    assert chebyshev_floor(1, 1e-6) == 1


@pytest.mark.parametrize(("kappa", "relative"), [(0.5, 0.1), (10, 0.0), (10, 1.0), (10, 2.0)])
def test_a_floor_of_nonsense_is_refused(kappa: float, relative: float) -> None:
    with pytest.raises(BadInput):
        chebyshev_floor(kappa, relative)


def test_the_krylov_floor_is_the_best_polynomial() -> None:
    draw = np.random.default_rng(0)
    for _ in range(50):
        spectrum, start = np.exp(draw.uniform(-3, 0, 5)), draw.normal(size=5)
        problem = Quadratic(spectrum=spectrum.tolist(), x0=start.tolist())
        root = np.sqrt(0.5 * spectrum * start**2)
        gaps = [float(root @ root)]
        for n in range(1, 5):
            basis = np.stack([root * spectrum**k for k in range(1, n + 1)], axis=1)
            rest = root - basis @ np.linalg.lstsq(basis, root, rcond=None)[0]
            gaps.append(float(rest @ rest))
        for n in range(1, 5):
            threshold = math.sqrt(gaps[n] * gaps[n - 1])
            assert krylov_floor(problem, problem.start(0), threshold) == n


def test_the_krylov_floor_is_at_most_the_number_of_distinct_eigenvalues() -> None:
    problem = Quadratic(spectrum=[1.0, 1.0, 2.0, 2.0, 5.0])
    assert krylov_floor(problem, problem.start(0), 1e-25) == 3
    assert krylov_floor(Matrix(), Matrix().start(0), 1e-25) == 1


@pytest.mark.slow
def test_no_random_case_beats_its_floor_or_its_best() -> None:
    draw = np.random.default_rng(5)
    for _ in range(share(40)):
        case = random_case("gd", draw)
        best = fewest(case.problem, case.rule, case.x0, case.threshold)
        floor = krylov_floor(case.problem, case.x0, case.threshold)
        known = count_with_margin(case.problem, case.rule, case.stopping, case.x0)
        assert best is not None
        assert floor is not None
        assert known is not None
        assert floor <= best.iterations
        assert known.count is None or best.iterations <= known.count


def test_the_fewest_for_gd_is_not_beaten_by_ten_thousand_learning_rates() -> None:
    draw = np.random.default_rng(6)
    for case_number in range(share(25, 3)):
        spectrum = np.exp(draw.uniform(-4, 0, 4))
        start = draw.normal(size=4) * 10.0 ** draw.uniform(-3, 0, 4)
        problem = Quadratic(spectrum=spectrum.tolist(), x0=start.tolist())
        weights = 0.5 * spectrum * start**2
        threshold = float(weights.sum()) * 10.0 ** -draw.uniform(0.1, 4)
        best = fewest(problem, GradientDescent(), problem.start(0), threshold)
        assert best is not None
        assert best.certain
        reached = exact_count(
            problem, GradientDescent(lr=best.lr), Stopping(threshold), problem.start(0)
        )
        assert reached == best.iterations, case_number
        rates = np.geomspace(0.5 / spectrum.max(), 2 / spectrum.min(), 10_000)
        factors = np.square(1 - rates[:, None] * spectrum)
        for n in range(1, best.iterations):
            assert float((factors**n @ weights).min()) > threshold, case_number


@pytest.mark.parametrize("rule", [Momentum(momentum=0.8), Nesterov(momentum=0.8)])
def test_the_fewest_with_momentum_is_reached_by_its_learning_rate(rule: UpdateRule) -> None:
    problem = Quadratic()
    best = fewest(problem, rule, problem.start(0), 1e-5)
    assert best is not None
    assert not best.certain
    again = type(rule)(lr=best.lr, momentum=best.momentum)  # type: ignore[call-arg]
    known = count_with_margin(problem, again, Stopping(1e-5), problem.start(0))
    assert isinstance(known, ExactCount)
    assert known.count == best.iterations
    usual = type(rule)(lr=best_lr(problem, rule), momentum=0.8)  # type: ignore[call-arg]
    slower = exact_count(problem, usual, Stopping(1e-5), problem.start(0))
    assert slower is not None
    assert best.iterations <= slower


@pytest.mark.slow
def test_the_best_momentum_beats_the_best_gd_and_not_the_floor() -> None:
    problem = Quadratic()
    x0 = problem.start(0)
    found = {
        name: best_possible(problem, name, x0, 1e-5) for name in ("gd", "momentum", "nesterov")
    }
    counts = {name: best.iterations for name, best in found.items() if best is not None}
    floor = krylov_floor(problem, x0, 1e-5)
    assert floor is not None
    assert floor <= counts["momentum"] < counts["nesterov"] < counts["gd"]


def exact_gaps(spectrum: list[float], start: list[float], most: int) -> list[Any]:
    """The smallest gaps of all gradient methods, by conjugate gradients with 80 digits."""
    import mpmath

    with mpmath.workdps(80):
        curvatures, e = [mpmath.mpf(v) for v in spectrum], [mpmath.mpf(v) for v in start]
        r = [-a * b for a, b in zip(curvatures, e, strict=True)]
        p, square = r, mpmath.fdot(r, r)
        gaps = []
        for _ in range(most + 1):
            gaps.append(sum(a * b * b for a, b in zip(curvatures, e, strict=True)) / 2)
            if not square:
                break
            images = [a * b for a, b in zip(curvatures, p, strict=True)]
            step = square / mpmath.fdot(p, images)
            e = [a + step * b for a, b in zip(e, p, strict=True)]
            r = [a - step * b for a, b in zip(r, images, strict=True)]
            square, last = mpmath.fdot(r, r), square
            p = [a + square / last * b for a, b in zip(r, p, strict=True)]
        return gaps


def test_no_floor_is_above_the_exact_one_however_tight_the_threshold() -> None:
    draw = np.random.default_rng(4)
    lower = 0
    for _ in range(12):
        n = int(draw.integers(4, 25))
        spectrum = np.exp(draw.uniform(-draw.uniform(0.1, 9), 0, n)).tolist()
        problem = Quadratic(spectrum=spectrum, x0=draw.normal(size=n).tolist())
        gaps = exact_gaps(spectrum, problem.start(0).tolist(), n)
        for n_steps in range(1, len(gaps) - 1):
            for near in (1 + 1e-6, 1 - 1e-6):
                threshold = float(gaps[n_steps]) * near
                exact = next(k for k, gap in enumerate(gaps) if gap <= threshold)
                floor = krylov_floor(problem, problem.start(0), threshold)
                assert floor is not None
                assert floor <= exact
                if threshold > 1e-10 * gaps[0]:
                    assert floor == exact
                lower += floor < exact
    assert lower  # thresholds that the doubles cannot resolve were among them


def test_below_what_doubles_resolve_nothing_is_said() -> None:
    problem = Quadratic(dimension=100, mu=0.25)
    x0 = problem.start(0)
    setting = optimal_setting(problem, "momentum")
    assert setting is not None
    rule = Momentum(lr=setting.lr, momentum=setting.momentum)
    threshold = 1e-31 * float(problem.to(F64, torch.device("cpu")).loss(x0.to(F64)))
    run = descend(problem, rule, Stopping(threshold), dtype=F64)
    floor = krylov_floor(problem, x0, threshold)
    assert run.converged
    assert floor is not None
    assert floor <= run.iterations < 100
    assert distance_from_best(problem, run) is None


def test_a_floor_is_right_on_both_sides_of_every_bound() -> None:
    draw = np.random.default_rng(8)
    for _ in range(60):
        kappa, n = 1 + float(np.exp(draw.uniform(-3, 9))), int(draw.integers(1, 40))
        z = (Fraction(kappa) + 1) / (Fraction(kappa) - 1)
        values = [Fraction(1), z]
        while len(values) <= n + 1:
            values.append(2 * z * values[-1] - values[-2])
        near = float(1 / values[n] ** 2)
        for relative in (near, math.nextafter(near, 0), math.nextafter(near, 1)):
            if 0 < relative < 1:
                exact = next(
                    k for k, value in enumerate(values) if k and value**2 * Fraction(relative) >= 1
                )
                assert chebyshev_floor(kappa, relative) == exact
    assert chebyshev_floor(3, 0.25) == 1  # exactly 1 / T_1²
    assert chebyshev_floor(1e300, 1e-300) > 1e150  # z is 1 in double precision


@pytest.mark.parametrize("rule", [GradientDescent(), Momentum(), Nesterov()])
def test_no_count_is_above_a_cap(rule: UpdateRule) -> None:
    problem = Matrix(x0=NOTEBOOK)
    x0 = problem.start(0)
    free = exact_count(problem, rule, Stopping(), x0)
    assert free is not None
    for cap in (0, 1, free - 1):
        assert exact_count(problem, rule, Stopping(cap=cap), x0) is None
    assert exact_count(problem, rule, Stopping(cap=free), x0) == free
    assert exact_count(problem, rule, Stopping(threshold=1.0, cap=0), x0) == 0


def test_what_theory_says_of_a_run_that_rounds_is_said_of_exact_arithmetic() -> None:
    """In bfloat16 this run lands on the minimiser before any learning rate could bring it there."""
    problem, rule = Booth(x0=[1.0, -0.1]), GradientDescent(lr=0.0925)
    run = descend(problem, rule, Stopping(4.4e-6), dtype="bfloat16")
    known = distance_from_best(problem, run)
    assert run.converged
    assert known is not None
    assert run.iterations < known.best.iterations
    assert str(known) == (
        f"needs {run.iterations} iterations; in exact arithmetic no lr needs fewer than "
        f"{known.best.iterations}, and any method of this kind at least 2"
    )


def test_a_grid_that_was_not_searched_to_its_end_claims_nothing(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(best_module, "MAX_WORK", 10_000)
    problem, rule = Quadratic(), Nesterov(momentum=0.9)
    best = fewest(problem, rule, problem.start(0), 1e-5)
    assert best is not None
    assert (best.among, best.certain) == ("one", False)
    known = distance(problem, rule, 1e-5, best.iterations, problem.start(0))
    assert "no faster lr is known" in str(known)


def test_the_distance_is_one_sentence() -> None:
    problem = Matrix(x0=NOTEBOOK)
    sentence = str(distance_from_best(problem, descend(problem)))
    assert sentence == (
        "needs 19 iterations; in exact arithmetic lr 4.5 needs 1, and any method of this kind at "
        "least 1"
    )
    fastest = str(distance_from_best(problem, descend(problem, GradientDescent(lr=4.5))))
    assert fastest == (
        "needs 1 iteration; in exact arithmetic no lr needs fewer than 1, and any method of this "
        "kind at least 1"
    )
    lost = str(distance_from_best(problem, descend(problem, GradientDescent(lr=10.0))))
    assert lost.startswith("does not get there; in exact arithmetic lr 4.5 needs 1,")
    known = distance(problem, GradientDescent(), 1e-5, 19, problem.start(0))
    assert known is not None
    assert (known.iterations, known.best.iterations, known.floor) == (19, 1, 1)
