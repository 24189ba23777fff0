"""The update rules against torch.optim, against their formulas, and alone against in a batch.

torch's CPU kernels fuse `x.add_(d, alpha=-lr)` into one multiply-add where the notebook's
`x - lr * d` rounds twice. So the rules built on it have torch's bits exactly when every such
multiplier (lr, 1 - dampening, Nesterov's momentum) is a power of two, whose product is exact
until it underflows; with other numbers one step from the same state is within 4 ulp of the
largest entry. For the adaptive rules, whose averages torch fuses too, it is within 8 ulp, but
for centered RMSprop: only its averages are, as it divides by the root of a difference of two
nearly equal ones.
"""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import torch

import gdexp
from gdexp import Autograd, Matrix, Problem, Stopping
from gdexp.core.errors import BadInput
from gdexp.descent.autograd import gradient_like
from gdexp.descent.stopping import Status
from gdexp.optimizers.adaptive import Adagrad, Adam, AdamW, RMSprop
from gdexp.optimizers.base import State, UpdateRule
from gdexp.optimizers.momentum import GradientDescent, Momentum, Nesterov
from gdexp.optimizers.registry import RULES
from gdexp.optimizers.schedules import Constant, Cosine, InverseTime, Schedule, StepDecay, Warmup
from gdexp.optimizers.torch_optim import TorchOptimizer
from tests.support import names
from tests.support.long_form import share
from tests.support.names import BATCHABLE_RULES

STEPS = share(500, 5)


def descend(*given: Any, **named: Any) -> gdexp.Result:
    """Descend by torch: it is its bits that the rules are compared with."""
    return gdexp.descend(*given, engine="torch", **named)


class IllConditioned(Problem):
    shape = (7,)

    def __init__(self) -> None:
        super().__init__()
        self.eigenvalues = torch.logspace(-3, 0, 7, dtype=torch.float64)

    def loss(self, x: torch.Tensor) -> torch.Tensor:
        return (self.eigenvalues * x * x).sum() / 2


class Rosenbrock(Problem):
    def __init__(self) -> None:
        super().__init__([-1.2, 1.0])

    def loss(self, x: torch.Tensor) -> torch.Tensor:
        return 100 * (x[1] - x[0] ** 2) ** 2 + (1 - x[0]) ** 2


class Logistic(Problem):
    shape = (4,)

    def __init__(self) -> None:
        super().__init__()
        generator = torch.Generator().manual_seed(3)
        self.rows = torch.randn(40, 4, generator=generator, dtype=torch.float64)
        noise = torch.randn(40, generator=generator, dtype=torch.float64)
        self.labels = torch.sign(self.rows.sum(1) + noise)

    def loss(self, x: torch.Tensor) -> torch.Tensor:
        margins = self.labels * (self.rows @ x)
        return torch.nn.functional.softplus(-margins).mean() + 0.005 * (x * x).sum()


class Flat(Problem):
    """Stands still at once, and never converges."""

    def __init__(self) -> None:
        super().__init__([0.0, 0.0])

    def loss(self, x: torch.Tensor) -> torch.Tensor:
        return 1 + (x * x).sum()


PROBLEMS: dict[str, tuple[Callable[[], Problem], float]] = {
    "ill-conditioned": (IllConditioned, 0.1),
    "matrix": (Matrix, 0.3),
    "autograd": (Autograd, 0.03),
    "rosenbrock": (Rosenbrock, 1e-4),
    "network": (lambda: gdexp.Function(hidden=(6,), points=32), 0.05),
    "logistic": (Logistic, 0.3),
}
"""Each with a learning rate at which plain descent, momentum and Nesterov stay finite."""

SGD: list[tuple[UpdateRule, dict[str, Any]]] = [
    (GradientDescent(), {}),
    (Momentum(momentum=0.9), {"momentum": 0.9}),
    (Momentum(momentum=0.9, dampening=0.3), {"momentum": 0.9, "dampening": 0.3}),
    (Nesterov(momentum=0.9), {"momentum": 0.9, "nesterov": True}),
]
ADAPTIVE: list[tuple[UpdateRule, str, dict[str, Any], list[str]]] = [
    (
        Adagrad(lr=0.05, lr_decay=0.01, initial_accumulator_value=0.1, eps=1e-6),
        "Adagrad",
        {"lr_decay": 0.01, "initial_accumulator_value": 0.1, "eps": 1e-6},
        ["sum"],
    ),
    (RMSprop(lr=0.003), "RMSprop", {}, ["square_avg", "!zero"]),
    (
        RMSprop(lr=0.003, alpha=0.9, eps=0.1, momentum=0.5, centered=True),
        "RMSprop",
        {"alpha": 0.9, "eps": 0.1, "momentum": 0.5, "centered": True},
        ["square_avg", "~momentum_buffer", "grad_avg"],
    ),
    (Adam(lr=0.01), "Adam", {}, ["exp_avg", "exp_avg_sq"]),
    (
        AdamW(lr=0.01, beta1=0.7, beta2=0.95, eps=1e-5, weight_decay=0.3),
        "AdamW",
        {"betas": (0.7, 0.95), "eps": 1e-5, "weight_decay": 0.3},
        ["exp_avg", "exp_avg_sq"],
    ),
]


def start(name: str, dtype: torch.dtype) -> tuple[Problem, torch.Tensor]:
    problem = PROBLEMS[name][0]()
    return problem.to(dtype, torch.device("cpu")), problem.start(0).to(dtype).clone()


def compare_with_torch(
    problem: Problem,
    x: torch.Tensor,
    rule: UpdateRule,
    class_name: str,
    options: dict[str, Any],
    keys: list[str],
) -> float:
    """The largest difference, in ulp of the largest entry, of single steps along torch's path.

    The entries are those of the point and of each state tensor before and after the step, and of
    the gradient for averages of it. `keys` names the state tensors in the rule's order; one that
    torch does not keep has a `!`; a `~` marks one that is not compared, and nor is the point.
    """
    parameter = x.clone().requires_grad_()
    plainest = {"foreach": False} if class_name == "RMSprop" else {"foreach": False, "fused": False}
    build: Callable[..., torch.optim.Optimizer] = getattr(torch.optim, class_name)
    optimizer = build([parameter], lr=rule.lr, **plainest, **options)  # type: ignore[attr-defined]
    gradient = gradient_like(problem.loss(parameter))
    rows: list[list[torch.Tensor]] = [[], [], []]  # ours, theirs, and what it was before
    for k in range(1, STEPS + 1):
        held = optimizer.state[parameter]
        here = parameter.detach().clone()
        before: State = ()
        if k > 1:
            before = tuple(
                torch.zeros_like(x) if key[0] == "!" else held[key.lstrip("~")].clone()
                for key in keys
            )
        parameter.grad = gradient(problem.loss(parameter), parameter)
        ours, after = rule.update(here, parameter.grad, before, *rule.coefficients(k))
        optimizer.step()
        entries = []
        if not any(key.startswith("~") for key in keys):
            entries.append((ours, parameter.detach().clone(), here))
        for i, key in enumerate(keys):
            if key[0].isalpha():
                averages_gradients = key in ("momentum_buffer", "exp_avg", "grad_avg")
                scale = parameter.grad.abs() if averages_gradients else torch.zeros_like(x)
                scale = torch.maximum(scale, before[i].abs()) if before else scale
                entries.append((after[i], held[key].clone(), scale))
        for row, values in zip(rows, zip(*entries, strict=True), strict=True):
            row.append(torch.stack(values))
    mine, other, was = (torch.stack(each).double().flatten(2) for each in rows)
    assert torch.isfinite(other).all()
    ulp = torch.maximum(other.abs().amax(2), was.abs().amax(2)) * torch.finfo(x.dtype).eps
    return float(((mine - other).abs().amax(2) / ulp.clamp_min(1e-300)).max())


@pytest.mark.slow
@pytest.mark.parametrize("problem_name", PROBLEMS)
@pytest.mark.parametrize(("rule", "options"), SGD, ids=str)
def test_a_step_of_gd_momentum_and_nesterov_is_within_4_ulp_of_torch(
    rule: UpdateRule, options: dict[str, Any], problem_name: str
) -> None:
    rule = dataclasses.replace(rule, lr=PROBLEMS[problem_name][1])  # type: ignore[call-arg]
    keys = ["momentum_buffer"] if options else []
    for dtype in (torch.float32, torch.float64)[: 1 + (problem_name == "matrix")]:
        problem, x = start(problem_name, dtype)
        assert compare_with_torch(problem, x, rule, "SGD", options, keys) <= 4


@pytest.mark.slow
@pytest.mark.parametrize("problem_name", ["autograd", "rosenbrock", "network"])
@pytest.mark.parametrize(("rule", "class_name", "options", "keys"), ADAPTIVE, ids=str)
def test_a_step_of_an_adaptive_rule_is_within_8_ulp_of_torch(
    rule: UpdateRule, class_name: str, options: dict[str, Any], keys: list[str], problem_name: str
) -> None:
    problem, x = start(problem_name, torch.float32)
    assert compare_with_torch(problem, x, rule, class_name, options, keys) <= 8


@pytest.mark.slow
@pytest.mark.parametrize("problem_name", PROBLEMS)
@pytest.mark.parametrize(
    ("rule", "options"),
    [
        (GradientDescent(), {}),
        (Momentum(momentum=0.9), {"momentum": 0.9}),
        (Momentum(momentum=0.9, dampening=0.5), {"momentum": 0.9, "dampening": 0.5}),
        (Nesterov(momentum=0.5), {"momentum": 0.5, "nesterov": True}),
    ],
    ids=str,
)
def test_steps_have_torchs_bits_where_its_fused_multipliers_are_powers_of_two(
    rule: UpdateRule, options: dict[str, Any], problem_name: str
) -> None:
    lr = 2.0 ** math.floor(math.log2(PROBLEMS[problem_name][1]))
    stopping = Stopping(threshold=1e-300, max_iterations=STEPS)
    ours = dataclasses.replace(rule, lr=lr)  # type: ignore[call-arg]
    theirs = TorchOptimizer("SGD", lr=lr, options=options)
    for dtype in (torch.float32, torch.float64)[: 1 + (problem_name == "matrix")]:
        a = descend(PROBLEMS[problem_name][0](), ours, stopping, dtype=dtype)
        b = descend(PROBLEMS[problem_name][0](), theirs, stopping, dtype=dtype)
        assert a.trace.tobytes() == b.trace.tobytes()
        assert a.final.numpy().tobytes() == b.final.numpy().tobytes()


COUNTED: list[tuple[UpdateRule, str, dict[str, Any]]] = [
    *((rule, "SGD", options) for rule, options in SGD),
    *((rule, class_name, options) for rule, class_name, options, _ in ADAPTIVE),
]


@pytest.mark.slow
@pytest.mark.parametrize(("rule", "class_name", "options"), COUNTED, ids=str)
def test_every_rule_needs_as_many_iterations_as_torch(
    rule: UpdateRule, class_name: str, options: dict[str, Any]
) -> None:
    compared = 0
    for name, (make, lr) in PROBLEMS.items():
        if class_name == "SGD":
            rule = dataclasses.replace(rule, lr=lr)  # type: ignore[call-arg]
        theirs = TorchOptimizer(class_name, lr=rule.lr, options=options)  # type: ignore[attr-defined]
        allowed = Stopping(threshold=1e-300, max_iterations=share(160, 2))
        trace = descend(make(), rule, allowed).trace - make().reference
        # Between the gaps that one iteration connects, away from both by far more than rounding.
        middle = (len(trace) - 1) // 2
        low, high = sorted(trace[middle - 1 : middle + 1].tolist())
        if not 0 < low < 0.9999 * high:
            continue
        stopping = Stopping(threshold=math.sqrt(low * high), max_iterations=allowed.max_iterations)
        ours, torchs = descend(make(), rule, stopping), descend(make(), theirs, stopping)
        assert ours.status is torchs.status is Status.CONVERGED
        assert ours.iterations == torchs.iterations, name
        compared += 1
    assert compared >= 4


def test_gd_is_the_notebooks_line_bit_for_bit() -> None:
    lr = 0.3
    x = torch.rand(3, 3, generator=torch.Generator().manual_seed(0))
    problem = Matrix(x0=x)
    result = descend(problem, GradientDescent(lr), Stopping(threshold=1e-300, max_iterations=60))
    target = problem.target.float()
    losses = []
    for _ in range(61):
        x.requires_grad_()
        loss = torch.nn.functional.mse_loss(x, target)
        losses.append(loss.item())
        loss.backward()
        assert x.grad is not None
        before, x = x.detach(), (x - lr * x.grad).detach()
    assert result.trace.tolist() == losses
    assert torch.equal(result.final, before)


def test_the_first_velocity_is_the_gradient_undamped() -> None:
    x, gradient = torch.tensor([1.0]), torch.tensor([4.0])
    rule = Momentum(lr=0.5, momentum=0.5, dampening=0.25)
    x, state = rule.update(x, gradient, (), *rule.coefficients(1))
    assert (x.item(), state[0].item()) == (-1.0, 4.0)
    x, state = rule.update(x, gradient, state, *rule.coefficients(2))
    assert (x.item(), state[0].item()) == (-3.5, 5.0)


def test_nesterov_looks_ahead_by_the_momentum() -> None:
    rule = Nesterov(lr=0.5, momentum=0.5)
    x, state = rule.update(torch.tensor([1.0]), torch.tensor([4.0]), (), *rule.coefficients(1))
    assert (x.item(), state[0].item()) == (1 - 0.5 * (4 + 0.5 * 4), 4.0)


def test_adagrads_first_step_is_lr_times_the_sign() -> None:
    rule = Adagrad(lr=0.5, eps=0.0)
    x, _ = rule.update(torch.zeros(2), torch.tensor([4.0, -0.01]), (), *rule.coefficients(1))
    assert x.tolist() == pytest.approx([-0.5, 0.5])


def test_rmsprops_first_step_is_lr_over_the_root_of_one_minus_alpha() -> None:
    rule = RMSprop(lr=0.5, alpha=0.75, eps=0.0)
    x, _ = rule.update(torch.zeros(2), torch.tensor([4.0, -0.01]), (), *rule.coefficients(1))
    assert x.tolist() == pytest.approx([-1.0, 1.0])


def test_a_variance_that_rounding_makes_negative_counts_as_0() -> None:
    rule, gradient = RMSprop(alpha=0.9, centered=True), torch.tensor([0.1, 0.7, 3.3])
    x, state = torch.zeros(3), ()
    for k in range(1, 400):
        x, state = rule.update(x, gradient, state, *rule.coefficients(k))
    square, _, mean = state
    assert (square - mean * mean).min() < 0
    assert torch.isfinite(x).all()


@pytest.mark.parametrize("eps", [1e-8, 0.5])
def test_adams_first_step_is_lr_gradient_over_its_size_plus_eps(eps: float) -> None:
    gradient = torch.tensor([4.0, -0.25, 1e-3, 0.0], dtype=torch.float64)
    rule = Adam(lr=0.1, eps=eps)
    x, _ = rule.update(torch.zeros_like(gradient), gradient, (), *rule.coefficients(1))
    expected = -0.1 * gradient / (gradient.abs() + eps)
    assert torch.allclose(x, expected, rtol=1e-13, atol=0)


def test_adamw_shrinks_x_by_rate_times_decay_and_then_steps_as_adam() -> None:
    x, gradient = torch.tensor([2.0]), torch.tensor([0.0])
    rule = AdamW(lr=0.5, weight_decay=0.5)
    assert rule.update(x, gradient, (), *rule.coefficients(1))[0].item() == 1.5
    plain, none = Adam(lr=0.01), AdamW(lr=0.01, weight_decay=0.0)
    a, b = (descend(Matrix(), each, Stopping(max_iterations=50)) for each in (plain, none))
    assert a.trace.tobytes() == b.trace.tobytes()


def varied(name: str) -> list[UpdateRule]:
    """Rules of one class, all their numbers different."""
    cls = RULES[name]
    generator = np.random.default_rng(5)
    rules = []
    for _ in range(6):
        values: dict[str, Any] = {}
        for each in dataclasses.fields(cls):
            if isinstance(each.default, float):
                values[each.name] = float(generator.uniform(0.05, 0.95))
        rules.append(cls(**values))
    return rules


def together(rules: list[UpdateRule]) -> UpdateRule:
    """One rule whose floats are arrays, as a batch has it."""
    rule = object.__new__(type(rules[0]))
    for each in dataclasses.fields(rules[0]):
        values = [getattr(one, each.name) for one in rules]
        column = np.array(values) if isinstance(values[0], float) else values[0]
        object.__setattr__(rule, each.name, column)
    return rule


SCHEDULED = [Constant(), InverseTime(0.1), Cosine(steps=30, floor=0.1), StepDecay(7), Warmup(12)]
BATCHES = [pytest.param(name, {}, id=name) for name in BATCHABLE_RULES] + [
    pytest.param("rmsprop", {"centered": True}, id="rmsprop-centered")
]


@pytest.mark.slow
@pytest.mark.parametrize("schedule", SCHEDULED, ids=str)
@pytest.mark.parametrize(("name", "shared"), BATCHES)
def test_coefficients_of_arrays_are_the_numbers_own_bit_for_bit(
    name: str, shared: dict[str, Any], schedule: Schedule
) -> None:
    rules = [dataclasses.replace(rule, schedule=schedule, **shared) for rule in varied(name)]
    rule = together(rules)
    for k in [*range(1, 60), 1000, 100_000]:
        apart = [each.coefficients(k) for each in rules]
        for i, value in enumerate(rule.coefficients(k)):
            column = np.broadcast_to(value, len(rules)).tolist()
            assert column == [each[i] for each in apart]
        settled = np.broadcast_to(rule.constant_from(k), len(rules)).tolist()
        assert settled == [each.constant_from(k) for each in rules]


@pytest.mark.slow
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64], ids=str)
@pytest.mark.parametrize(("name", "shared"), BATCHES)
def test_a_row_of_a_batch_is_the_descent_alone_bit_for_bit(
    name: str, shared: dict[str, Any], dtype: torch.dtype
) -> None:
    rules = [dataclasses.replace(rule, **shared) for rule in varied(name)]
    rule, count = together(rules), len(rules)
    curvature = torch.logspace(-3, 0, 11, dtype=dtype)
    x0 = torch.randn(count, 11, generator=torch.Generator().manual_seed(1)).to(dtype)
    x, state = x0, ()
    for k in range(1, 51):
        told = (
            torch.from_numpy(value).to(dtype).view(count, 1)
            if isinstance(value, np.ndarray)
            else value
            for value in rule.coefficients(k)
        )
        x, state = rule.update(x, curvature * x, state, *told)
    for i, alone in enumerate(rules):
        y, own = x0[i], ()
        for k in range(1, 51):
            y, own = alone.update(y, curvature * y, own, *alone.coefficients(k))
        for row, single in zip((x, *state), (y, *own), strict=True):
            assert row[i].numpy().tobytes() == single.numpy().tobytes()


@pytest.mark.parametrize("name", BATCHABLE_RULES)
def test_an_update_changes_neither_the_point_nor_the_state(name: str) -> None:
    rule, gradient = RULES[name](), torch.tensor([3.0, -2.0])
    x, state = rule.update(torch.ones(2), gradient, (), *rule.coefficients(1))
    held = [each.clone() for each in (x, *state)]
    rule.update(x, gradient, state, *rule.coefficients(2))
    assert all(torch.equal(a, b) for a, b in zip(held, (x, *state), strict=True))
    assert all(each.shape == x.shape for each in state)


@pytest.mark.parametrize(
    ("rule", "first"),
    [
        (GradientDescent(0.1), 1),
        (Momentum(0.1), 1),
        (RMSprop(), 1),
        (Adagrad(), 1),
        (Adam(beta1=0.5, beta2=0.5), 54),
        (Adam(beta1=0.9, beta2=0.5), 356),
        (GradientDescent(0.1, schedule=Warmup(10)), 10),
        (GradientDescent(0.1, schedule=Cosine(20, floor=0.5)), 21),
    ],
    ids=str,
)
def test_a_descent_at_rest_is_stalled_once_its_coefficients_have_settled(
    rule: UpdateRule, first: int
) -> None:
    assert [rule.constant_from(k) for k in (first - 1, first, first + 1)][first == 1 :] == (
        [False, True, True][first == 1 :]
    )
    result = descend(Flat(), rule, Stopping(max_iterations=1000))
    assert (result.status, result.period) == (Status.STALLED, 1)
    # The first update also turns the empty state into one of zeros.
    assert result.iterations in (first, first + 1)


def test_a_repeating_point_is_no_stall_while_the_rate_will_still_change() -> None:
    class Parabola(Problem):
        def loss(self, x: torch.Tensor) -> torch.Tensor:
            return (x * x).sum() / 2

    rule = GradientDescent(lr=2.0, schedule=StepDecay(every=8, factor=0.5))
    result = descend(Parabola([1.0]), rule)
    assert (result.status, result.iterations) == (Status.CONVERGED, 9)
    forever = descend(Parabola([1.0]), GradientDescent(lr=2.0))
    assert (forever.status, forever.period) == (Status.STALLED, 2)


def test_adam_with_its_own_betas_settles_only_after_thirty_thousand_iterations() -> None:
    assert not Adam().constant_from(30_000)
    assert Adam().constant_from(40_000)
    assert not Adam().constant


BAD = [
    (GradientDescent, "lr", 0.0),
    (GradientDescent, "lr", math.nan),
    (GradientDescent, "lr", "1"),
    (Momentum, "momentum", 1.0),
    (Momentum, "dampening", -0.1),
    (Nesterov, "momentum", True),
    (Adagrad, "lr_decay", -1.0),
    (Adagrad, "initial_accumulator_value", -1.0),
    (RMSprop, "alpha", 1.0),
    (RMSprop, "centered", 1),
    (Adam, "beta1", 1.0),
    (Adam, "beta2", -0.5),
    (Adam, "eps", -1e-8),
    (AdamW, "weight_decay", -0.01),
    (Adam, "schedule", "cosine"),
]


@pytest.mark.parametrize(("cls", "key", "value"), BAD)
def test_a_hyperparameter_out_of_range_is_refused_by_its_name(
    cls: Callable[..., UpdateRule], key: str, value: object
) -> None:
    with pytest.raises(BadInput) as caught:
        cls(**{key: value})
    assert caught.value.key == key


@pytest.mark.parametrize("name", BATCHABLE_RULES)
def test_every_rule_holds_floats_and_takes_a_schedule_as_keys(name: str) -> None:
    cls: Callable[..., Any] = RULES[name]
    rule = cls(lr=1, schedule={"name": "cosine", "steps": 5})
    assert isinstance(rule.lr, float)
    assert rule.schedule == Cosine(steps=5)
    with pytest.raises(BadInput, match=r"schedule\.stepz=5: unknown key; did you mean steps\?"):
        cls(schedule={"name": "cosine", "stepz": 5})


def test_rules_are_found_by_the_names_that_users_type() -> None:
    assert list(RULES) == list(names.RULES)
    defaults = {"adagrad": 0.01, "rmsprop": 0.01, "adam": 0.001, "adamw": 0.001, "adgd": 0.001}
    for name, cls in RULES.items():
        if name != "torch":
            assert cls().lr == defaults.get(name, 1.0)  # type: ignore[attr-defined]
