"""Twin tests: a descent that was killed and goes on has the bits of one that was not."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch

from gdexp import (
    Adam,
    GradientDescent,
    Matrix,
    Momentum,
    Problem,
    Quadratic,
    Result,
    Rosenbrock,
    Status,
    Stopping,
    TorchOptimizer,
)
from gdexp.checkpoints import CheckpointFolder, Checkpointing
from gdexp.core import WorkEnded
from gdexp.descent import BatchSaving, SavedRows, descend, descend_batch
from gdexp.optimizers import Armijo, Constant, Cosine


class Kill(WorkEnded):
    """Stands for SIGKILL."""


class At(Checkpointing):
    """Saves at some looks between updates, and kills at a later one."""

    def __init__(self, folder: Path, saves: Collection[int] = (), kill: int | None = None) -> None:
        super().__init__(CheckpointFolder(folder), None, {})
        self.saves, self.kill, self.looks = saves, kill, 0

    def is_due_now(self) -> bool:
        self.looks += 1
        if self.looks == self.kill:
            raise Kill
        return self.looks in self.saves


def assert_same(one: Result, other: Result) -> None:
    assert (one.status, one.iterations, one.period) == (
        other.status,
        other.iterations,
        other.period,
    )
    assert one.trace.tobytes() == other.trace.tobytes()
    assert torch.equal(one.final, other.final)
    assert one.hitting_time == other.hitting_time
    assert (one.evaluations is None) == (other.evaluations is None)
    if one.evaluations is not None and other.evaluations is not None:
        assert one.evaluations.tolist() == other.evaluations.tolist()
    assert (one.gradient_norms is None) == (other.gradient_norms is None)
    if one.gradient_norms is not None and other.gradient_norms is not None:
        assert one.gradient_norms.tobytes() == other.gradient_norms.tobytes()


class Noisy(Problem):
    """Its loss draws from torch's generator."""

    def __init__(self) -> None:
        super().__init__(torch.ones(5))

    def loss(self, x: torch.Tensor) -> torch.Tensor:
        return (x * x).sum() + torch.rand(())


def case(name: str) -> tuple[Problem, Any, Stopping]:
    long = Stopping(1e-30, 500)
    short = Stopping(1e-30, 25)
    cases: dict[str, tuple[Problem, Any, Stopping]] = {
        "momentum": (Rosenbrock(), Momentum(lr=1e-4, momentum=0.9), long),
        "schedule": (Rosenbrock(), Adam(lr=0.1, schedule=Cosine(300)), long),
        "stall": (Matrix(), GradientDescent(lr=1.0), long),
        "trace goes on": (
            Quadratic(),
            GradientDescent(lr=0.5),
            Stopping(0.2, 400, continue_to=1e-9),
        ),
        "patience": (
            Rosenbrock(),
            GradientDescent(lr=1e-4),
            Stopping(1e-30, 500, patience=20, min_delta=0.5, every=2),
        ),
        "searches": (Rosenbrock(), Armijo(lr=0.1), Stopping(1e-30, 60)),
        "Adam of torch": (Rosenbrock(), TorchOptimizer("Adam", lr=0.01), short),
        "LBFGS": (Rosenbrock(), TorchOptimizer("LBFGS", lr=0.001), short),
        "noise": (Noisy(), Momentum(lr=0.01, momentum=0.9), short),
    }
    return cases[name]


BOTH = ("momentum", "schedule", "stall", "trace goes on", "patience", "searches")
ONLY_TORCH = ("Adam of torch", "LBFGS", "noise")


@pytest.mark.slow
@pytest.mark.parametrize(
    ("name", "engine"),
    [(name, engine) for name in BOTH for engine in ("portable", "torch")]
    + [(name, "torch") for name in ONLY_TORCH],
)
def test_killed_and_resumed_it_ends_with_the_same_bits(
    name: str, engine: str, tmp_path: Path
) -> None:
    problem, rule, stopping = case(name)
    torch.manual_seed(0)
    whole = descend(problem, rule, stopping, engine=engine)
    torch.manual_seed(0)
    looks = (2, 3) if engine == "portable" else (5, 8)

    def watch(iteration: int, trace: object) -> int:
        return iteration + 9  # so the portable engine's blocks are short

    for save in looks:
        checkpoints = At(tmp_path, [save], kill=save + 1)
        with pytest.raises(Kill):
            descend(problem, rule, stopping, engine=engine, watch=watch, checkpoints=checkpoints)
        torch.rand(3)  # another process is somewhere else
    ends = At(tmp_path)
    assert_same(
        descend(problem, rule, stopping, engine=engine, watch=watch, checkpoints=ends), whole
    )
    assert ends.resumed_at is not None
    assert 0 < ends.resumed_at < len(whole.trace)


def test_patience_that_is_given_where_a_descent_goes_on_hears_it_from_its_start(
    tmp_path: Path,
) -> None:
    problem, rule, stopping = case("patience")
    before = replace(stopping, patience=None)
    with pytest.raises(Kill):
        descend(problem, rule, before, engine="torch", checkpoints=At(tmp_path, [30], kill=31))
    ends = descend(problem, rule, stopping, engine="torch", checkpoints=At(tmp_path))
    assert_same(ends, descend(problem, rule, stopping, engine="torch"))
    assert ends.status is Status.PLATEAU


@pytest.mark.parametrize("engine", ["portable", "torch"])
def test_one_that_converged_later_than_the_cap_allows_by_now_begins_again(
    engine: str, tmp_path: Path
) -> None:
    problem, rule = Quadratic(), GradientDescent(lr=0.05)
    until = Stopping(0.2, 3000, continue_to=1e-9)
    looks = 80

    def run(stopping: Stopping, **given: Any) -> Result:
        return descend(problem, rule, stopping, engine=engine, watch=lambda k, _: k + 1, **given)

    with pytest.raises(Kill):
        run(until, checkpoints=At(tmp_path, [looks], kill=looks + 1))
    capped = replace(until, cap=23)
    ends = run(capped, checkpoints=At(tmp_path))
    assert ends.status is Status.CAPPED
    assert_same(ends, run(capped))


def rows_of(name: str) -> tuple[Problem, list[Any], Stopping, dict[str, Any]]:
    """The problem, rules, stopping rule and options of a batch whose rows end in many ways."""
    rates = [4e-4, 1e-4, 0.1, 1e-3, 2e-4]  # the third diverges, and soon
    plain = [Momentum(lr=lr, momentum=0.9) for lr in rates]
    cases: dict[str, tuple[Problem, list[Any], Stopping, dict[str, Any]]] = {
        "momentum": (Rosenbrock(), plain, Stopping(0.1, 700), {}),
        "chunks": (Rosenbrock(), plain, Stopping(0.1, 300), {"chunk": 2}),
        "schedule": (
            Rosenbrock(),
            [Adam(lr=lr, schedule=Cosine(300)) for lr in rates],
            Stopping(1e-3, 600),
            {},
        ),
        "stalls": (
            Matrix(),
            [GradientDescent(lr=lr) for lr in (1.0, 4.4, 9.5, 0.2)],
            Stopping(1e-30, 900),
            {"seeds": [0, 1, 0, 2]},
        ),
        "traces go on": (
            Quadratic(),
            [GradientDescent(lr=lr) for lr in (0.5, 0.1, 0.01)],
            Stopping(0.2, 400, continue_to=1e-9),
            {"dtype": "float64"},
        ),
        "searches": (Rosenbrock(), [Armijo(lr=lr) for lr in (0.1, 1.0)], Stopping(0.1, 60), {}),
        "gradient norms": (
            Quadratic(),
            [GradientDescent(lr=lr) for lr in (0.5, 0.1, 0.01)],
            Stopping(0.2, 400, continue_to=1e-2, measure="gradient_norm"),
            {},
        ),
        "patience": (
            Rosenbrock(),
            plain,
            Stopping(1e-30, 900, patience=90, min_delta=1e-2, every=2),
            {},
        ),
        "time": (Rosenbrock(), plain, Stopping(0.1, 150, max_seconds=1e6), {}),
        "kinds": (
            Rosenbrock(),
            [
                Momentum(lr=1e-4, momentum=m, schedule=s)
                for m in (0.5, 0.9)
                for s in (Constant(), Cosine(300))
            ],
            Stopping(0.5, 700),
            {},
        ),
    }
    return cases[name]


def batch_killed(
    name: str, engine: str, some: Sequence[int], saved: SavedRows | None, at: At
) -> Any:
    problem, rules, stopping, options = rows_of(name)
    seeds = options.get("seeds", [0] * len(rules))
    options = options | {"seeds": [seeds[row] for row in some], "block": 37}
    saving = BatchSaving(at, saved)
    return descend_batch(
        problem, [rules[row] for row in some], stopping, engine=engine, saving=saving, **options
    )


IN_TENSORS = ("momentum", "chunks", "schedule", "stalls", "traces go on", "kinds", "patience")
IN_TENSORS += ("time",)


@pytest.mark.parametrize(
    ("name", "engine"),
    [pytest.param(name, "torch", marks=pytest.mark.slow) for name in IN_TENSORS]
    + [(name, "portable") for name in IN_TENSORS]
    + [(name, "portable") for name in ("searches", "gradient norms")],
)
def test_the_rows_of_a_killed_batch_end_with_the_same_bits(
    name: str, engine: str, tmp_path: Path
) -> None:
    problem, rules, stopping, options = rows_of(name)
    whole = descend_batch(problem, rules, stopping, engine=engine, **options)
    assert name != "patience" or Status.PLATEAU in map(whole.status, range(len(rules)))
    every, saved = list(range(len(rules))), None
    for _ in range(2):  # the second time from where the first was saved
        counts = At(tmp_path)
        batch_killed(name, engine, every, saved, counts)
        middle = counts.looks // 2
        assert middle
        with pytest.raises(Kill):
            batch_killed(name, engine, every, saved, At(tmp_path, [middle], kill=middle + 1))
        found = CheckpointFolder(tmp_path).load()
        assert found is not None
        saved = SavedRows(found.state, every)
    ends = batch_killed(name, engine, every, saved, At(tmp_path))
    for row in every:
        assert_same(ends[row], whole[row])
    # Another batch may have some of the rows, in another order.
    some = every[::-2]
    ends = batch_killed(name, engine, some, SavedRows(found.state, some), At(tmp_path))
    for place, row in enumerate(some):
        assert_same(ends[place], whole[row])


def test_a_row_that_begins_elsewhere_begins_again(tmp_path: Path) -> None:
    problem, rules, stopping, _ = rows_of("stalls")
    with pytest.raises(Kill):
        batch_killed("stalls", "portable", [0, 1, 2, 3], None, At(tmp_path, [2], kill=3))
    found = CheckpointFolder(tmp_path).load()
    assert found is not None
    saving = BatchSaving(At(tmp_path), SavedRows(found.state, [0, 1]))
    given: Any = {"engine": "portable", "seeds": [0, 5]}
    ends = descend_batch(problem, rules[:2], stopping, saving=saving, **given)
    for one, other in zip(ends, descend_batch(problem, rules[:2], stopping, **given), strict=True):
        assert_same(one, other)
