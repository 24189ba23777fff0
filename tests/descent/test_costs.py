"""Costs: losses and gradients that were computed until an iterate, and until the threshold."""

from __future__ import annotations

import math

import pytest
import torch

from gdexp import (
    AdGD,
    Armijo,
    GradientDescent,
    Quadratic,
    Rosenbrock,
    Stopping,
    TorchOptimizer,
    UpdateRule,
    Wolfe,
    descend,
    descend_batch,
)
from gdexp.descent.costs import COSTS, cost_at, hitting_cost, total_cost


@pytest.mark.parametrize("rule", [GradientDescent(1.0), AdGD(0.1)], ids=str)
def test_a_rule_without_trials_needs_one_loss_for_each_iterate(rule: UpdateRule) -> None:
    result = descend(Quadratic(), rule, Stopping(1e-3))
    assert cost_at(result, "evaluations", 7) == 8
    assert cost_at(result, "gradients", 7) == 7
    assert total_cost(result, "iterations") == result.iterations
    assert hitting_cost(result, "iterations") == result.hitting_time
    assert hitting_cost(result, "gradients") == pytest.approx(result.hitting_time)
    assert hitting_cost(result, "evaluations") == pytest.approx(result.hitting_time + 1)
    assert hitting_cost(result, "seconds") == result.hitting_seconds


@pytest.mark.slow
def test_trials_of_armijo_cost_losses_and_those_of_wolfe_gradients_too() -> None:
    armijo = descend(Rosenbrock(), Armijo(1.0), Stopping(0.05))
    assert total_cost(armijo, "evaluations") > armijo.iterations + 1
    assert total_cost(armijo, "gradients") == armijo.iterations
    wolfe = descend(Rosenbrock(), Wolfe(1.0), Stopping(0.05))
    assert total_cost(wolfe, "gradients") == total_cost(wolfe, "evaluations") > wolfe.iterations + 1
    for result in (armijo, wolfe):
        k = math.ceil(result.hitting_time)
        for cost in ("evaluations", "gradients"):
            before, after = cost_at(result, cost, k - 1), cost_at(result, cost, k)
            assert before < hitting_cost(result, cost) <= after


def test_the_closures_of_torchs_optimizers_are_counted() -> None:
    class Counted(Quadratic):
        calls = 0

        def loss(self, x: torch.Tensor) -> torch.Tensor:
            type(self).calls += 1
            return super().loss(x)

    rule = TorchOptimizer("LBFGS", lr=1.0, options={"line_search_fn": "strong_wolfe"})
    result = descend(Counted(), rule, Stopping(1e-6, 50), engine="torch")
    assert result.evaluations is not None
    assert total_cost(result, "evaluations") == Counted.calls > result.iterations + 1
    plain = descend(Quadratic(), TorchOptimizer("SGD", lr=1.0), Stopping(1e-2), engine="torch")
    assert plain.evaluations is None


def test_a_descent_that_did_not_converge_has_its_projection_at_its_mean_cost() -> None:
    result = descend(Rosenbrock(), Armijo(1.0), Stopping(1e-6, 40))
    assert not result.converged
    share = total_cost(result, "evaluations") / 40
    assert hitting_cost(result, "evaluations") == pytest.approx(result.hitting_time * share)
    at_start = descend(Quadratic(), GradientDescent(), Stopping(1e9))
    assert [hitting_cost(at_start, cost) for cost in COSTS] == [0, 0, 1, 0]


def test_a_batch_counts_as_its_rows_do_alone() -> None:
    rules = [Armijo(lr) for lr in (0.1, 1.0, 10.0)]
    batch = descend_batch(Rosenbrock(), rules, Stopping(0.5, 60))
    for row, rule in enumerate(rules):
        alone = descend(Rosenbrock(), rule, Stopping(0.5, 60))
        assert total_cost(batch[row], "evaluations") == total_cost(alone, "evaluations")
