"""A killed sweep whose trials run together goes on from the checkpoint of their batch."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

from gdexp.cli import main
from gdexp.core import WorkEnded
from gdexp.descent import BatchSaving
from gdexp.sweeps.worker.checkpoints import TrialCheckpoints
from tests.sweeps.test_resume import finished, told

SWEEP = (*("+sweep", "sweep.name=s", "problem=rosenbrock", "checkpoint.every=1e-9"),)


class Kill(WorkEnded):
    """Stands for SIGKILL."""


RANDOM = ("sweep.sampler=random", "optimizer.lr=tag(log,interval(1e-4,1e-3))")

SEEDS = (
    *RANDOM,
    *("sweep.n_trials=5", "sweep.seeds=2", "stopping.threshold=0.5", "tracking.children=best:1"),
)

PORTABLE = ("stopping.max_iterations=4000", *SEEDS)

ON_TORCH = ("engine=torch", "stopping.patience=90", "stopping.max_iterations=400", *SEEDS)

CAPPED = (
    *RANDOM,
    *("sweep.cap=1", "stopping.max_iterations=9000", "sweep.n_trials=8"),
    *("stopping.threshold=tag(log,interval(0.3,0.6))", "sweep.continue_to=0.2"),
)

GRID = (
    *("sweep.cap=2", "sweep.sampler=grid", "stopping.max_iterations=600", "engine=torch"),
    *("optimizer.lr=choice(2e-4,5e-4,1e-3)", "stopping.threshold=choice(0.6,0.4)"),
)


@pytest.mark.slow
@pytest.mark.parametrize(
    "more",
    [PORTABLE, ON_TORCH, CAPPED, GRID],
    ids=["portable", "torch", "with a cap", "a grid with a cap on torch"],
)
def test_a_killed_batch_goes_on_with_the_same_bits(
    more: Sequence[str],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setattr("gdexp.checkpoints.checkpointing.SHARE", 1e9)  # after every block
    whole, broken = tmp_path / "whole", tmp_path / "broken"
    for folder in (whole, broken):
        folder.mkdir()
    monkeypatch.chdir(whole)
    status = main([*SWEEP, *more])
    monkeypatch.chdir(broken)
    real, began = BatchSaving.save, []

    def save(saving: BatchSaving, parts: Sequence[Any]) -> None:
        real(saving, parts)
        began.append((parts[0]["iteration"], saving.goes_on))
        if len(began) % 4 == 0:
            raise Kill

    monkeypatch.setattr(BatchSaving, "save", save)
    for _ in range(2):
        with pytest.raises(Kill):
            main([*SWEEP, *more])
    iterations = [k for k, _ in began]
    assert iterations == sorted(set(iterations))  # nothing is made twice
    assert [goes_on for _, goes_on in began] == [False] * 4 + [True] * 4
    monkeypatch.setattr(BatchSaving, "save", real)
    assert main([*SWEEP, *more]) == status
    assert told(finished(broken)) == told(finished(whole))
    traces = [
        sorted(path.read_bytes() for path in each.glob("mlartifacts/**/trace.npy"))
        for each in (whole, broken)
    ]
    assert traces[0]
    assert traces[0] == traces[1]
    assert not [*broken.glob("sweeps/*/checkpoints/**/*")]
    assert "again" not in capsys.readouterr().err


@pytest.mark.slow
def test_a_kill_before_checkpoints_are_removed_leaves_none(
    here: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("gdexp.checkpoints.checkpointing.SHARE", 1e9)
    line = (*SWEEP, *PORTABLE)
    real = TrialCheckpoints.remove

    def remove(checkpoints: TrialCheckpoints, number: int) -> None:
        raise Kill

    monkeypatch.setattr(TrialCheckpoints, "remove", remove)
    with pytest.raises(Kill):
        main([*line])
    assert [*here.glob("sweeps/s/checkpoints/**/*.safetensors")]
    monkeypatch.setattr(TrialCheckpoints, "remove", real)
    main([*line])
    assert not (here / "sweeps/s/checkpoints").exists()
