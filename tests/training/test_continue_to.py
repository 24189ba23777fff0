"""`continue_to` of trainings and loops: losses and readings go on, and nothing else changes."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from gdexp import Status, Stopping, TrainingResult, load_runs
from gdexp.cli import main
from gdexp.training import Kept, OwnLoop, TrainingLoop, UpdateSettings, metric_numbers_of
from tests.training.small_training import Small
from tests.training.small_variants import At, Kill

PLATEAU = {"name": "torch", "class_name": "ReduceLROnPlateau", "options": {"patience": 0}}
GROUP: dict[str, Any] = {
    "name": "torch",
    "class_name": "SGD",
    "lr": 0.1,
    "ema": 0.9,
    "schedule": {**PLATEAU, "metric": "val_loss"},
}
LOSS = {"threshold": 0.45, "max_iterations": 400, "every": 7}
ACCURACY = {"threshold": 0.8, "metric": "accuracy", "mode": "max", "absolute": True, "every": 3}
CASES: list[tuple[dict[str, Any], float, str]] = [
    (LOSS, 0.3, "best"),
    (ACCURACY | {"max_iterations": 400}, 0.95, "best"),
    (LOSS | {"max_iterations": 60}, 0.01, "last"),  # which the limit ends
]


def train(group: dict[str, Any], model: str = "last", **options: Any) -> TrainingResult:
    settings = UpdateSettings.from_config(GROUP)
    loop = TrainingLoop(
        Small, "small", settings, Stopping(**group), kept=Kept(model=model), **options
    )
    if "checkpoints" in options:
        options["checkpoints"].loop = loop
    return loop.run()


def assert_same_but_longer(one: TrainingResult, other: TrainingResult) -> None:
    """The second is the first with a longer trace."""
    for name in ("status", "iterations", "hitting_time", "final_loss", "min_loss", "epochs"):
        assert getattr(one, name) == getattr(other, name), name
    assert (one.digests, one.resolution) == (other.digests, other.resolution)
    assert torch.equal(one.final, other.final)
    for mine, theirs in ((one.state, other.state), (one.best_state, other.best_state)):
        assert (mine is None) == (theirs is None)
        for key, tensor in (mine or {}).items():
            assert torch.equal(tensor, (theirs or {})[key])
    assert metric_numbers_of(one) == metric_numbers_of(other)
    assert other.trace[: len(one.trace)].tobytes() == one.trace.tobytes()
    for name, readings in one.readings.items():
        assert other.readings[name][: len(readings)].tobytes() == readings.tobytes()


@pytest.mark.parametrize(("group", "goal", "model"), CASES)
def test_only_losses_and_readings_become_longer(
    group: dict[str, Any], goal: float, model: str
) -> None:
    plain, longer = train(group, model), train(group | {"continue_to": goal}, model)
    assert plain.status is Status.CONVERGED
    assert_same_but_longer(plain, longer)
    assert longer.updates > longer.iterations == plain.updates
    # They are those of a training to the tighter threshold, with a reading at the looser one.
    whole = train(group | {"threshold": goal}, model)
    assert longer.trace.tobytes() == whole.trace.tobytes()
    taken = whole.readings["accuracy"][:, 0]
    extra = ~np.isin(longer.readings["accuracy"][:, 0], taken)
    assert extra.sum() <= 1
    assert np.array_equal(longer.readings["accuracy"][~extra], whole.readings["accuracy"])
    assert longer.updates == whole.updates
    assert longer.iterations_to(goal) == (whole.updates if whole.converged else None)
    assert longer.at_least(goal) is None


@pytest.mark.slow
@pytest.mark.parametrize(("group", "goal", "model"), CASES[:2])
def test_a_killed_continuation_goes_on(
    group: dict[str, Any], goal: float, model: str, tmp_path: Path
) -> None:
    longer = train(group | {"continue_to": goal}, model)
    for save in (longer.iterations - 1, longer.iterations + 2):
        killed = At(tmp_path, [save], kill=save + 1)
        with pytest.raises(Kill):
            train(group | {"continue_to": goal}, model, checkpoints=killed)
    resumed = train(group | {"continue_to": goal}, model, checkpoints=At(tmp_path, []))
    assert_same_but_longer(longer, resumed)
    assert resumed.trace.tobytes() == longer.trace.tobytes()


def halving() -> Iterator[dict[str, float]]:
    for k in range(1, 100):
        yield {"loss": 0.5**k, "accuracy": 1 - 0.5**k}


@pytest.mark.parametrize(
    ("stopping", "end", "last"),
    [
        (Stopping(0.3, 50, continue_to=0.01, patience=1, min_delta=0.2), 2, 7),
        (
            Stopping(
                0.7, 50, absolute=True, metric="accuracy", mode="max", every=1, continue_to=0.99
            ),
            2,
            7,
        ),
        (Stopping(0.3, 5, continue_to=0.01), 2, 5),
    ],
)
def test_a_loop_goes_on(stopping: Stopping, end: int, last: int) -> None:
    result = OwnLoop(halving, {}, "fit", stopping).run()
    assert (result.status, result.iterations, result.updates) == (Status.CONVERGED, end, last)
    assert (result.final_loss, result.last("accuracy")) == (0.25, 0.75)
    assert result.readings["loss"][:, 0].tolist() == list(range(1, last + 1))


@pytest.mark.slow
def test_a_sweep_of_trainings_has_a_complete_table(
    here: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    shutil.copy(Path(__file__).parent / "small_training.py", here / "small.py")
    lines = ["-m", "problem=training", "problem.path=small.Small", "optimizer.lr=0.1,0.5"]
    lines += ["stopping.metric=accuracy", "stopping.threshold=0.8", "stopping.every=2"]
    lines += ["stopping.max_iterations=90", "sweep.name=s"]
    assert main(lines) == 0
    said = " ".join(capsys.readouterr().out.split())
    assert "sweep.continue_to=0.99 completes the table" in said
    plain, goal = load_runs(), "sweep.continue_to=0.9"
    assert main([*lines[:-1], "sweep.name=t", goal]) == 0
    said = capsys.readouterr().out
    assert "go on to 0.9 where a trial converged" in said
    longer = load_runs()
    assert [run.iterations for run in plain] == [run.iterations for run in longer]
    for run in longer:
        assert run.updates == run.metrics["updates"] > run.iterations
        assert run.at_least(0.9) is None
    assert main(["+rerun", "rerun_all=true", "rerun.record=false", "trust=[small.Small]"]) == 0
    assert "2 identical" in " ".join(capsys.readouterr().out.split())
    assert main([*lines[:-1], "sweep.name=u", "sweep.continue_to=0.7"]) == 2
    error = capsys.readouterr().err
    assert "must be above stopping.threshold, which is 0.8 at least" in error
