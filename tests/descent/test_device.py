"""Batches on a GPU, as far as they can be judged without one: the same code, on the processor."""

from __future__ import annotations

import json
from dataclasses import replace
from functools import cache
from types import ModuleType
from typing import Any

import numpy as np
import pytest
import torch
from torch.multiprocessing.reductions import StorageWeakRef
from torch.utils._python_dispatch import TorchDispatchMode

from gdexp.core.errors import BadInput, GdexpError
from gdexp.descent import device
from gdexp.descent.batch import ends
from gdexp.descent.batch.hyperparameters import Hyperparameters
from gdexp.descent.batch.limits import Limits
from gdexp.descent.batch.loop import SHORTEST_BLOCK, BatchLoop
from gdexp.descent.batch.memory import MOST_POINTS, SHARE, Need, need, room_in
from gdexp.descent.batch.options import BatchOptions
from gdexp.descent.batch.result import BatchResult
from gdexp.descent.batch_of_descents import descend_batch
from gdexp.descent.cap import Cap
from gdexp.descent.minimum import Minimum
from gdexp.descent.single_descent import descend
from gdexp.descent.stopping import Status, Stopping
from gdexp.experiment.provenance import ENVIRONMENT, provenance_files
from gdexp.optimizers.base import UpdateRule
from gdexp.optimizers.momentum import GradientDescent
from gdexp.optimizers.registry import RULES
from gdexp.optimizers.schedules import Cosine
from gdexp.problems.autograd import Autograd
from gdexp.problems.base import Problem
from gdexp.problems.landscapes import Himmelblau, Rastrigin
from gdexp.problems.matrix import Matrix
from gdexp.problems.quadratic import Quadratic
from gdexp.reruns.causes import find_causes
from gdexp.reruns.replay import build_experiment
from gdexp.sweeps.plan import Plan
from gdexp.sweeps.space.dimension import parse
from gdexp.sweeps.space.space import Space
from gdexp.sweeps.worker.batch_size import BatchSize
from tests.reruns.records import CONFIG, experiment, other, reference
from tests.support.commands import composed
from tests.support.names import BATCHABLE_RULES

RATES = (0.01, 0.3, 1.0, 4.5, 9.0, 30.0, 1e-9)
LIMITS = (Stopping(1e-12, 70), Stopping(1e-5, 25), Stopping(0.3, 70, cap=9), Stopping(1e3, 3))


@pytest.fixture
def by_torch(monkeypatch: pytest.MonkeyPatch) -> None:
    """Losses are looked at where they are, by torch, as on a GPU."""

    def always(device: torch.device) -> ModuleType:
        return torch

    monkeypatch.setattr(ends, "library", always)


def same(one: BatchResult, other: BatchResult) -> None:
    assert one.hitting_time.tobytes() == other.hitting_time.tobytes()
    for name, value in vars(one).items():
        if isinstance(value, np.ndarray) and name != "_loss_midway":  # some is never looked at
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
    **{name: (Matrix(), {"rules": name}) for name in BATCHABLE_RULES},
    "himmelblau": (Himmelblau(), {"rules": [GradientDescent(lr=lr / 100) for lr in RATES] * 4}),
    "f* below 0": (Autograd(), {"rules": [GradientDescent(lr=lr / 10) for lr in RATES] * 4}),
    "one iteration a block": (Matrix(), {"rules": "gd", "block": 1}),
    "float64": (Matrix(), {"rules": "gd", "dtype": "float64", "keep_traces": False}),
    "no traces": (Matrix(), {"rules": "momentum", "keep_traces": False}),
}


def batch(name: str) -> BatchResult:
    problem, given = BATCHES[name]
    chosen = given["rules"]
    arguments = {**given, "rules": rules(chosen) if isinstance(chosen, str) else chosen}
    x0 = 4 * torch.rand((28, *problem.shape), generator=torch.Generator().manual_seed(3)) - 1
    limits = [LIMITS[i % 4] for i in range(28)]
    found = descend_batch(problem, stopping=limits, x0=x0, engine="torch", **arguments)
    assert len(found.counts) >= 2
    return found


@pytest.fixture(scope="module")
def usual() -> dict[str, BatchResult]:
    return {name: batch(name) for name in BATCHES}


@pytest.mark.slow
@pytest.mark.usefixtures("by_torch")
@pytest.mark.parametrize("name", BATCHES)
def test_losses_looked_at_on_the_device_give_the_same_bits(
    name: str, usual: dict[str, BatchResult]
) -> None:
    same(batch(name), usual[name])


class Small(Quadratic):
    """Stands for a device with little memory: so many rows are too much from some call on."""

    def __init__(self, most: int, calls: int = 0) -> None:
        super().__init__()
        self.most, self.calls, self.refused = most, [calls], [0]

    def loss(self, x: torch.Tensor) -> torch.Tensor:
        self.calls[0] -= 1
        if (x.shape[0] if x.ndim > 1 else 1) > self.most and self.calls[0] < 0:
            self.refused[0] += 1
            raise torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 2.00 GiB.")
        return super().loss(x)


def capped(
    rows: int, problem: Problem | None = None, factor: float | None = 1.5
) -> tuple[BatchResult, Cap | None]:
    cap = None if factor is None else Cap(factor)
    batch = descend_batch(
        problem or Quadratic(),
        [GradientDescent(lr=0.4 + 1.5 * (i * 7 % rows) / rows) for i in range(rows)],
        [Stopping((1e-2, 1e-3, 1e-4)[i % 3], 2000) for i in range(rows)],
        cap=cap,
        engine="torch",
    )
    return batch, cap


@cache
def usual_of(factor: float | None) -> tuple[BatchResult, Cap | None]:
    """Sixty rows with enough memory."""
    return capped(60, factor=factor)


def test_a_cap_limits_rows_the_same_on_the_device(monkeypatch: pytest.MonkeyPatch) -> None:
    usual, cap = capped(60)
    monkeypatch.setattr(ends, "library", lambda device: torch)
    made, other = capped(60)
    same(made, usual)
    assert vars(other) == vars(cap)
    assert usual.counts[Status.CAPPED] > 10


@pytest.mark.slow
@pytest.mark.parametrize("factor", [None, 1.5])
@pytest.mark.parametrize(("most", "calls"), [(31, 0), (1, 0), (7, 40)])
def test_rows_that_are_too_much_are_halved_and_begun_again_with_the_same_bits(
    most: int, calls: int, factor: float | None
) -> None:
    usual, cap = usual_of(factor)
    small = Small(most, calls)
    made, other = capped(60, small, factor)
    same(made, usual)
    assert (cap is None or vars(cap)) == (other is None or vars(other))
    # The size that was enough is kept: no later rows are tried in vain.
    assert 1 <= small.refused[0] <= 6


def test_one_row_that_is_too_much_is_one_line() -> None:
    line = "device=cpu: out of memory with one descent of 10 numbers; use a smaller problem"
    for attempt in (
        lambda: descend_batch(Small(0), seeds=[1, 2], engine="torch"),
        lambda: descend_batch(Small(0), seeds=[1, 2]),
        lambda: descend_batch(Small(0), dtype="bfloat16"),
        lambda: descend(Small(0)),
    ):
        with pytest.raises(GdexpError) as caught:
            attempt()
        assert str(caught.value) == line
        assert caught.value.exit_status == 1
    told = str(device.out_of_memory(torch.device("cuda:1"), 1))
    assert told == (
        "device=cuda:1: out of memory with one descent of 1 number; free some, or use device=cpu"
    )


@pytest.mark.parametrize("free", [2**20, 2**30, 80 * 2**30])
@pytest.mark.parametrize("block", [None, 1, 50])
def test_what_is_planned_stays_within_a_share_of_the_free_memory(
    free: int, block: int | None
) -> None:
    each = Need(point=36, iteration=100, rest=800)
    found = room_in(free, each, block)
    blocks = max(found.points * each.iteration // each.point, 0)
    shortest = (block or SHORTEST_BLOCK) * each.iteration
    assert found.rows * (each.rest + shortest) + blocks <= free * SHARE
    assert found.points <= MOST_POINTS
    assert found.rows * (each.rest + shortest) > free * SHARE / 3  # and uses it


def test_at_least_one_row_is_tried_however_little_memory_there_is() -> None:
    assert room_in(0, Need(36, 100, 800)).rows == 1


class Peak(TorchDispatchMode):
    """The most bytes that the tensors made meanwhile took at one time."""

    def __init__(self) -> None:
        super().__init__()
        self.alive: dict[int, tuple[StorageWeakRef, int]] = {}
        self.most = 0

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        made = func(*args, **(kwargs or {}))
        for tensor in made if isinstance(made, list | tuple) else [made]:
            if isinstance(tensor, torch.Tensor):
                storage = tensor.untyped_storage()
                self.alive[storage._cdata] = StorageWeakRef(storage), storage.nbytes()
        self.alive = {k: v for k, v in self.alive.items() if not v[0].expired()}
        self.most = max(self.most, sum(size for _, size in self.alive.values()))
        return made


@pytest.mark.slow
@pytest.mark.usefixtures("by_torch")
@pytest.mark.parametrize("name", ["gd", "rmsprop", "adam"])
@pytest.mark.parametrize(
    ("problem", "block"), [(Matrix(), 4), (Himmelblau(), 30), (Rastrigin(dimension=20), 4)]
)
def test_a_batch_takes_no_more_memory_than_it_is_judged_to_need(
    problem: Problem, block: int, name: str
) -> None:
    cls: Any = RULES[name]
    rows = 500
    own = [cls(lr=1e-4 * (1 + i / rows)) for i in range(rows)]
    moved = problem.to(torch.float32, torch.device("cpu"))
    x = torch.rand((rows, *problem.shape), generator=torch.Generator().manual_seed(0))
    each = need(moved, own[0], x[0])
    limits = Limits.of([Stopping(1e-9, 40 + i) for i in range(7)], np.arange(rows) % 7)
    with Peak() as peak:
        loop = BatchLoop(
            moved,
            Minimum(problem, torch.device("cpu")),
            Hyperparameters(own, np.arange(rows)),
            limits,
            x.clone(),
            0,
            BatchOptions(keep_traces=False, block=block),
        )
        loop.run(lambda: None)
    planned = rows * (block * each.iteration + each.rest)
    assert planned / 6 < peak.most < planned


def fail_in(place: torch.device, seen: list[dict[str, Any]]) -> None:
    with device.exact_arithmetic(place):
        seen.append(device.arithmetic_settings())
        raise KeyError


@pytest.mark.parametrize("mode", ["default", "warn", "error"])
def test_a_gpu_computes_exactly_meanwhile_and_as_before_afterwards(mode: str) -> None:
    before = device.arithmetic_settings()
    try:
        torch.set_deterministic_debug_mode(mode)
        torch.backends.cudnn.benchmark = True
        torch.backends.cuda.matmul.fp32_precision = "tf32"
        theirs = device.arithmetic_settings()
        meanwhile: list[dict[str, Any]] = []
        with pytest.raises(KeyError):
            fail_in(torch.device("cuda", 0), meanwhile)
        assert meanwhile == [
            {
                "deterministic": 2 if mode == "error" else 1,
                "cudnn.benchmark": False,
                "matmul": "ieee",
                "cudnn.conv": "ieee",
                "cudnn.rnn": "ieee",
            }
        ]
        assert device.arithmetic_settings() == theirs
        with device.exact_arithmetic(torch.device("cpu")):
            assert device.arithmetic_settings() == theirs
    finally:
        torch.set_deterministic_debug_mode(before["deterministic"])
        torch.backends.cudnn.benchmark = before["cudnn.benchmark"]
        torch.backends.cuda.matmul.fp32_precision = before["matmul"]


def environment(place: str) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(provenance_files({**CONFIG, "device": place})[ENVIRONMENT])
    del found["overrides"]
    return found


def test_what_a_gpu_computes_with_is_recorded_and_named_as_a_cause(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    names = {"cuda:0": "One", "cuda:1": "Another"}
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(torch.cuda, "get_device_name", names.__getitem__)
    # A build of torch with CUDA looks for the devices.
    monkeypatch.setattr(torch.backends.cudnn, "version", lambda: 91900)
    here, there = (environment(name) for name in names)
    assert here["gpu"] == "One"
    assert here["gpu_settings"]["deterministic"] == 1
    assert here["gpu_settings"]["matmul"] == "ieee"
    assert "gpu" not in environment("cpu")
    assert [str(each) for each in find_causes(there, here)] == ["the GPU: Another there, One here"]
    assert not find_causes(here, here)


def test_a_run_of_a_gpu_is_not_made_again_where_there_is_none() -> None:
    recorded = reference(experiment())
    config = recorded.files["config.yaml"].replace(b"device: cpu", b"device: cuda:0")
    with pytest.raises(BadInput, match=r"^run: device=cuda:0: usable here: cpu"):
        build_experiment(other(recorded, files={"config.yaml": config}))


@pytest.mark.slow
def test_more_trials_go_together_on_a_gpu() -> None:
    def at_once(place: str, *lines: str) -> int:
        chosen = composed("+sweep=default", "stopping.max_iterations=1000", *lines)
        space = Space.build([parse("optimizer.lr", "interval(0.1,1)")], {})
        plan = Plan.build(chosen, space)
        plan = replace(plan, base={**plan.base, "device": place})
        return BatchSize(plan).at(0)

    assert at_once("cpu", "sweep.sampler=random") == 64
    assert at_once("cuda", "sweep.sampler=random") == 1024
    assert at_once("cuda", "sweep.sampler=random", "sweep.batch=7") == 7
    assert at_once("cuda", "sweep.sampler=tpe") == at_once("cpu", "sweep.sampler=tpe")
