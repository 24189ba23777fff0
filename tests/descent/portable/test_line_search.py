"""A rule that reads losses, forms inner products and evaluates again; a descent saved midway."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from gdexp import Matrix, Problem, Rosenbrock, Status, Stopping
from gdexp.core import BadInput
from gdexp.engine import (
    Block,
    Code,
    InterpretedEngine,
    NotPortable,
    Plan,
    Rows,
    load_rows,
    native,
    save_rows,
)
from gdexp.engine.make_plan import plan_for
from gdexp.optimizers import Adam, State, UpdateRule
from gdexp.optimizers.line_search import Armijo
from tests.descent.portable.engine_auto import descend, descend_batch


def plan(problem: Problem, rule: UpdateRule, dtype: str = "float64") -> Plan:
    return plan_for(problem, rule, dtype, problem.start(0))


def table(rule: UpdateRule, dtype: str, iterations: int) -> np.ndarray:
    rows = [list(rule.coefficients(k)) for k in range(1, iterations + 1)]
    return np.array(rows, dtype=dtype)[None]


def test_every_iterate_has_the_decrease_that_was_asked_for() -> None:
    rule = Armijo(lr=4.0, shrink=0.5, decrease=0.3)
    problem = Rosenbrock()
    until = Stopping(1e-2, 5000)
    result = descend(problem, rule, until, dtype="float64")
    assert result.status is Status.CONVERGED
    x = problem.start(0).double().requires_grad_()
    t = rule.lr
    for before, after in zip(result.trace[:60], result.trace[1:61], strict=True):
        loss = problem.loss(x)
        (gradient,) = torch.autograd.grad(loss, x)
        value, slope = loss.item(), (gradient * gradient).sum().item()
        assert value == pytest.approx(before, rel=1e-9)
        while True:
            trial = (x - t * gradient).detach()
            if float(problem.loss(trial)) <= value - rule.decrease * t * slope:
                break
            t *= rule.shrink
        assert float(problem.loss(trial)) == pytest.approx(after, rel=1e-9)
        x = trial.requires_grad_()
        t = min(rule.lr, t / rule.shrink)


def test_native_and_interpreted_searches_have_the_same_bits() -> None:
    rule = Armijo(lr=7.0)
    made = plan(Rosenbrock(), rule, "float32")
    starts = 4 * np.random.default_rng(1).random((30, 2)) - 2
    numbers = table(rule, "float32", 1)
    found = []
    for engine in (native.NativeEngine(made), InterpretedEngine(made)):
        rows = Rows.begin(made, starts)
        rows.threshold[:] = rows.goal[:] = 1e-3
        rows.limit[:] = 60
        trace = np.zeros((30, 61))
        for until in (4, 60):
            engine.advance(rows, Block(until, numbers, 1, trace, 0))
        found.append((save_rows(rows, made), trace.tobytes()))
        assert (rows.evaluations > rows.k + 1).any()
    assert found[0] == found[1]


@pytest.mark.slow
def test_rows_of_a_batch_search_as_they_do_alone() -> None:
    rules = [Armijo(lr=10.0**e, shrink=s) for e in (-2, 0, 2) for s in (0.3, 0.5)]
    batch = descend_batch(Rosenbrock(), rules, Stopping(1e-2, 400))
    for i, rule in enumerate(rules):
        alone = descend(Rosenbrock(), rule, Stopping(1e-2, 400))
        assert batch[i].trace.tobytes() == alone.trace.tobytes()


def test_wrong_numbers_of_a_search_are_refused() -> None:
    for wrong in ((0.0, 0.5, 0.1), (1.0, 1.0, 0.1), (1.0, 0.0, 0.1), (1.0, 0.5, 1.0)):
        with pytest.raises(BadInput):
            Armijo(*wrong)


@pytest.mark.slow
@pytest.mark.parametrize("rule", [Armijo(lr=7.0), Adam(0.01)], ids=["armijo", "adam"])
def test_a_descent_that_was_saved_goes_on_with_the_same_bits(rule: UpdateRule) -> None:
    made = plan(Rosenbrock(), rule)
    engine, numbers = native.NativeEngine(made), table(rule, "float64", 301)
    starts = 4 * np.random.default_rng(2).random((9, 2)) - 2

    def begun() -> Rows:
        rows = Rows.begin(made, starts)
        rows.threshold[:], rows.goal[:], rows.limit[:] = 1e-2, 1e-4, 300
        rows.max_iterations[:] = 300
        return rows

    whole = begun()
    engine.advance(whole, Block(300, numbers))
    assert (whole.code != Code.RUNNING).all()
    for until in (0, 1, 7, 64, 299):
        rows = begun()
        engine.advance(rows, Block(until, numbers))
        saved = save_rows(rows, made)
        other = load_rows(saved, made)
        assert save_rows(other, made) == saved
        native.NativeEngine(made).advance(other, Block(300, numbers))
        assert save_rows(other, made) == save_rows(whole, made)


def test_saved_rows_that_are_not_this_plans_are_refused() -> None:
    made = plan(Matrix(), Armijo())
    saved = save_rows(Rows.begin(made, np.zeros((2, 3, 3))), made)
    for wrong in (b"", saved[:-1], saved + b"0", saved.replace(b'"format":1', b'"format":2')):
        with pytest.raises(BadInput, match="rows=their bytes"):
            load_rows(wrong, made)
    with pytest.raises(BadInput, match="another plan"):
        load_rows(saved, plan(Matrix(), Adam()))


def test_a_search_that_is_no_dataflow_is_refused() -> None:
    class Branching(Armijo):
        @staticmethod
        def search(
            x: torch.Tensor, loss: torch.Tensor, gradient: torch.Tensor, state: State, *_: object
        ) -> tuple[torch.Tensor, State, torch.Tensor | None]:
            return (x - gradient if loss > 1 else x), state, None

    with pytest.raises(NotPortable):
        plan(Matrix(), Branching())
