"""A loop of the user's own is counted, read and ended; it changes by one `yield`."""

from __future__ import annotations

import math
import random
import tracemalloc
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

import gdexp
from gdexp import BadInput, Checkpoint, Status, Stopping, TrainingResult
from gdexp.checkpoints import CheckpointFolder, Checkpointing
from gdexp.training import OwnLoop

ACCURACY = Stopping(0.9, 100, absolute=True, metric="accuracy", mode="max", every=1)


def run(function: Any, stopping: Stopping, arguments: Any = None, **options: Any) -> TrainingResult:
    return OwnLoop(function, arguments or {}, "fit", stopping, **options).run()


def descending(lr: float = 0.5, closed: list[str] | None = None) -> Iterator[dict[str, float]]:
    loss = 1.0
    try:
        while True:
            loss *= 1 - lr
            yield {"loss": loss, "accuracy": 1 - loss}
    finally:
        if closed is not None:
            closed.append("closed")


def test_the_first_yield_is_iteration_1_and_the_generator_is_closed() -> None:
    closed: list[str] = []
    result = run(descending, Stopping(0.125, 100), {"closed": closed})
    assert (result.status, result.iterations) == (Status.CONVERGED, 3)
    assert result.readings["loss"].tolist() == [[1, 0.5], [2, 0.25], [3, 0.125]]
    assert (result.hitting_time, result.final_loss, closed) == (3.0, 0.125, ["closed"])


def test_a_metric_ends_it() -> None:
    result = run(descending, ACCURACY)
    assert result.iterations == 4
    between = (0.9 - 0.875) / (0.9375 - 0.875)
    assert result.hitting_time == pytest.approx(3 + between, rel=1e-12)
    assert result.best("accuracy") == 0.9375


def test_a_metric_that_comes_sometimes_is_shown_at_its_own_iterations() -> None:
    def fit() -> Iterator[dict[str, float]]:
        for k in range(1, 11):
            yield {"loss": 1.0} | ({"accuracy": k / 10} if k % 3 == 0 else {})

    seen: list[tuple[int, float]] = []

    def watch(iteration: int, values: Any) -> int:
        seen.append((iteration, values[-1]))
        return iteration + 1

    result = run(fit, ACCURACY, watch=watch)
    assert seen == [(3, 0.3), (6, 0.6), (9, 0.9)]
    assert result.last_watched == (9, 0.9)


def test_limits() -> None:
    assert run(descending, Stopping(1e-9, 5)).status is Status.MAX_ITERATIONS
    assert run(descending, Stopping(1e-9, 50, patience=2, min_delta=0.1)).status is Status.PLATEAU
    assert run(descending, Stopping(1e-9, 50, max_seconds=1e-6)).status is Status.OUT_OF_TIME


def three_yields() -> Iterator[dict[str, float]]:
    for loss in (3.0, 2.0, 1.0):
        yield {"loss": loss}


def test_a_loop_that_ends_early_has_not_converged() -> None:
    result = run(three_yields, Stopping(0.5, 100))
    assert (result.status, result.iterations) == (Status.MAX_ITERATIONS, 3)
    assert result.hitting_time > 3


def infinite() -> Iterator[dict[str, float]]:
    yield {"loss": 1.0}
    yield {"loss": float("inf")}


def test_an_infinite_loss_diverges() -> None:
    assert run(infinite, Stopping(0.5, 100)).status is Status.DIVERGED


def sometimes() -> Iterator[dict[str, float]]:
    for step in range(1, 100):
        yield {"loss": 1 / step} | ({"accuracy": step / 100} if step % 10 == 0 else {})


def test_a_metric_may_come_only_sometimes() -> None:
    result = run(sometimes, ACCURACY)
    assert result.iterations == 90
    assert result.hitting_time == 90.0


def test_a_metric_that_never_comes_is_named() -> None:
    with pytest.raises(BadInput, match=r"stopping\.metric=accuracy: choose from loss"):
        run(three_yields, ACCURACY)


def silent() -> Iterator[dict[str, float]]:
    yield from ()


@pytest.mark.parametrize("stopping", [(0.5, 9), (None, 9)])
def test_a_loop_that_yields_nothing_is_refused(stopping: tuple[Any, int]) -> None:
    with pytest.raises(BadInput, match="gave no metrics: it must yield a dictionary"):
        run(silent, Stopping(*stopping))


@pytest.mark.parametrize("item", [1.0, None, [1.0], "loss"])
def test_a_yield_that_is_no_dictionary_is_refused(item: Any) -> None:
    def wrong() -> Iterator[Any]:
        yield item

    with pytest.raises(BadInput, match="must return a dictionary of metrics"):
        run(wrong, Stopping(0.5, 9))


def drawn() -> Iterator[dict[str, float]]:
    for _ in range(3):
        yield {"loss": torch.rand(()).item() + random.random() + np.random.rand()}


def test_all_generators_are_seeded_and_restored() -> None:
    torch.manual_seed(5)
    first, again = (run(drawn, Stopping(1e-9, 9), seed=4) for _ in range(2))
    assert first.readings["loss"].tolist() == again.readings["loss"].tolist()
    kept = torch.rand(()).item()
    torch.manual_seed(5)
    assert torch.rand(()).item() == kept


def reporting(raises: bool = True, catches: bool = False) -> None:
    for step in range(1, 100):
        try:
            if gdexp.report(step, raises=raises, loss=1 / step):
                break
        except Exception:
            if not catches:
                raise


@pytest.mark.parametrize("arguments", [{}, {"raises": False}, {"catches": True}])
def test_code_that_cannot_yield_reports(arguments: Any) -> None:
    result = run(reporting, Stopping(0.2, 1000), arguments)
    assert (result.status, result.iterations) == (Status.CONVERGED, 5)


def test_a_report_outside_of_a_run_does_nothing() -> None:
    assert gdexp.report(1, loss=0.0) is False
    reporting()


def merged() -> None:
    gdexp.report(10, loss=0.5)
    gdexp.report(10, accuracy=0.3)
    gdexp.report(20, loss=0.4, accuracy=0.95)


def test_reports_of_one_step_belong_together() -> None:
    result = run(merged, ACCURACY)
    assert result.readings["accuracy"].tolist() == [[10, 0.3], [20, 0.95]]
    assert result.iterations == 20


@pytest.mark.parametrize(
    ("steps", "words"),
    [
        ((1.5,), "whole number"),
        ((-1,), "whole number"),
        ((math.nan,), "whole number"),
        ((math.inf,), "whole number"),
        ((np.int64(3), 2.0), "at least"),
    ],
)
def test_steps_are_whole_and_do_not_fall(steps: Any, words: str) -> None:
    def fit() -> None:
        for step in steps:
            gdexp.report(step, loss=1.0)

    with pytest.raises(BadInput, match=words):
        run(fit, Stopping(0.5, 9))


def saving(kill_at: int = 0, checkpoint: Checkpoint | None = None) -> Iterator[Any]:
    weights, first = torch.zeros(3), 0
    if checkpoint is not None:
        weights, first = checkpoint["weights"], checkpoint["step"]
        checkpoint.restore_generators()
    for step in range(first + 1, 20):
        if step == kill_at:
            raise RuntimeError("killed")
        weights = weights + torch.rand(3)
        yield {"loss": float(weights.sum())}, Checkpoint(weights=weights, step=step)


def checkpointing(folder: Path) -> Checkpointing:
    return Checkpointing(CheckpointFolder(folder), 1e-9, {})


def test_a_loop_goes_on_from_its_checkpoint_with_the_same_bits(tmp_path: Path) -> None:
    whole = run(saving, Stopping(1e-9, 15))
    saves = checkpointing(tmp_path)
    with pytest.raises(RuntimeError, match="killed"):
        run(saving, Stopping(1e-9, 15), {"kill_at": 9}, checkpoints=saves)
    saves = checkpointing(tmp_path)
    resumed = run(saving, Stopping(1e-9, 15), checkpoints=saves)
    assert saves.resumed_at is not None
    assert resumed.readings["loss"].tobytes() == whole.readings["loss"].tobytes()
    assert resumed.iterations == whole.iterations


def test_a_loop_that_made_more_than_the_cap_allows_by_now_ends_with_what_it_made(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("gdexp.checkpoints.checkpointing.SHARE", 1e9)  # after every step
    until = Stopping(1e-9, 50)
    with pytest.raises(RuntimeError, match="killed"):
        run(saving, until, {"kill_at": 9}, checkpoints=checkpointing(tmp_path))
    saves = checkpointing(tmp_path)
    result = run(saving, replace(until, cap=3), checkpoints=saves)
    assert (saves.resumed_at, result.status) == (8, Status.CAPPED)
    assert result.iterations == result.stopping.cap
    again = run(saving, result.stopping)
    assert (again.status, again.iterations) == (result.status, result.iterations)


def test_a_loop_that_cannot_take_its_checkpoint_is_refused() -> None:
    def fit() -> Iterator[Any]:
        yield {"loss": 1.0}, Checkpoint(step=1)

    with pytest.raises(BadInput, match="must have a parameter checkpoint=None"):
        run(fit, Stopping(0.5, 9))


@pytest.mark.slow
def test_memory_stays_flat() -> None:
    def long() -> Iterator[dict[str, Any]]:
        graph = torch.ones(1000, requires_grad=True)
        for _ in range(10_000):
            yield {"loss": (graph * graph).sum()}

    tracemalloc.start()
    run(long, Stopping(1e-9, 20_000))
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak < 3_000_000
