"""Plans of shipped problems and rules make the descents that torch makes."""

from __future__ import annotations

import pytest
import torch

from gdexp.descent.single_descent import descend
from gdexp.descent.stopping import Stopping
from gdexp.engine.agreement import check_against_torch
from gdexp.engine.interpreter import Interpreter
from gdexp.engine.make_plan import plan_for
from gdexp.engine.not_portable import NotPortable
from gdexp.engine.plan import Plan
from gdexp.optimizers.adaptive import Adagrad, Adam, RMSprop
from gdexp.optimizers.base import Coefficient, State, UpdateRule
from gdexp.optimizers.momentum import GradientDescent, Momentum
from gdexp.optimizers.registry import RULES
from gdexp.optimizers.torch_optim import TorchOptimizer
from gdexp.problems.base import Problem
from gdexp.problems.custom import ModuleProblem
from gdexp.problems.factorization import Factorization
from gdexp.problems.facts import consecutive_parts
from gdexp.problems.function import Function
from gdexp.problems.matrix import Matrix
from gdexp.problems.quadratic import Quadratic
from gdexp.problems.registry import PROBLEMS
from gdexp.problems.transformed import Transformed

DTYPES = ("float32", "float64")

NAMES = ["matrix", "autograd", "function", "quadratic", "booth", "matyas", "rosenbrock", "beale"]
NAMES += ["himmelblau", "rastrigin", "hyperbola", "ols", "logistic", "bbob"]

RULE_NAMES = ["gd", "momentum", "nesterov", "adagrad", "rmsprop", "adam", "adamw"]
RULE_NAMES += ["damped", "centered", "decayed"]
ACCELERATED = {"fast_gradient", "ogm", "ogm_g", "triple_momentum", "chebyshev_semi_iteration"}
"""Rules whose coefficients change: `scripts/bench bits` compares them with torch."""

RATES = {"gd": 1e-3, "momentum": 1e-3, "nesterov": 1e-3}


def rules() -> dict[str, UpdateRule]:
    """Each shipped rule that is a pure function, and the formulas that its booleans choose."""
    pure = {name: RULES[name] for name in RULE_NAMES if name in RULES}
    made = {name: kind(lr=RATES.get(name, 1e-2)) for name, kind in pure.items()}  # type: ignore[call-arg]
    return {
        **made,
        "damped": Momentum(lr=1e-3, dampening=0.5),
        "centered": RMSprop(lr=1e-3, centered=True, momentum=0.5),
        "decayed": Adagrad(lr=0.1, lr_decay=0.1, initial_accumulator_value=0.5),
    }


def losses_of(plan: Plan, rule: UpdateRule, x: torch.Tensor, iterations: int) -> list[float]:
    """The losses of a plan's descent, interpreted."""
    dtype = getattr(torch, plan.dtype)
    evaluate, first, update = map(Interpreter, (plan.evaluate, plan.first, plan.update))
    now = {"x": x.to(dtype).unsqueeze(0)}
    losses = []
    for k in range(iterations + 1):
        found = evaluate({"x": now["x"]})
        losses.append(float(found["loss"][0]))
        numbers = [c for c in rule.coefficients(k + 1) if not isinstance(c, bool)]
        given = {f"coefficient{i}": torch.tensor([c], dtype=dtype) for i, c in enumerate(numbers)}
        now = (update if k else first)({**now, "gradient": found["gradient"], **given})
    return losses


def torch_losses(problem: Problem, rule: UpdateRule, dtype: str, iterations: int) -> list[float]:
    stopping = Stopping(threshold=1e-300, max_iterations=iterations)
    made = descend(problem, rule, stopping, seed=1, dtype=dtype, engine="torch")
    return [float(loss) for loss in made.trace]


def count(losses: list[float], threshold: float) -> int:
    return next((k for k, loss in enumerate(losses) if loss <= threshold), -1)


def test_all_shipped_problems_and_rules_are_tried() -> None:
    assert {*NAMES, "factorization"} == set(PROBLEMS)
    assert set(RULE_NAMES) == set(rules())
    others = {name for name, kind in RULES.items() if name not in RULE_NAMES and not kind.searches}
    assert others == {*ACCELERATED, TorchOptimizer.name}


@pytest.mark.slow
@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("name", NAMES)
def test_a_shipped_problem_agrees_with_torch(name: str, dtype: str) -> None:
    problem = PROBLEMS[name]()

    for shown in (problem, Transformed(problem, rotation_seed=2, shift=0.25)):
        plan = plan_for(shown, GradientDescent(), dtype, shown.start(1))
        assert plan.shape == tuple(problem.shape)
        for seed in (1, 2):
            check_against_torch(plan, shown, shown.start(seed) + 0.125)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("name", "rule"),
    [(name, rule) for name in ("matrix", "rosenbrock") for rule in RULE_NAMES]
    + [(name, rule) for name in ("function", "logistic") for rule in ("momentum", "centered")],
)
def test_fifty_losses_are_those_of_torch(name: str, rule: str) -> None:
    problem, made = PROBLEMS[name](), rules()[rule]
    x = problem.start(1)
    plan = plan_for(problem, made, "float64", x)

    ours, theirs = losses_of(plan, made, x, 50), torch_losses(problem, made, "float64", 50)

    assert ours == pytest.approx(theirs, rel=1e-9, abs=1e-12)


@pytest.mark.slow
@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("lr", [0.5, 1.0, 3.0, 4.5, 8.0])
def test_counts_of_the_notebooks_problem_are_those_of_torch(lr: float, dtype: str) -> None:
    problem, rule = Matrix(), GradientDescent(lr=lr)
    x = problem.start(1)
    theirs = torch_losses(problem, rule, dtype, 60)
    ours = losses_of(plan_for(problem, rule, dtype, x), rule, x, 60)

    for threshold in (1e-2, 1e-5, 1e-8):
        assert count(ours, threshold) == count(theirs, threshold)
    assert count(ours, 1e-2) >= 0


@pytest.mark.parametrize("dtype", DTYPES)
def test_counts_of_a_quadratic_are_those_of_torch(dtype: str) -> None:
    problem, rule = Quadratic(dimension=5, mu=0.1), GradientDescent(lr=2 / 1.1)
    x = problem.start(0)
    theirs = torch_losses(problem, rule, dtype, 120)
    ours = losses_of(plan_for(problem, rule, dtype, x), rule, x, 120)

    assert [count(ours, 10.0**-k) for k in range(8)] == [count(theirs, 10.0**-k) for k in range(8)]
    assert count(ours, 1e-7) > 0


def test_the_operations_of_the_factorization_have_a_portable_form() -> None:
    problem = Factorization(rank=2)
    problem.matrix = problem.matrix[:30]
    x = torch.rand(2 * (30 + 64), generator=torch.Generator().manual_seed(0))
    problem._parts = consecutive_parts([("U", (30, 2)), ("V", (64, 2))])

    plan = plan_for(problem, GradientDescent(), "float64", x)

    check_against_torch(plan, problem, x)


def test_a_users_module_is_portable() -> None:
    torch.manual_seed(0)
    module = torch.nn.Sequential(
        torch.nn.Linear(3, 8), torch.nn.LayerNorm(8), torch.nn.GELU(), torch.nn.Linear(8, 4)
    )
    problem = ModuleProblem(
        module, torch.rand(6, 3), torch.arange(6) % 4, torch.nn.functional.cross_entropy
    )
    x = problem.start(0)

    for dtype in DTYPES:
        plan = plan_for(problem, Adam(), dtype, x)
        check_against_torch(plan, problem, x)


def test_equal_problems_have_equal_plans() -> None:
    one, two, other = (
        plan_for(Function(points=points), Adam(), "float32", Function().start(0))
        for points in (64, 64, 65)
    )

    assert one.sha256 == two.sha256
    assert one.sha256 != other.sha256


def test_states_are_those_of_the_rule() -> None:
    problem = Matrix()
    shapes = {
        name: plan_for(problem, rule, "float32", problem.start(0)).state_shapes
        for name, rule in rules().items()
    }

    assert {name: len(found) for name, found in shapes.items()} == {
        "gd": 0,
        "momentum": 1,
        "nesterov": 1,
        "adagrad": 1,
        "rmsprop": 2,
        "adam": 2,
        "adamw": 2,
        "damped": 1,
        "centered": 3,
        "decayed": 1,
    }


def test_booleans_of_a_rule_are_no_coefficients() -> None:
    problem = Matrix()

    plan = plan_for(problem, RMSprop(centered=True), "float32", problem.start(0))

    assert plan.coefficients == 5


@pytest.mark.slow
def test_a_rule_with_state_of_its_own_is_refused() -> None:
    problem = Matrix()

    with pytest.raises(NotPortable, match="keeps its own state"):
        plan_for(problem, TorchOptimizer(), "float32", problem.start(0))


def test_a_rule_that_branches_on_a_coefficient_is_refused() -> None:
    class Branching(GradientDescent):
        @staticmethod
        def update(
            x: torch.Tensor, gradient: torch.Tensor, state: State, *coefficients: Coefficient
        ) -> tuple[torch.Tensor, State]:
            (lr,) = coefficients
            return (x - lr * gradient if lr > 0.4 else x), state

    problem = Matrix()

    with pytest.raises(NotPortable, match="_local_scalar_dense"):
        plan_for(problem, Branching(), "float32", problem.start(0))
