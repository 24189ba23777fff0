"""The descents whose bits are shipped under `tests/data/portable`."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import cache, partial
from typing import Any

import torch
import torch.nn.functional as F

from gdexp import Stopping
from gdexp.optimizers import (
    RULES,
    Chebyshev,
    Constant,
    Cosine,
    GradientDescent,
    InverseEigenvalue,
    InverseTime,
    Momentum,
    RMSprop,
    Schedule,
    Silver,
    StepDecay,
    UpdateRule,
    Warmup,
)
from gdexp.optimizers.line_search import Armijo
from gdexp.problems import PROBLEMS, Bbob, Function, FunctionProblem, Matrix, Problem, Quadratic
from gdexp.problems import Transformed as Moved

DTYPES = ("float32", "float64")
SHORT = 40
"""The most iterations of most descents."""


@dataclass(frozen=True)
class Case:
    """A descent.

    Attributes:
        problem: returns the problem.
        rule: the update rule.
        dtype: float32 or float64.
        stopping: the stopping rule.
    """

    problem: Callable[[], Problem]
    rule: UpdateRule
    dtype: str
    stopping: Stopping = Stopping(1e-9, SHORT)  # noqa: RUF009 - frozen


RATES = {"matrix": 1.0, "autograd": 0.3, "function": 0.1, "quadratic": 1.5, "booth": 0.09}
RATES |= {"matyas": 1.2, "rosenbrock": 0.001, "beale": 0.01, "himmelblau": 0.01}
RATES |= {"rastrigin": 0.002, "hyperbola": 0.2, "ols": 0.3, "logistic": 0.5, "bbob": 0.001}
"""A learning rate of plain gradient descent for each problem that is portable as it is shipped."""

SCHEDULES: dict[str, Schedule] = {
    "constant": Constant(),
    "inverse_time": InverseTime(0.05),
    "cosine": Cosine(30, 0.1),
    "step": StepDecay(7, 0.7),
    "warmup": Warmup(12),
    "chebyshev": Chebyshev(0.01, 1.0, 11),
    "inverse_eigenvalue": InverseEigenvalue((0.01, 0.3, 1.0, 0.05)),
    "silver": Silver(),
}

ACTIVATIONS: dict[str, Callable[[torch.Tensor], torch.Tensor]] = {
    "exp": lambda t: torch.exp(-t),
    "expm1": torch.expm1,
    "log": lambda t: torch.log(1.5 + t * t),
    "log1p": lambda t: torch.log1p(t * t),
    "tanh": torch.tanh,
    "sigmoid": torch.sigmoid,
    "softplus": F.softplus,
    "logsigmoid": F.logsigmoid,
    "sin": torch.sin,
    "cos": torch.cos,
    "erf": torch.erf,
    "gelu": F.gelu,
    "gelu_tanh": lambda t: F.gelu(t, approximate="tanh"),
    "silu": F.silu,
    "relu": torch.relu,
    "leaky_relu": F.leaky_relu,
    "elu": F.elu,
    "hardtanh": F.hardtanh,
    "sqrt": lambda t: torch.sqrt(1 + t * t),
    "power": lambda t: (1 + t * t) ** 1.3,
    "cube": lambda t: t**3,
    "softmax": lambda t: torch.softmax(t, -1),
    "log_softmax": lambda t: torch.log_softmax(t, -1),
}
LOSSES: dict[str, Callable[[torch.Tensor, torch.Tensor], torch.Tensor]] = {
    "mse": F.mse_loss,
    "l1": F.l1_loss,
    "smooth_l1": F.smooth_l1_loss,
    "huber": F.huber_loss,
    "bce": F.binary_cross_entropy_with_logits,
    "cross_entropy": lambda y, wanted: F.cross_entropy(y, (wanted > 0.5).long().argmax(1)),
    "logsumexp": lambda y, wanted: (torch.logsumexp(y, 1) - (y * wanted).sum(1)).mean(),
    "max": lambda y, wanted: (y - wanted).abs().amax(),
}

ACCELERATED = (
    *("momentum", "nesterov", "fast_gradient", "ogm", "ogm_g"),
    *("triple_momentum", "chebyshev_semi_iteration"),
)

CONDITIONED = ("triple_momentum", "chebyshev_semi_iteration")
"""The rules that need the condition number of the problem."""

EVERYWHERE = {"gd", "momentum", "nesterov", "adagrad", "rmsprop", "adam", "adamw", "armijo"}
"""The rules whose descents are shipped for every problem."""

INPUTS = ((0.5, -1.25, 2.0), (1.5, 0.75, -0.5), (-2.0, 0.125, 1.0), (0.0, 3.0, -1.5))
WANTED = ((0.25, 1.0, 0.0), (0.75, 0.5, 0.125), (0.0, 0.875, 0.625), (1.0, 0.375, 0.25))
START = (0.3, -0.2, 0.7, -0.4, 0.1, 0.6, 0.2, -0.1, 0.5, 0.05, -0.3, 0.15)


def small_fit(
    activation: Callable[[torch.Tensor], torch.Tensor],
    loss: Callable[[torch.Tensor, torch.Tensor], torch.Tensor],
) -> Problem:
    """Return the loss of one layer of three units on four points, all numbers written out."""

    def fit(x: torch.Tensor) -> torch.Tensor:
        inputs, wanted = torch.tensor(INPUTS).to(x), torch.tensor(WANTED).to(x)
        weight, bias = x[:9].view(3, 3), x[9:]
        return loss(activation(F.linear(inputs, weight, bias)), wanted)

    return FunctionProblem(fit, x0=list(START))


def shipped(name: str) -> Callable[[], Problem]:
    """Return what makes a shipped problem."""
    return PROBLEMS[name]


@cache
def cases() -> dict[str, Case]:
    """Return all descents by name."""
    found: dict[str, Case] = {}
    for dtype in DTYPES:
        for name, case in (_of_rules(dtype) | _of_schedules(dtype) | _of_functions(dtype)).items():
            found[f"{name} {dtype}"] = case
        for name, case in (_of_sizes(dtype) | _of_bbob(dtype) | _of_ends(dtype)).items():
            found[f"{name} {dtype}"] = case
    return found


def rules(lr: float) -> dict[str, UpdateRule]:
    """Return every shipped rule; those that scale the coordinates have a rate of their own."""
    own = {"gd": lr, **dict.fromkeys(ACCELERATED, lr / 4)}
    needed: dict[str, dict[str, Any]] = {name: {"condition": 50.0} for name in CONDITIONED}
    needed["polyak"] = {"f_star": 0.0}
    found = {
        name: RULES[name](lr=own.get(name, 0.05), **needed.get(name, {}))  # type: ignore[call-arg]
        for name in RULES
        if name != "torch"
    }
    return found | {"armijo": Armijo(lr=4 * lr)}


def _of_rules(dtype: str) -> dict[str, Case]:
    """Return every problem with the rules of torch's names, and some with each of the others."""
    return {
        f"{name} {rule}": Case(shipped(name), each, dtype)
        for name, lr in RATES.items()
        for rule, each in rules(lr).items()
        if rule in EVERYWHERE or name in ("function", "rosenbrock")
    }


def _of_schedules(dtype: str) -> dict[str, Case]:
    found = {}
    for name, schedule in SCHEDULES.items():
        plain = GradientDescent(1.5, schedule=schedule)
        found[f"quadratic gd {name}"] = Case(Quadratic, plain, dtype)
        moved = RMSprop(0.02, centered=True, momentum=0.5, schedule=schedule)
        found[f"rosenbrock rmsprop {name}"] = Case(shipped("rosenbrock"), moved, dtype)
    return found


def _of_functions(dtype: str) -> dict[str, Case]:
    found = {}
    for name in ("sine", "step", "absolute", "gaussian", "sawtooth", "polynomial"):
        found[f"function {name}"] = Case(partial(Function, name), Momentum(0.1), dtype)
    for name, activation in ACTIVATIONS.items():
        made = partial(small_fit, activation, F.mse_loss)
        found[f"activation {name}"] = Case(made, GradientDescent(0.1), dtype)
    for name, loss in LOSSES.items():
        made = partial(small_fit, torch.tanh, loss)
        found[f"loss {name}"] = Case(made, GradientDescent(0.1), dtype)
    return found


def _of_sizes(dtype: str) -> dict[str, Case]:
    few = Stopping(1e-9, 12)
    rotated = {
        "matrix": lambda: Moved(Matrix(), 1, 0.5),
        "rosenbrock": lambda: Moved(PROBLEMS["rosenbrock"](), 2, [0.25, -1.0]),
        "rastrigin": lambda: Moved(PROBLEMS["rastrigin"](), 3),
        "logistic": lambda: Moved(PROBLEMS["logistic"](), 4),
        "quadratic of 100": lambda: Moved(Quadratic(100), 5, 0.125),
    }
    found = {
        "function of 1,000 points": Case(lambda: Function(points=1000), Momentum(0.1), dtype, few),
        "function of 1,000 points, gaussian": Case(
            lambda: Function("gaussian", points=1000, hidden=[8, 8]), rules(0.1)["adam"], dtype, few
        ),
        "quadratic of 1,000": Case(lambda: Quadratic(1000, 1e-4, 1.0), Momentum(1.0), dtype, few),
        "rastrigin of 333": Case(
            lambda: PROBLEMS["rastrigin"](dimension=333),  # type: ignore[call-arg]
            GradientDescent(0.002),
            dtype,
            few,
        ),
        "shifted function": Case(lambda: Moved(Function(), None, 0.1), Momentum(0.1), dtype),
        "factorization of rank 1": Case(
            lambda: PROBLEMS["factorization"](rank=1),  # type: ignore[call-arg]
            GradientDescent(5e-3),
            dtype,
            Stopping(1e-9, 2),
        ),
    }
    for name, made in rotated.items():
        found[f"rotated {name}"] = Case(made, GradientDescent(0.002), dtype, few)
    return found


def _of_bbob(dtype: str) -> dict[str, Case]:
    """Return a descent of each function of the bbob suite."""
    return {
        f"bbob f{n}": Case(partial(Bbob, n, 3, 5), rules(0.1)["adam"], dtype, Stopping(1e-9, 12))
        for n in range(1, 25)
    }


def _of_ends(dtype: str) -> dict[str, Case]:
    """Return descents that converge, stall, diverge, and end among subnormal numbers."""
    long, never = Stopping(1e-6, 2000), Stopping(5e-324, 3000)
    tiny, steep, start = (1e-20, 1e38, 1e-38) if dtype == "float32" else (1e-155, 1e306, 1e-308)
    return {
        "converged": Case(Quadratic, GradientDescent(1.5), dtype, long),
        "converged at the notebook's rate": Case(Matrix, GradientDescent(1.0), dtype, long),
        "stalled": Case(shipped("booth"), GradientDescent(0.1), dtype, never),
        "diverged": Case(shipped("rosenbrock"), GradientDescent(1.0), dtype, long),
        "diverged slowly": Case(Matrix, Momentum(30.0), dtype, never),
        "subnormal losses": Case(
            lambda: Quadratic(x0=[tiny] * 10), GradientDescent(1.9), dtype, Stopping(5e-324, 400)
        ),
        "subnormal end": Case(
            lambda: Quadratic(spectrum=[steep, steep / 2], x0=[start, 0.7 * start]),
            GradientDescent(0.6 / steep),
            dtype,
            Stopping(5e-324, 40),
        ),
    }
