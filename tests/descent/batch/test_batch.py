"""A row of a batch is the descent alone, bit for bit, whoever else is in the batch."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from gdexp.core.errors import BadInput
from gdexp.descent.batch.result import BatchResult
from gdexp.descent.batch_of_descents import descend_batch
from gdexp.descent.result import Result
from gdexp.descent.single_descent import descend
from gdexp.descent.stopping import Status, Stopping
from gdexp.optimizers.adaptive import Adam, RMSprop
from gdexp.optimizers.base import UpdateRule
from gdexp.optimizers.momentum import GradientDescent, Momentum
from gdexp.optimizers.registry import RULES
from gdexp.optimizers.schedules import Cosine, StepDecay, Warmup
from gdexp.problems.autograd import Autograd
from gdexp.problems.base import Problem
from gdexp.problems.function import Function
from gdexp.problems.matrix import Matrix
from gdexp.problems.quadratic import Quadratic
from gdexp.problems.registry import PROBLEMS
from tests.support.long_form import share, some
from tests.support.names import BATCHABLE_PROBLEMS, BATCHABLE_RULES

both = pytest.mark.usefixtures("each_engine")

VALUES: dict[str, tuple[Any, ...]] = {
    "lr": (0.01, 0.3, 1.0, 4.5, 9.0, 30.0, 1e-9),
    "momentum": (0.0, 0.5, 0.9),
    "dampening": (0.0, 0.1),
    "lr_decay": (0.0, 0.1),
    "initial_accumulator_value": (0.0, 0.1),
    "alpha": (0.9, 0.99),
    "centered": (False, True, True),
    "beta1": (0.5, 0.9, 0.95),
    "beta2": (0.9, 0.999),
    "weight_decay": (0.0, 0.01),
}
THRESHOLDS = (1e-12, 1e-5, 1e-2, 0.3, 1e3)
LIMITS = ((40, None), (25, None), (40, 9), (3, None), (40, 0))
DISTINCT = share(40, 2)
SIZES = [(8, 2), (20, 7), (0, 64), (3, 1), (0, 300)][: share(5, 2) + 1]
"""The first row and the number of rows of the batches."""
SHARED = Matrix()


def rule(name: str, row: int) -> UpdateRule:
    """A rule whose hyperparameters depend on the row."""
    cls = RULES[name]
    chosen = {}
    for position, field in enumerate(dataclasses.fields(cls)):
        values = VALUES.get(field.name)
        if values is not None:
            chosen[field.name] = values[(row * (position + 1) + row // 7) % len(values)]
    return cls(**chosen)


def stopping(row: int) -> Stopping:
    most, cap = LIMITS[(row // 2) % len(LIMITS)]
    return Stopping(THRESHOLDS[(row // 3) % len(THRESHOLDS)], most, cap)


def starts(problem: Problem, rows: int) -> torch.Tensor:
    generator = torch.Generator().manual_seed(5)
    return 4 * torch.rand((rows, *problem.shape), generator=generator) - 1


def bits(tensor: torch.Tensor) -> list[int]:
    whole: list[int] = tensor.view(torch.uint8).flatten().tolist()
    return whole


def assert_same(row: Result, alone: Result, batch: BatchResult, i: int) -> None:
    assert row.status is alone.status
    assert row.trace.tobytes() == alone.trace.tobytes()
    assert bits(row.final) == bits(alone.final)
    assert bits(row.initial) == bits(alone.initial)
    assert row.period == alone.period
    assert (row.rule, row.stopping) == (alone.rule, alone.stopping)
    assert_same_summary(batch, i, alone)


def assert_same_summary(batch: BatchResult, i: int, alone: Result) -> None:
    """What is known of a row without its trace."""
    assert batch.status(i) is alone.status
    assert batch.iterations[i] == alone.iterations
    assert (int(batch.periods[i]) or None) == alone.period
    found = [batch.final_loss[i], batch.min_loss[i], batch.max_loss[i], batch.hitting_time[i]]
    wanted = [alone.final_loss, alone.min_loss, alone.max_loss, alone.hitting_time]
    assert np.array(found).tobytes() == np.array(wanted).tobytes()
    assert bits(batch.final[i]) == bits(alone.final)


@pytest.fixture
def threads() -> Iterator[None]:
    before = torch.get_num_threads()
    yield
    torch.set_num_threads(before)


PAIRS = [(problem, rule, "torch") for problem in BATCHABLE_PROBLEMS for rule in BATCHABLE_RULES]
ROWS = [*some(PAIRS, 3)]
ROWS += [("matrix", rule, "portable") for rule in BATCHABLE_RULES]
ROWS += [(problem, "gd", "portable") for problem in (*BATCHABLE_PROBLEMS[1:], "function", "ols")]


@pytest.mark.slow
@pytest.mark.parametrize(("problem_name", "rule_name", "engine"), ROWS)
def test_a_row_equals_the_descent_alone_in_a_batch_of_any_size(
    problem_name: str, rule_name: str, engine: str
) -> None:
    problem = PROBLEMS[problem_name]()
    x0 = starts(problem, DISTINCT)
    alone = [
        descend(problem, rule(rule_name, i), stopping(i), x0=x0[i].clone(), engine=engine)
        for i in range(DISTINCT)
    ]
    assert len({result.status for result in alone}) >= 2
    for first, size in SIZES:
        rows = [(first + i) % DISTINCT for i in range(size)]
        batch = descend_batch(
            problem,
            [rule(rule_name, i) for i in rows],
            [stopping(i) for i in rows],
            x0=x0[torch.tensor(rows)],
            engine=engine,
        )
        for i in range(0, size, 1 if size < 300 else 7):
            assert_same(batch[i], alone[rows[i]], batch, i)


@both
def test_every_status_and_a_cycle_come_out_as_alone() -> None:
    problem = Matrix(target=[[1.0, 0.5], [0.5, 0.25]])  # Hessian I/2
    x0 = torch.tensor([[0.5, 1.0], [0.25, 0.75]])
    far = Stopping(1e-5, 20_000)
    rows = [
        (2.0, far, Status.CONVERGED),
        (1.0, Stopping(1e-30, 20_000), Status.CONVERGED),
        (4.0, far, Status.STALLED),
        (9.5, far, Status.DIVERGED),
        (1e-9, far, Status.STALLED),
        (0.01, Stopping(1e-5, 50), Status.MAX_ITERATIONS),
        (0.01, Stopping(1e-5, 50, cap=10), Status.CAPPED),
    ]
    rules = [GradientDescent(lr=lr) for lr, _, _ in rows]
    batch = descend_batch(problem, rules, [until for _, until, _ in rows], x0=x0)
    for i, (_, until, status) in enumerate(rows):
        assert batch.status(i) is status
        assert_same(batch[i], descend(problem, rules[i], until, x0=x0), batch, i)
    assert batch.periods.tolist() == [0, 0, 2, 0, 1, 0, 0]


@both
@pytest.mark.slow
def test_stalls_are_found_at_the_same_iteration_under_every_rule() -> None:
    for name in BATCHABLE_RULES:
        problem = Matrix()
        rules = [dataclasses.replace(rule(name, 0), lr=lr) for lr in (1e-9, 0.3, 1.0, 2.0)]  # type: ignore[call-arg]
        until = Stopping(1e-30, 560)
        batch = descend_batch(problem, rules, until, seeds=3)
        for i, each in enumerate(rules):
            assert_same(batch[i], descend(problem, each, until, seed=3), batch, i)


@pytest.mark.slow
@pytest.mark.parametrize("dtype", ["float64", "float16", "bfloat16"])
def test_rows_equal_the_descent_alone_in_every_dtype(dtype: str) -> None:
    rules = [rule("adam", i) for i in range(12)]
    batch = descend_batch(Matrix(), rules, Stopping(1e-3, 60), seeds=range(12), dtype=dtype)
    for i, each in enumerate(rules):
        alone = descend(Matrix(), each, Stopping(1e-3, 60), seed=i, dtype=dtype)
        assert_same(batch[i], alone, batch, i)


@pytest.mark.slow
@both
def test_schedules_may_differ_from_row_to_row() -> None:
    schedules = [Cosine(20), Warmup(8), StepDecay(5, 0.5), Cosine(20, floor=0.5)]
    rules = [Adam(lr=0.1 * (1 + i), schedule=schedules[i % 4]) for i in range(16)]
    rules += [Adam(lr=0.1), Adam(lr=0.2, beta1=0.5)]
    until = Stopping(1e-9, 400)
    batch = descend_batch(Matrix(), rules, until, seeds=7)
    for i, each in enumerate(rules):
        assert_same(batch[i], descend(Matrix(), each, until, seed=7), batch, i)


@both
@pytest.mark.slow
def test_rows_settle_and_stall_at_different_iterations() -> None:
    rules = [
        RMSprop(lr=lr, momentum=m, schedule=Cosine(steps))
        for lr, m, steps in ((0.1, 0.0, 50), (0.01, 0.5, 50), (1.0, 0.9, 70), (1e-9, 0.0, 50))
    ]
    rules += [RMSprop(lr=1e-9)]
    until = Stopping(1e-30, 700)
    batch = descend_batch(Matrix(), rules, until, seeds=1)
    for i, each in enumerate(rules):
        assert_same(batch[i], descend(Matrix(), each, until, seed=1), batch, i)
    adam = [Adam(lr=0.01, beta1=b, beta2=0.5) for b in (0.0, 0.3, 0.6)]
    batch = descend_batch(Matrix(), adam, until, seeds=1)
    for i, each in enumerate(adam):
        assert_same(batch[i], descend(Matrix(), each, until, seed=1), batch, i)


@pytest.mark.slow
@both
@pytest.mark.parametrize("block", [1, 3, 16, 1000])
def test_the_block_size_changes_nothing(block: int) -> None:
    rules = [rule("momentum", i) for i in range(DISTINCT)]
    limits = [stopping(i) for i in range(DISTINCT)]
    usual = descend_batch(Matrix(), rules, limits, seeds=range(DISTINCT))
    other = descend_batch(Matrix(), rules, limits, seeds=range(DISTINCT), block=block, chunk=9)
    for i, result in enumerate(usual):
        assert_same(other[i], result, other, i)


@pytest.mark.slow
@both
@pytest.mark.usefixtures("threads")
@pytest.mark.parametrize("problem", [Quadratic(3000), Quadratic(40_000), Matrix()])
def test_the_number_of_threads_changes_nothing(problem: Problem) -> None:
    rows = 4000 if isinstance(problem, Matrix) else 5
    rules = [GradientDescent(lr=0.1 + i / rows) for i in range(rows)]
    x0, until = starts(problem, rows), Stopping(1e-3, 3)
    for count in (1, 2):
        torch.set_num_threads(count)
        batch = descend_batch(problem, rules, until, x0=x0)
        for i in (0, 1, rows // 2, rows - 1):
            alone = descend(problem, rules[i], until, x0=x0[i].clone())
            assert_same(batch[i], alone, batch, i)


@pytest.mark.slow
@pytest.mark.parametrize("rule_name", BATCHABLE_RULES)
def test_without_traces_everything_but_the_trace_is_known(rule_name: str) -> None:
    problem = Matrix()
    x0 = starts(problem, DISTINCT)
    rules = [rule(rule_name, i) for i in range(DISTINCT)]
    limits = [stopping(i) for i in range(DISTINCT)]
    batch = descend_batch(problem, rules, limits, x0=x0, keep_traces=False)
    for i in range(DISTINCT):
        alone = descend(problem, rules[i], limits[i], x0=x0[i].clone())
        assert_same_summary(batch, i, alone)
    with pytest.raises(BadInput, match="keep_traces"):
        batch[0]


@pytest.mark.slow
@both
@pytest.mark.parametrize("keep_traces", [True, False])
def test_what_cannot_be_batched_runs_one_at_a_time_with_the_same_result(keep_traces: bool) -> None:
    problem = Function(points=8, hidden=(3,))
    rules = [GradientDescent(lr=lr) for lr in (0.1, 0.5, 1e9)]
    limits = [Stopping(1e-3, 30), Stopping(0.5, 30), Stopping(1e-3, 30, cap=20)]
    batch = descend_batch(problem, rules, limits, seeds=[1, 2, 3], keep_traces=keep_traces)
    for i in range(3):
        alone = descend(problem, rules[i], limits[i], seed=i + 1)
        assert_same_summary(batch, i, alone)
        if keep_traces:
            assert_same(batch[i], alone, batch, i)


@pytest.mark.slow
def test_optimizers_of_torch_run_one_at_a_time_with_the_same_result() -> None:
    rules = [RULES["torch"](lr=lr) for lr in (0.5, 1.0)]  # type: ignore[call-arg]
    batch = descend_batch(Matrix(), rules, Stopping(1e-3, 30))
    for i in range(2):
        assert_same(batch[i], descend(Matrix(), rules[i], Stopping(1e-3, 30)), batch, i)


@both
def test_a_rule_that_takes_no_arrays_is_asked_rule_by_rule() -> None:
    @dataclasses.dataclass(frozen=True)
    class NumbersOnly(GradientDescent):
        def coefficients(self, iteration: int) -> tuple[Any, ...]:
            return (math.exp(self.lr) / 10,)

    rules = [NumbersOnly(lr=lr) for lr in (0.1, 1.0, 2.0)]
    batch = descend_batch(Matrix(), rules, Stopping(1e-3, 30))
    for i, each in enumerate(rules):
        assert_same(batch[i], descend(Matrix(), each, Stopping(1e-3, 30)), batch, i)


@both
def test_starts_come_from_x0_or_from_the_seed_of_each_row() -> None:
    until = Stopping(1e-5, 10)
    drawn = descend_batch(Matrix(), None, until, seeds=[4, 5, 4])
    given = descend_batch(Matrix(), None, until, x0=[Matrix().start(s) for s in (4, 5, 4)])
    one = descend_batch(Matrix(), [GradientDescent()] * 3, until, x0=Matrix().start(5))
    assert torch.equal(drawn.initial, given.initial)
    assert torch.equal(drawn.final, given.final)
    assert torch.equal(one.final, drawn.final[1].expand(3, 3, 3))
    assert len(descend_batch(Matrix())) == 1


def test_a_start_in_another_memory_order_is_the_same_start() -> None:
    x0 = torch.rand(2, 3, 3, generator=torch.Generator().manual_seed(1)).transpose(1, 2)
    batch = descend_batch(Matrix(), x0=x0)
    for i in range(2):
        assert_same(batch[i], descend(Matrix(), x0=x0[i].contiguous()), batch, i)


@both
def test_the_starts_that_were_given_are_left_alone() -> None:
    x0 = torch.rand(4, 3, 3)
    before = x0.clone()
    batch = descend_batch(Matrix(), x0=x0)
    assert torch.equal(x0, before)
    assert not x0.requires_grad
    assert batch.final.data_ptr() != x0.data_ptr()


@pytest.mark.slow
@settings(max_examples=25, deadline=None)
@given(
    rows=st.lists(st.integers(0, DISTINCT - 1), min_size=1, max_size=60),
    name=st.sampled_from(BATCHABLE_RULES),
)
def test_subsets_and_permutations_never_change_a_row(rows: list[int], name: str) -> None:
    x0 = starts(SHARED, DISTINCT)

    def batch_of(chosen: list[int]) -> BatchResult:
        rules = [rule(name, i) for i in chosen]
        return descend_batch(
            SHARED, rules, [stopping(i) for i in chosen], x0=x0[torch.tensor(chosen)]
        )

    whole, some = batch_of(list(range(DISTINCT))), batch_of(rows)
    for i, row in enumerate(rows):
        assert_same(some[i], whole[row], some, i)


@both
@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"rules": []}, "rules=nothing"),
        ({"seeds": []}, "seeds=nothing"),
        ({"rules": [GradientDescent(), Momentum()]}, "must be of one class"),
        ({"rules": [GradientDescent()] * 2, "stopping": [Stopping()] * 3}, "stopping=3 entries"),
        ({"rules": [1.0]}, "must be update rules"),
        ({"stopping": [1.0]}, "must be stopping rules"),
        ({"rules": [GradientDescent()] * 2, "seeds": [1, 2, 3]}, "seeds=3 entries"),
        ({"x0": torch.rand(2, 3, 4)}, r"must have shape \(2, 3, 3\)"),
        ({"x0": torch.rand(4)}, r"must have shape \(3, 3\)"),
        ({"x0": torch.full((2, 3, 3), math.nan)}, "finite"),
        ({"x0": torch.ones(2, 3, 3, dtype=torch.int64)}, "floating"),
        ({"seeds": [1, -1]}, "seeds=-1"),
        ({"block": 0}, "block=0"),
        ({"chunk": 0}, "chunk=0"),
        ({"dtype": "int8"}, "dtype"),
        ({"device": "tpu"}, "device"),
    ],
)
def test_bad_input_is_refused_in_one_line(arguments: dict[str, Any], message: str) -> None:
    with pytest.raises(BadInput, match=message) as caught:
        descend_batch(Matrix(), **arguments)
    assert "\n" not in str(caught.value)


class Mixed(Problem):
    """Promises a loss per row and returns one for all."""

    batchable = True
    shape = (2,)

    def loss(self, x: torch.Tensor) -> torch.Tensor:
        return (x * x).sum()


def test_a_loss_that_is_not_one_per_row_is_refused() -> None:
    with pytest.raises(BadInput, match="one loss per row"):
        descend_batch(Mixed(), seeds=[1, 2], engine="torch")


@both
def test_a_batch_explains_itself() -> None:
    batch = descend_batch(Matrix(), [GradientDescent(lr=lr) for lr in (4.5, 1.0, 20.0)])
    assert str(batch) == "3 descents: 2 converged, 1 diverged; fewest iterations 1"
    assert "matrix" in repr(batch)
    assert batch.converged.tolist() == [True, True, False]
    with pytest.raises(IndexError):
        batch[3]
    assert batch[-1].status is Status.DIVERGED


@both
def test_traces_take_four_bytes_per_loss_of_float32() -> None:
    batch = descend_batch(Matrix(), [GradientDescent(lr=0.01)] * 3, Stopping(1e-9, 500))
    assert batch.traces is not None
    assert batch.traces.values.nbytes == 4 * 3 * 501


@both
@pytest.mark.parametrize(
    "problem", [Matrix(target=0.5), Autograd(x0=3.0)], ids=["matrix", "autograd"]
)
def test_a_single_number_is_a_problem_in_a_batch_too(problem: Problem) -> None:
    batch = descend_batch(problem, GradientDescent(lr=0.1), seeds=[1, 2])
    for row, seed in enumerate((1, 2)):
        alone = descend(problem, GradientDescent(lr=0.1), seed=seed)
        assert batch[row].trace.tobytes() == alone.trace.tobytes()
