"""Batches on a GPU, as far as they can be judged without one: the same code, on the processor."""

from __future__ import annotations

from types import ModuleType
from typing import Any

import numpy as np
import pytest
import torch

from gdexp.batch import descend_batch, ends
from gdexp.batch.result import BatchResult
from gdexp.cap import Cap
from gdexp.optimizers import RULES, GradientDescent, UpdateRule
from gdexp.problems import Autograd, Himmelblau, Matrix, Problem, Quadratic
from gdexp.schedules import Cosine
from gdexp.stopping import Status, Stopping

RATES = (0.01, 0.3, 1.0, 4.5, 9.0, 30.0, 1e-9)
LIMITS = (Stopping(1e-12, 70), Stopping(1e-5, 25), Stopping(0.3, 70, cap=9), Stopping(1e3, 3))


@pytest.fixture
def by_torch(monkeypatch: pytest.MonkeyPatch) -> None:
    """Losses are looked at where they are, by torch, as on a GPU."""

    def always(device: torch.device) -> ModuleType:
        return torch

    monkeypatch.setattr(ends, "library", always)


def same(one: BatchResult, other: BatchResult) -> None:
    for name, value in vars(one).items():
        if isinstance(value, np.ndarray):
            assert value.tobytes() == vars(other)[name].tobytes(), name
    assert torch.equal(one.final.view(torch.int32), other.final.view(torch.int32))
    assert one.stoppings == other.stoppings
    assert (one.traces is None) == (other.traces is None)
    if one.traces is not None and other.traces is not None:
        assert one.traces.values.tobytes() == other.traces.values.tobytes()
        assert one.traces.offsets.tobytes() == other.traces.offsets.tobytes()


def rules(name: str) -> list[UpdateRule]:
    cls: Any = RULES[name]
    steady = [cls(lr=lr) for lr in RATES]
    return 3 * steady + [cls(lr=lr, schedule=Cosine(20 + i)) for i, lr in enumerate(RATES)]


BATCHES: dict[str, tuple[Problem, dict[str, Any]]] = {
    **{name: (Matrix(), {"rules": rules(name)}) for name, r in RULES.items() if r.batchable},
    "himmelblau": (Himmelblau(), {"rules": [GradientDescent(lr=lr / 100) for lr in RATES] * 4}),
    "f* below 0": (Autograd(), {"rules": [GradientDescent(lr=lr / 10) for lr in RATES] * 4}),
    "one iteration a block": (Matrix(), {"rules": rules("gd"), "block": 1}),
    "float64": (Matrix(), {"rules": rules("gd"), "dtype": "float64", "keep_traces": False}),
    "no traces": (Matrix(), {"rules": rules("momentum"), "keep_traces": False}),
}


def batch(name: str) -> BatchResult:
    problem, arguments = BATCHES[name]
    x0 = 4 * torch.rand((28, *problem.shape), generator=torch.Generator().manual_seed(3)) - 1
    limits = [LIMITS[i % 4] for i in range(28)]
    found = descend_batch(problem, stopping=limits, x0=x0, **arguments)
    assert len(found.counts) >= 2
    return found


@pytest.fixture(scope="module")
def usual() -> dict[str, BatchResult]:
    return {name: batch(name) for name in BATCHES}


@pytest.mark.usefixtures("by_torch")
@pytest.mark.parametrize("name", BATCHES)
def test_losses_looked_at_on_the_device_give_the_same_bits(
    name: str, usual: dict[str, BatchResult]
) -> None:
    same(batch(name), usual[name])


def capped(rows: int, chunk: int | None = None) -> tuple[BatchResult, Cap]:
    cap = Cap(1.5)
    batch = descend_batch(
        Quadratic(),
        [GradientDescent(lr=0.4 + 1.5 * (i * 7 % rows) / rows) for i in range(rows)],
        [Stopping((1e-2, 1e-3, 1e-4)[i % 3], 2000) for i in range(rows)],
        cap=cap,
        chunk=chunk,
    )
    return batch, cap


def test_a_cap_limits_rows_the_same_on_the_device(monkeypatch: pytest.MonkeyPatch) -> None:
    usual, cap = capped(60)
    monkeypatch.setattr(ends, "library", lambda device: torch)
    made, other = capped(60)
    same(made, usual)
    assert vars(other) == vars(cap)
    assert usual.counts[Status.CAPPED] > 10
