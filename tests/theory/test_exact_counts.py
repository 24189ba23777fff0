"""The engine's iteration counts against closed forms and recurrences, ten thousand times.

Run in float64 as batches, each row with its own start, learning rate and threshold. Theory says
of each count how far the loss stays from the threshold (`margin`); a case closer than the
rounding of doubles can carry it is set apart and counted, never dropped in silence.
"""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np
import pytest
import torch

from gdexp import (
    GradientDescent,
    Matrix,
    Momentum,
    Nesterov,
    Problem,
    Quadratic,
    Status,
    Stopping,
    UpdateRule,
    descend_batch,
)
from gdexp.theory.counts import count_with_margin
from gdexp.theory.settings import stability_limit
from tests.support.long_form import share

pytestmark = pytest.mark.slow

ROUNDING = 1e-7
"""Relative error of a float64 loss after thousands of updates, generously."""

LIMIT = 4000
ROWS = share(350, 8)

PROBLEMS: dict[str, Callable[[], Problem]] = {
    "matrix 3x3": Matrix,
    "matrix 7": lambda: Matrix(target=[0.5, -1.0, 2.0, 0.0, 3.0, -0.25, 1.5]),
    "kappa 1": lambda: Quadratic(dimension=4, mu=1.0, L=1.0),
    "kappa 3": lambda: Quadratic(dimension=2, mu=1.0, L=3.0),
    "kappa 10": lambda: Quadratic(dimension=6, mu=0.5, L=5.0),
    "kappa 100": lambda: Quadratic(dimension=10, mu=0.01, L=1.0),
    "kappa 1e3": lambda: Quadratic(dimension=5, mu=0.1, L=100.0),
    "kappa 1e4": lambda: Quadratic(dimension=12, mu=1e-4, L=1.0),
    "two eigenvalues": lambda: Quadratic(spectrum=[0.02, 0.9]),
    "scattered": lambda: Quadratic(spectrum=[0.003, 0.5, 0.51, 2.0, 7.0]),
}


def drawn_rule(name: str, problem: Problem, draw: np.random.Generator) -> UpdateRule:
    """A rule with a learning rate from far below its stability limit to a fifth above it."""
    share = float(np.exp(draw.uniform(np.log(0.02), np.log(1.2))))
    beta = float(draw.uniform(0.0, 0.95))
    made: UpdateRule
    if name == "gd":
        made = GradientDescent(lr=1.0)
        return GradientDescent(lr=share * _limit(problem, made))
    kind = Momentum if name == "momentum" else Nesterov
    made = kind(lr=1.0, momentum=beta)
    return kind(lr=share * _limit(problem, made), momentum=beta)


def _limit(problem: Problem, rule: UpdateRule) -> float:
    limit = stability_limit(problem, rule)
    assert limit is not None
    return limit


@pytest.mark.parametrize("rule_name", ["gd", "momentum", "nesterov"])
@pytest.mark.parametrize("problem_name", PROBLEMS)
def test_every_count_is_the_one_of_exact_arithmetic(rule_name: str, problem_name: str) -> None:
    """A mismatch outside rounding fails; so do many inside it. In the long form 10,500 cases."""
    problem = PROBLEMS[problem_name]()
    key = f"{rule_name}/{problem_name}".encode()
    draw = np.random.default_rng(int.from_bytes(key, "big") % 2**63)
    rules = [drawn_rule(rule_name, problem, draw) for _ in range(ROWS)]
    shape = (ROWS, *problem.shape)
    starts = torch.from_numpy(draw.normal(size=shape) * np.exp(draw.normal(size=(ROWS,) + (1,) * len(problem.shape))))  # fmt: skip  # noqa: E501
    thresholds = np.exp(draw.uniform(math.log(1e-9), math.log(1e-1), size=ROWS))
    stoppings = [Stopping(float(t), max_iterations=LIMIT) for t in thresholds]
    batch = descend_batch(problem, rules, stoppings, x0=starts, dtype="float64")

    apart = 0
    for row in range(ROWS):
        known = count_with_margin(problem, rules[row], stoppings[row], starts[row])
        assert known is not None
        if known.margin < ROUNDING:
            apart += 1
            continue
        status = batch.status(row)
        if known.count is None:
            assert status is not Status.CONVERGED, (rules[row], stoppings[row])
        else:
            assert status is Status.CONVERGED, (rules[row], stoppings[row])
            assert batch.iterations[row] == known.count, (rules[row], stoppings[row])
    assert apart <= 2, f"{apart} of {ROWS} cases were within rounding"
