"""The portable engine: what it is chosen for, what it promises, and when it gives way to torch."""

from __future__ import annotations

import copy
import os
import pickle
import signal
import threading
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
import torch

from gdexp import (
    Adam,
    Cosine,
    FunctionProblem,
    GradientDescent,
    Matrix,
    Momentum,
    Problem,
    Quadratic,
    Rosenbrock,
    Status,
    Stopping,
    TorchOptimizer,
)
from gdexp.core.errors import BadInput
from gdexp.descent.cap import Cap
from gdexp.descent.portable import choice
from gdexp.engine.not_portable import NotPortable
from gdexp.engine.plans import Plans
from gdexp.optimizers.registry import RULES
from gdexp.problems import registry
from tests.descent.portable.engine_auto import descend, descend_batch
from tests.support.names import BATCHABLE_RULES, PROBLEMS

UNTIL = Stopping(1e-5, 300)


@pytest.mark.slow
def test_the_result_says_which_engine_and_why() -> None:
    problem = Matrix()
    auto = descend(problem)
    assert (auto.engine, auto.engine_reason) == ("portable", None)
    torchs = descend(problem, engine="torch")
    assert (torchs.engine, torchs.engine_reason) == ("torch", None)
    assert (auto.status, auto.iterations) == (torchs.status, torchs.iterations)
    half = descend(problem, dtype="bfloat16")
    assert (half.engine, half.engine_reason) == ("torch", "bfloat16 has no portable form")
    lbfgs = descend(problem, TorchOptimizer("LBFGS", lr=0.5), UNTIL)
    assert lbfgs.engine_reason == "TorchOptimizer has no portable form"
    batch = descend_batch(problem, [GradientDescent(1.0)] * 2)
    assert (batch.engine, batch[1].engine) == ("portable", "portable")


def test_what_has_no_portable_form_is_named_with_its_line() -> None:
    def loss(x: torch.Tensor) -> torch.Tensor:
        solved: torch.Tensor = torch.linalg.solve(torch.eye(2) + x.outer(x), x)
        return solved.sum() ** 2

    problem = FunctionProblem(loss, shape=2)
    found = descend(problem, GradientDescent(0.1), UNTIL)
    assert found.engine == "torch"
    assert "linalg_solve" in str(found.engine_reason)
    assert "test_portable.py, line" in str(found.engine_reason)
    with pytest.raises(BadInput, match=r"engine=portable: cannot be: .*linalg_solve") as error:
        descend(problem, engine="portable")
    assert "\n" not in str(error.value)
    with pytest.raises(BadInput, match="engine=portable"):
        descend_batch(problem, engine="portable")
    with pytest.raises(BadInput, match="engine=numba"):
        descend(problem, engine="numba")


def test_a_branch_on_a_number_goes_to_torch() -> None:
    def loss(x: torch.Tensor) -> torch.Tensor:
        return (x * x).sum() if x.sum() > 1 else (x * x).sum() * 2

    assert descend(FunctionProblem(loss, shape=2), GradientDescent(0.1), UNTIL).engine == "torch"


def test_a_recording_that_becomes_wrong_later_is_found_on_the_way() -> None:
    """The loss changes at a point that no recording came near."""
    seen: list[int] = []

    def loss(x: torch.Tensor) -> torch.Tensor:
        factor = 1.0 if x.detach().numpy().max() > 0.02 else 3.0
        return factor * (x * x).sum()

    problem = FunctionProblem(loss, x0=[1.0, 2.0])
    rule = GradientDescent(0.01)

    def watch(k: int, trace: Any) -> int:
        seen.append(k)
        return k + 100

    result = descend(problem, rule, Stopping(1e-9, 5000), watch=watch)
    assert result.engine == "torch"
    wanted = descend(problem, rule, Stopping(1e-9, 5000), engine="torch")
    assert result.trace.tobytes() == wanted.trace.tobytes()
    with pytest.raises(BadInput, match="engine=portable"):
        descend(problem, rule, Stopping(1e-9, 5000), engine="portable")


SCALE = [1.0]
FORMULAS: dict[str, dict[str, Any]] = {"rmsprop": {"centered": True}}


def test_a_plan_is_not_used_for_a_loss_that_changed() -> None:
    problem = FunctionProblem(lambda x: SCALE[0] * (x * x).sum(), shape=2)
    first = descend(problem, GradientDescent(0.1), UNTIL)
    SCALE[0] = 2.0
    try:
        second = descend(problem, GradientDescent(0.1), UNTIL)
    finally:
        SCALE[0] = 1.0
    assert second.trace[0] == 2 * first.trace[0]
    own = Matrix()
    before = descend(own)
    own.target.mul_(2)
    assert descend(own).trace[0] != before.trace[0]


def test_a_plan_is_made_once_for_all_numbers_of_a_rule(monkeypatch: pytest.MonkeyPatch) -> None:
    made: list[type] = []
    real = choice.plan_for

    def counted(problem: Problem, rule: Any, *given: Any) -> Any:
        made.append(type(rule))
        return real(problem, rule, *given)

    monkeypatch.setattr(choice, "plan_for", counted)
    problem, plans = Matrix(), Plans()
    for lr in (0.1, 0.5, 1.0):
        descend(problem, GradientDescent(lr))
        descend(problem, GradientDescent(lr, schedule=Cosine(20)), seed=3)
    descend_batch(problem, [GradientDescent(lr) for lr in (0.1, 3.0)])
    assert made == [GradientDescent]
    descend(problem, Momentum(0.1))
    descend(problem, GradientDescent(1.0), dtype="float64")
    assert made == [GradientDescent, Momentum, GradientDescent]
    for _ in range(2):
        descend(problem, plans=plans)
    assert len(made) == 4


def test_a_problem_is_copied_and_pickled_without_its_plans() -> None:
    problem = Matrix()
    descend(problem)
    for other in (copy.deepcopy(problem), pickle.loads(pickle.dumps(problem))):
        assert descend(other).trace.tobytes() == descend(problem).trace.tobytes()
    assert len(pickle.dumps(problem)) < 10_000


def test_a_callback_is_called_at_exactly_the_iterations_it_asked_for() -> None:
    for ask in (lambda k: k + 1, lambda k: 2 * k + 5, lambda k: k, lambda k: -1):
        calls: dict[str, list[int]] = {}
        for engine in ("torch", "portable"):
            called = calls[engine] = []

            def watch(k: int, trace: Any, called: list[int] = called, ask: Any = ask) -> int:
                assert len(trace) == k + 1
                called.append(k)
                return int(ask(k))

            descend(Matrix(), watch=watch, engine=engine)
        assert calls["torch"] == calls["portable"]


def test_the_loss_is_computed_in_double_precision_before_it_is_called_below_the_minimum() -> None:
    def loss(x: torch.Tensor) -> torch.Tensor:
        return (x * x - 200 * x + 10_000).sum()

    x = torch.tensor([100.002, 99.999])
    start = next(x + d for d in torch.linspace(-0.01, 0.01, 201) if float(loss(x + d)) < 0)
    for f_star, status in ((0.0, Status.CONVERGED), (None, Status.BELOW_MINIMUM)):
        problem = FunctionProblem(loss, x0=start, f_star=f_star)
        result = descend(problem, engine="portable")
        batch = descend_batch(problem, [GradientDescent(1.0)] * 3, engine="portable")
        assert (result.status, batch[2].status) == (status, status)
        assert batch.final_loss[2] == result.final_loss


@pytest.mark.slow
@pytest.mark.parametrize("keep_traces", [True, False])
def test_rows_in_chunks_and_threads_are_the_descents_alone(keep_traces: bool) -> None:
    problem = Quadratic(5, mu=0.05)
    rules = [Adam(10.0**-e, beta1=b) for e in range(4) for b in (0.0, 0.5, 0.9)]
    stops = [Stopping(10.0**-i, 400, continue_to=1e-9 if i % 2 else None) for i in range(12)]
    alone = [
        descend(problem, r, s, seed=i, engine="portable")
        for i, (r, s) in enumerate(zip(rules, stops, strict=True))
    ]
    before = torch.get_num_threads()
    try:
        for threads, chunk, block in ((1, 5, None), (2, None, 3), (2, 4, 64)):
            torch.set_num_threads(threads)
            batch = descend_batch(
                problem,
                rules,
                stops,
                seeds=range(12),
                keep_traces=keep_traces,
                chunk=chunk,
                block=block,
                engine="portable",
            )
            for i, one in enumerate(alone):
                assert batch.status(i) is one.status
                assert (batch.iterations[i], batch.updates[i]) == (one.iterations, one.updates)
                assert batch.min_loss[i] == one.min_loss
                assert batch.hitting_time[i] == one.hitting_time
                assert torch.equal(batch.final[i], one.final)
                if keep_traces:
                    assert batch[i].trace.tobytes() == one.trace.tobytes()
    finally:
        torch.set_num_threads(before)


@pytest.mark.slow
@pytest.mark.parametrize("chunk", [None, 7])
@pytest.mark.parametrize("factor", [1.0, 1.5])
def test_a_cap_gives_rows_the_limits_they_have_in_turn(factor: float, chunk: int | None) -> None:
    problem, rows = Rosenbrock(), 40
    rules = [GradientDescent(2e-4 * (1 + i * 7 % 11)) for i in range(rows)]
    stops = [Stopping((1.0, 1e-1, 1e-2)[i % 3], 20_000) for i in range(rows)]
    cap, turns = Cap(factor), Cap(factor)
    batch = descend_batch(problem, rules, stops, cap=cap, chunk=chunk, engine="portable")
    for i, (rule, stop) in enumerate(zip(rules, stops, strict=True)):
        limit = turns.limit(stop.threshold)
        own = Stopping(stop.threshold, stop.max_iterations, cap=limit)
        alone = descend(problem, rule, own, engine="portable")
        if alone.converged:
            turns.add(stop.threshold, [alone.iterations])
        row = batch[i]
        assert (row.status, row.stopping.limit) == (alone.status, own.limit)
        assert row.trace.tobytes() == alone.trace.tobytes()
        assert torch.equal(row.final, alone.final)
        assert batch.hitting_time[i] == alone.hitting_time
    assert vars(cap) == vars(turns)
    assert batch.counts[Status.CAPPED] > 5


def test_an_interrupt_ends_a_long_descent() -> None:
    problem = Rosenbrock()
    descend(problem, dtype="float64", stopping=UNTIL)
    timer = threading.Timer(0.3, os.kill, (os.getpid(), signal.SIGINT))
    timer.start()
    with pytest.raises(KeyboardInterrupt):
        descend(problem, GradientDescent(1e-9), Stopping(1e-300, 10**9), dtype="float64")


def test_a_kept_plan_may_be_used_by_several_threads_at_once() -> None:
    problem = Matrix()
    rules = [GradientDescent(0.001 * (1 + i)) for i in range(8)]
    until = Stopping(1e-9, 20_000)
    wanted = [descend(problem, rule, until).trace.tobytes() for rule in rules]
    found: dict[int, bytes] = {}

    def work(i: int) -> None:
        found[i] = descend(problem, rules[i], until).trace.tobytes()

    threads = [threading.Thread(target=work, args=(i,)) for i in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert [found[i] for i in range(8)] == wanted


def test_without_native_code_the_bits_are_the_same(monkeypatch: pytest.MonkeyPatch) -> None:
    rule, until = Adam(0.05), Stopping(1e-4, 80)
    usual = descend(Quadratic(6), rule, until)
    monkeypatch.setattr("gdexp.engine.available", lambda: "engine=native: needs llvmlite")
    with pytest.warns(RuntimeWarning, match="slower: .*llvmlite"):
        slower = descend(Quadratic(6), rule, until)
    assert slower.trace.tobytes() == usual.trace.tobytes()
    assert torch.equal(slower.final, usual.final)


def test_a_final_x_holds_the_one_nan() -> None:
    problem = FunctionProblem(lambda x: (x * x * x).sum(), x0=[1.0, -1.0], f_star=-1e30)
    result = descend(problem, GradientDescent(1e20), Stopping(1e-5, 50))
    assert result.status is Status.DIVERGED
    lost = result.final.numpy()[np.isnan(result.final.numpy())]
    assert set(lost.view(np.int32).tolist()) <= {0x7FC00000}


@pytest.mark.slow
def test_a_large_matrix_product_stays_with_torch() -> None:
    big = torch.rand(600, 600)

    def loss(x: torch.Tensor) -> torch.Tensor:
        return ((big @ x) ** 2).mean()

    result = descend(FunctionProblem(loss, shape=600), GradientDescent(1e-6), Stopping(1e-5, 2))
    assert result.engine == "torch"
    assert "torch is faster" in str(result.engine_reason)
    elementwise = descend(Quadratic(100_000), GradientDescent(1.0), Stopping(1e-5, 2))
    assert elementwise.engine == "portable"


def test_a_refusal_is_kept_too() -> None:
    problem = FunctionProblem(lambda x: torch.linalg.det(torch.eye(2) * x), shape=2)
    first, second = (descend(problem, stopping=Stopping(1e-5, 3)).engine_reason for _ in range(2))
    assert first == second
    with pytest.raises(NotPortable, match=r"det|linalg"):
        choice.find_plan(
            problem, GradientDescent(), torch.float32, torch.device("cpu"), torch.rand(2)
        )


@pytest.mark.slow
@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("name", PROBLEMS)
def test_all_shipped_problems_but_the_large_factorization_are_portable(
    name: str, dtype: str
) -> None:
    problem = registry.PROBLEMS[name]()
    x = problem.start(0)
    given = problem, GradientDescent(), getattr(torch, dtype), torch.device("cpu"), x
    if name == "factorization":
        with pytest.raises(NotPortable, match="torch is faster"):
            choice.find_plan(*given)
    else:
        choice.find_plan(*given)


@pytest.mark.parametrize("rule", BATCHABLE_RULES)
def test_all_shipped_rules_are_portable(rule: str) -> None:
    for dtype in (torch.float32, torch.float64):
        for own in (RULES[rule](), replace(RULES[rule](), **FORMULAS.get(rule, {}))):
            choice.find_plan(Matrix(), own, dtype, torch.device("cpu"), torch.rand(3, 3))
