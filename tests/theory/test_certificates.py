"""Certificates against published numbers, functions that attain them, and other closed forms."""

from __future__ import annotations

import json
import math
from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from gdexp import (
    Adam,
    ChebyshevSemiIteration,
    Cosine,
    FastGradient,
    GradientDescent,
    Momentum,
    Nesterov,
    OptimalConstant,
    OptimizedGradient,
    Quadratic,
    Rosenbrock,
    Silver,
    Stopping,
    TripleMomentum,
    certify,
    descend,
)
from gdexp.cli.main import main
from gdexp.core import BadInput, GdexpError
from gdexp.optimizers import UpdateRule, optimal_constant_step, silver_worst
from gdexp.theory import performance_estimation, stored_worst_cases
from gdexp.theory.fixed_steps import residuals, step_matrix
from gdexp.theory.quadratic_class import floor_of_quadratics, worst_of_quadratics
from gdexp.theory.standing import standing

RULES: list[UpdateRule] = [
    GradientDescent(),
    GradientDescent(schedule=Silver()),
    FastGradient(),
    OptimizedGradient(),
    GradientDescent(schedule=Cosine(steps=100)),
]


@pytest.mark.parametrize(
    ("steps", "constant", "silver"),
    [(3, 0.071429, 0.046918), (15, 0.016129, 0.007469), (31, 0.007937, 0.003067)],
)
def test_the_published_worst_cases_of_gd(steps: int, constant: float, silver: float) -> None:
    made = certify(GradientDescent(), steps, smoothness=1, solver="never")
    assert (made.exact, made.method) == (True, "closed form")
    assert made.bound == pytest.approx(constant, abs=1e-6)
    assert made.bound == pytest.approx(1 / (4 * steps + 2), rel=1e-15)
    made = certify(GradientDescent(schedule=Silver()), steps, smoothness=1, solver="never")
    assert (made.exact, made.method) == (True, "solver")
    assert made.bound == pytest.approx(silver, abs=1e-6)
    assert made.bound == pytest.approx(silver_worst(steps), abs=1e-8)
    assert made.solver_gap is not None
    assert made.solver_gap < 1e-7
    assert "PEPit 0.5.1" in made.source


def huber(rule: UpdateRule, steps: int) -> float:
    """The gap after some updates from 1, of the Huber function whose bend makes it largest."""
    best = 0.0
    h = step_matrix(rule, steps)
    for bend in np.geomspace(1e-2, 1, 600).tolist():
        points, slopes = [1.0], []
        for row in h:
            slopes.append(float(np.clip(points[-1], -bend, bend)))
            points.append(1 - float(row[: len(slopes)] @ slopes))
        last = abs(points[-1])
        best = max(best, last * last / 2 if last < bend else bend * last - bend * bend / 2)
    return best


@pytest.mark.slow
@pytest.mark.parametrize("rule", RULES, ids=lambda rule: rule.name)
def test_no_huber_function_and_no_parabola_is_worse_and_one_of_them_is_as_bad(
    rule: UpdateRule,
) -> None:
    for steps in (1, 3, 7):
        bound = certify(rule, steps, smoothness=1, solver="never").bound
        worst = max(huber(rule, steps), worst_of_quadratics(rule, steps, 0.0, 1.0))
        assert worst <= bound + 1e-7
        if rule.name != "fast_gradient":
            assert worst == pytest.approx(bound, rel=2e-3)


def test_ogm_has_the_floor_of_all_methods_at_its_horizon() -> None:
    for steps in (1, 7, 50):
        rule = OptimizedGradient(lr=0.5, horizon=steps)
        made = certify(rule, steps, smoothness=2, distance=3)
        assert (made.exact, made.method) == (True, "closed form")
        assert made.bound == pytest.approx(made.floor, rel=1e-12)
        assert made.bound == pytest.approx(huber_share(steps) * 2 * 9, rel=1e-12)


def huber_share(steps: int) -> float:
    theta = 1.0
    for i in range(steps):
        theta = (1 + math.sqrt(1 + (8 if i == steps - 1 else 4) * theta**2)) / 2
    return 1 / (2 * theta**2)


@pytest.mark.slow
def test_every_stored_worst_case_is_between_the_floor_and_what_is_proven() -> None:
    stored = stored_worst_cases._stored()
    assert len(stored["entries"]) == 8
    for entry in stored["entries"]:
        assert max(entry["gaps"]) < 1e-7
        for steps in (2, 16, 31):
            rule = stored_worst_cases.rule_of(entry["rule"], steps)
            made = certify(rule, steps, smoothness=1, solver="never")
            assert made.floor is not None
            assert made.floor - 1e-8 <= made.bound <= 0.5
            assert worst_of_quadratics(rule, steps, 0.0, 1.0) <= made.bound + 1e-8
    first = certify(FastGradient(), 31, smoothness=1)
    assert first.bound <= 2 / 32**2  # the bound of Beck and Teboulle is of y, but holds here too


def test_silver_steps_promise_less_after_2_to_the_m_updates() -> None:
    def bound(steps: int) -> float:
        return certify(GradientDescent(schedule=Silver()), steps, smoothness=1).bound

    assert bound(8) == pytest.approx(bound(16), abs=1e-6)
    assert bound(16) == pytest.approx(bound(2), abs=1e-6)
    assert bound(15) < bound(7) < bound(8)
    made = certify(GradientDescent(schedule=Silver()), 63, smoothness=1, solver="never")
    assert (made.exact, made.kind, made.method) == (False, "bound", "closed form")
    assert made.bound > silver_worst(63)


@pytest.mark.parametrize("steps", [1, 3, 10])
def test_the_optimal_constant_step_balances_huber_and_parabola(steps: int) -> None:
    h = optimal_constant_step(steps)
    assert 1 / (2 * steps * h + 1) == pytest.approx((1 - h) ** (2 * steps), rel=1e-12)
    rule = GradientDescent(schedule=OptimalConstant(horizon=steps))
    made = certify(rule, steps, smoothness=1, solver="never")
    assert made.bound == pytest.approx(1 / (4 * steps * h + 2), abs=1e-7)
    assert optimal_constant_step(1) == pytest.approx(1.5, rel=1e-15)


def test_gd_on_quadratics_has_its_closed_form() -> None:
    for steps, h, mu in ((1, 0.5, 0.1), (7, 1.5, 0.0), (20, 1.0, 0.01)):
        peak = 1 / (h * (2 * steps + 1))
        at = [value for value in (mu, 1.0, peak) if value >= mu]
        worst = max(value * (1 - h * value) ** (2 * steps) / 2 for value in at)
        made = certify(
            GradientDescent(h / 3),
            steps,
            smoothness=3,
            strong_convexity=3 * mu,
            functions="quadratic",
        )
        assert made.bound == pytest.approx(3 * worst, rel=1e-9)
        assert made.exact


@pytest.mark.slow
def test_chebyshev_is_near_the_floor_of_quadratics_and_nothing_is_below_it() -> None:
    for mu in (0.5, 0.01, 0.0):
        for steps in (1, 12):
            floor = floor_of_quadratics(steps, mu, 1.0)
            rules: list[UpdateRule] = [
                GradientDescent(1.5),
                Nesterov(0.6, 0.5),
                OptimizedGradient(),
            ]
            if mu:
                rules += [
                    ChebyshevSemiIteration(condition=1 / mu),
                    TripleMomentum(condition=1 / mu),
                ]
            worst = [worst_of_quadratics(rule, steps, mu, 1.0) for rule in rules]
            assert min(worst) >= floor * (1 - 1e-9)
    ratio = worst_of_quadratics(ChebyshevSemiIteration(condition=2.0), 8, 0.5, 1.0)
    assert ratio <= 2 * floor_of_quadratics(8, 0.5, 1.0)


SOLVED = [  # mu, h, N and the worst case of PEPit 0.5.1 with Clarabel, for L = 1
    (0.0, 1.5, 1, 0.125),
    (0.05, 1.0, 1, 0.158194566),
    (0.05, 1.5, 2, 0.060104164),
    (0.15, 0.5, 3, 0.100478414),
    (0.025, 1.9, 2, 0.32805),
    (0.3, 1.3, 3, 0.00801719),
    (0.005, 1.7, 7, 0.01894758),
]


@pytest.mark.parametrize(("mu", "rate", "steps", "solved"), SOLVED)
def test_gd_with_any_stable_rate_has_its_worst_case(
    mu: float, rate: float, steps: int, solved: float
) -> None:
    made = certify(
        GradientDescent(rate / 4), steps, smoothness=4, strong_convexity=4 * mu, distance=0.5
    )
    assert (made.exact, made.method) == (True, "closed form")
    assert made.bound == pytest.approx(solved, abs=1e-7)
    assert made.floor is not None
    assert made.floor <= made.bound
    steep, bent = (1 - rate) ** (2 * steps) / 2, bent_parabola(rate, steps, mu)
    assert max(steep, bent) == pytest.approx(made.bound, rel=2e-3)
    assert max(steep, bent) <= made.bound * (1 + 1e-12)


def bent_parabola(rate: float, steps: int, mu: float) -> float:
    """The gap from 1 of the parabola of curvature 1 that bends to mu at the worst place."""
    worst = 0.0
    for bend in np.geomspace(1e-2, 1, 1000).tolist():
        x = 1.0
        for _ in range(steps):
            x -= rate * (mu * x + (1 - mu) * float(np.clip(x, -bend, bend)))
        inner = min(abs(x), bend)
        worst = max(worst, mu * x * x / 2 + (1 - mu) * (inner * abs(x) - inner * inner / 2))
    return worst


def test_a_small_mu_changes_little_and_a_large_n_is_no_trouble() -> None:
    weak = certify(GradientDescent(), 5, smoothness=1, strong_convexity=1e-12)
    assert weak.bound == pytest.approx(1 / 22, rel=1e-9)
    for mu, rate in ((0.5, 1.0), (1.0, 0.5), (0.8, 1.25)):
        far = certify(GradientDescent(rate), 10**6, smoothness=1, strong_convexity=mu)
        assert far.bound == 0
    for rate in (2.0, 2.5):
        with pytest.raises(BadInput, match="no bound in closed form"):
            certify(GradientDescent(rate), 3, smoothness=1, solver="never")
    assert certify(Momentum(5.0), 0, smoothness=1, strong_convexity=0.5).bound == 0.5


def test_strong_convexity_makes_a_bound_of_what_was_exact() -> None:
    for rule in (GradientDescent(schedule=Silver()), FastGradient(), OptimizedGradient(horizon=8)):
        convex = certify(rule, 8, smoothness=1, solver="never")
        strong = certify(rule, 8, smoothness=1, strong_convexity=0.1, solver="never")
        assert strong.bound == pytest.approx(convex.bound, rel=1e-7)
        assert convex.exact
        assert strong.kind == "bound"
        assert strong.methods == "method whose steps combine the gradients"
        assert "0.1-strongly convex" in strong.assumptions[0]


def test_the_matrix_of_steps_is_what_the_rule_does_on_a_quadratic() -> None:
    for rule in (*RULES, Momentum(0.3, 0.5, 0.2), Nesterov(0.3), TripleMomentum(condition=9.0)):
        for value in (0.2, 1.0):
            errors = [1.0]
            for row in step_matrix(rule, 9):
                errors.append(1 - value * float(row[: len(errors)] @ errors))
            assert residuals(rule, 9, np.array([value]))[0] == pytest.approx(errors[-1], abs=1e-10)


def test_a_descent_stands_between_its_class_and_all_methods() -> None:
    problem = Quadratic()
    x0 = problem.start(0)
    said = standing(problem, GradientDescent(1.5), 59, 1e-3, x0)
    assert said is not None
    assert "after 59 iterations its gap is 0.001; in exact arithmetic" in said
    assert standing(Rosenbrock(), GradientDescent(), 59, 1e-3, Rosenbrock().start(0)) is None
    assert standing(problem, Adam(), 59, 1e-3, x0) is None
    result = descend(problem, GradientDescent(1.5), Stopping(1e-300, 59), dtype="float64")
    known = certify(
        GradientDescent(1.5),
        59,
        smoothness=1,
        strong_convexity=0.01,
        functions="quadratic",
        distance=float(x0.norm()),
    )
    assert result.final_loss <= known.bound
    assert f"promises {known.bound:.3g}" in said


REFUSED: list[tuple[UpdateRule, int, dict[str, Any], str]] = [
    (Adam(), 3, {"smoothness": 1}, "optimizer.name=adam: must have fixed steps"),
    (GradientDescent(), -1, {"smoothness": 1}, "steps=-1"),
    (GradientDescent(), 3, {"smoothness": 0}, "smoothness=0"),
    (
        GradientDescent(),
        3,
        {"smoothness": 1, "strong_convexity": 2},
        "must be at most smoothness=1",
    ),
    (GradientDescent(), 3, {"smoothness": 1, "functions": "cubic"}, "choose from convex"),
    (TripleMomentum(), 3, {"smoothness": 1}, "must be > 0 with optimizer=triple_momentum"),
    (GradientDescent(3.0), 3, {"smoothness": 1, "solver": "never"}, "no bound in closed form"),
]


@pytest.mark.parametrize(("rule", "steps", "values", "said"), REFUSED)
def test_what_cannot_be_certified_is_refused(
    rule: UpdateRule, steps: int, values: dict[str, Any], said: str
) -> None:
    with pytest.raises(BadInput, match=said):
        certify(rule, steps, **values)


def test_without_pepit_the_extra_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(performance_estimation, "available", lambda: False)
    with pytest.raises(GdexpError, match=r"pip install 'gdexp\[pep\]'"):
        certify(GradientDescent(), 3, smoothness=1, solver="always")
    with pytest.raises(BadInput, match=r"pip install 'gdexp\[pep\]'"):
        certify(Momentum(), 3, smoothness=1)


@pytest.mark.parametrize(
    ("mu", "stated", "solved"),
    [(0.0, "0.014721", (0.01472072321, 0.01472060311)), (0.01, "0.014722", (0.01472072321,))],
)
def test_a_solvers_bound_is_stated_with_the_digits_that_two_runs_of_it_share(
    mu: float, stated: str, solved: tuple[float, ...]
) -> None:
    rule = GradientDescent(schedule=Silver())
    made = certify(rule, 24, smoothness=1, strong_convexity=mu, solver="never")
    assert (made.exact, made.stated_bound) == (mu == 0, stated)
    assert f" {stated}: " in str(made)
    for bound in solved:  # on two processors
        again = replace(made, bound=bound)
        assert again.stated_bound == stated
        assert made.exact or float(again.stated_bound) >= bound * (1 + 5e-5)
    proven = certify(GradientDescent(), 24, smoothness=1)
    assert proven.stated_bound == f"{1 / 98:.8g}"


@pytest.mark.slow
def test_the_command_answers_with_bound_method_and_assumptions(
    capsys: pytest.CaptureFixture[str],
) -> None:
    given = "+certify optimizer.lr=1 optimizer/schedule=silver certify.steps=15 output=json "
    given += "certify.smoothness=1 certify.strong_convexity=0"
    assert main(given.split()) == 0
    said = json.loads(capsys.readouterr().out)
    assert said["bound"] == pytest.approx(0.007469, abs=1e-6)
    assert said["method"] == "solver"
    assert "exact arithmetic" in said["assumptions"]
    assert main(["+certify", "problem=quadratic", "certify.functions=quadratic"]) == 0
    assert "worst case" in capsys.readouterr().out
    assert main(["+certify", "problem=rosenbrock"]) == 2
    assert "rosenbrock declares no curvature" in capsys.readouterr().err
    assert main(["+certify", "certify.steps=-1", "certify.smoothness=1"]) == 2
    assert "certify.steps=-1" in capsys.readouterr().err
