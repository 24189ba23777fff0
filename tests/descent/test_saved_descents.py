"""Twin tests: a descent that was killed and goes on has the bits of one that was not."""

from __future__ import annotations

from collections.abc import Collection
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
    Stopping,
    TorchOptimizer,
)
from gdexp.checkpoints import CheckpointFolder, Checkpointing
from gdexp.descent import descend
from gdexp.optimizers import Armijo, Cosine


class Kill(BaseException):
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
            Stopping(1e-30, 500, patience=20, min_delta=1e-2),
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
