"""Twins through the command line: patience, a budget in seconds; the curves of several seeds."""

from __future__ import annotations

import sqlite3
import time
from contextlib import closing
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import torch

from gdexp import load_runs
from gdexp.checkpoints import CheckpointFolder
from gdexp.cli import main
from gdexp.core import StorageFailed, WorkEnded
from gdexp.tracking import Store, TrackingSettings
from tests.training.small_training import Small

MODULE = """
from tests.training.test_twins import Dying


class Net(Dying):
    pass
"""

NET = ("problem=training", "problem.path=twin_net.Net", "optimizer.lr=0.1")
ACCURACY = ("stopping.metric=accuracy", "stopping.threshold=2", "stopping.every=2")


class Kill(WorkEnded):
    """Stands for SIGKILL: nothing of the training goes on."""


class Dying(Small):
    """Dies where it is told to; a second passes in each loss, by the clock of the tests."""

    def loss(self, model: Any, batch: Any) -> torch.Tensor:
        CLOCK.now += 1.0
        CLOCK.left -= 1
        if CLOCK.left == 0:
            raise Kill
        return super().loss(model, batch)


class Clock:
    """The seconds of a process, and the losses until it dies."""

    now = 0.0
    left = -1


CLOCK = Clock()


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    (tmp_path / "twin_net.py").write_text(MODULE)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("gdexp.checkpoints.checkpointing.SHARE", 1e9)  # after every update
    # The loop's clock alone: others wait by the real one.
    clock = SimpleNamespace(**{**vars(time), "perf_counter": lambda: CLOCK.now})
    monkeypatch.setattr("gdexp.training.loop.time", clock)
    return tmp_path


def trained(*lines: str, die_at: int | None = None) -> None:
    """Run a command; it dies at a loss, where one is given."""
    CLOCK.left = -1 if die_at is None else die_at + 1  # the rehearsal reads one
    if die_at is None:
        assert main([*lines]) == 0
        return
    with pytest.raises(Kill):
        main([*lines])


@pytest.mark.slow
@pytest.mark.parametrize(
    ("limit", "status"),
    [("stopping.patience=5", "plateau"), ("stopping.max_seconds=10", "out_of_time")],
)
def test_a_killed_run_ends_where_its_twin_ends(limit: str, status: str, here: Path) -> None:
    line = (*NET, *ACCURACY, limit, "checkpoint.every=1e-9")
    trained(*line)
    trained(*line, die_at=6)
    trained("+resume", "trust=[twin_net.Net]")
    one, other = load_runs()
    assert one.status == other.status == status
    assert one.updates == other.updates
    assert one.trace.tobytes() == other.trace.tobytes()
    assert np.array_equal(one.final, other.final)
    for name, readings in one.readings.items():
        assert readings.tobytes() == other.readings[name].tobytes()


def points(store: Store, run_id: str, metric: str) -> dict[int, float]:
    """The points of a curve that MLflow has; each step once."""
    history = store.client.get_metric_history(run_id, metric)
    found = {each.step: each.value for each in history}
    assert len(found) == len(history)
    return found


@pytest.mark.slow
def test_a_killed_run_is_visible_and_goes_on_to_another_total_which_a_tag_says(
    here: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("gdexp.tracking.live_curves.SECONDS", 0.0)
    monkeypatch.setattr("gdexp.tracking.live_curves.SHARE", 1e9)  # at every call
    line = (*NET, *ACCURACY, "stopping.max_iterations=8", "checkpoint.every=1e-9")
    trained(*line, die_at=7)
    store = Store(TrackingSettings())
    (killed,) = store.search({})
    visible = points(store, killed.run_id, "loss")
    assert len(visible) >= 4
    params = store.client.get_run(killed.run_id).data.params
    assert (params["stopping.max_iterations"], params["optimizer.lr"]) == ("8", "0.1")
    more = ("+resume", "trust=[twin_net.Net]")
    newest = max(Path("checkpoints").glob("*/*.safetensors"))
    damaged = newest.read_bytes().replace(b'lr\\": 0.1', b'lr\\": 0.2', 1)
    assert damaged != newest.read_bytes()
    newest.write_bytes(damaged)
    trained(*more, "stopping.max_iterations=12", die_at=2)
    assert f"{newest} is not used: its sha256 is another one" in capsys.readouterr().err
    trained(*more)
    (run,) = load_runs()
    assert (run.run_id, run.updates) == (killed.run_id, 12)
    assert points(store, run.run_id, "loss") == dict(enumerate(run.trace.tolist()))
    assert visible.items() <= dict(enumerate(run.trace.tolist())).items()
    assert run.tags["gdexp.resumed"].endswith("; stopping.max_iterations=12, at first 8")
    assert store.client.get_run(run.run_id).data.params == params
    assert run.params == {**params, "stopping.max_iterations": "12"}
    assert run.config["stopping"]["max_iterations"] == 12
    trained("+rerun", "trust=[twin_net.Net]")
    assert "params say" not in capsys.readouterr().out
    with closing(sqlite3.connect("mlflow.db")) as database, database:
        database.execute("UPDATE params SET value = '9' WHERE key = 'stopping.max_iterations'")
    trained(f"+rerun={run.run_id}", "trust=[twin_net.Net]")
    assert "stopping.max_iterations=12, its params say 9" in capsys.readouterr().out


def test_a_run_that_a_full_disk_ends_says_how_it_goes_on(
    here: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    numbers: list[int] = []

    def save(folder: CheckpointFolder, number: int, *state: Any) -> Path:
        numbers.append(number)
        if number == 3:
            raise StorageFailed(f"checkpoint {folder.path}: the disk is full")
        return real(folder, number, *state)

    line = (*NET, "stopping.max_iterations=4", "checkpoint.every=1e-9")
    with monkeypatch.context() as full:
        real = CheckpointFolder.save
        full.setattr(CheckpointFolder, "save", save)
        assert main([*line]) == 74
    assert numbers == [1, 2, 3]
    said = capsys.readouterr().out
    (folder,) = Path("checkpoints").iterdir()
    assert f"Run {folder.name} is FAILED at update 2; it goes on with" in said
    assert f"python -m gdexp +resume={folder.name} 'trust=[twin_net.Net]'" in said
    trained(f"+resume={folder.name}", "trust=[twin_net.Net]")
    assert load_runs().best.updates == 4


SWEEP = ("+sweep", *NET[:2], "optimizer.lr=interval(0.05,0.2)", *ACCURACY)


@pytest.mark.slow
def test_a_killed_sweep_spends_its_budget_in_seconds_once(
    here: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    lines = (*SWEEP, "sweep.objective=best", "sweep.budget=10s", "sweep.n_trials=2")
    lines += ("sweep.sampler=random", "checkpoint.every=1e-9")
    assert main([*lines, "sweep.name=whole"]) == 0
    whole = load_runs()
    real, saves = CheckpointFolder.save, []

    def save(folder: CheckpointFolder, number: int, *state: Any) -> Path:
        saves.append(number)
        made = real(folder, number, *state)
        if len(saves) == 16:  # in the second trial
            raise Kill
        return made

    monkeypatch.setattr(CheckpointFolder, "save", save)
    lines += ("sweep.name=killed",)
    with pytest.raises(Kill):
        main([*lines])
    killed_at = saves[-1]
    assert 0 < killed_at < 10
    assert main([*lines]) == 0
    assert saves[16] == killed_at + 1  # it went on from there
    assert len(whole) == 2
    for mine, theirs in zip(whole, load_runs(), strict=True):
        assert mine.status == theirs.status == "out_of_time"
        assert mine.updates == theirs.updates == 10
        assert mine.trace.tobytes() == theirs.trace.tobytes()
        assert np.array_equal(mine.final, theirs.final)


@pytest.mark.slow
def test_a_trial_of_several_seeds_has_the_median_of_their_curves(here: Path) -> None:
    sweep = ("sweep.n_trials=1", "sweep.seeds=3", "stopping.max_iterations=6", "sweep.name=s")
    assert main([*SWEEP, *sweep]) == 1  # none reaches the threshold
    store = Store(TrackingSettings())
    (trial,) = (run for run in store.search({}, "FINISHED") if run.tags["gdexp.kind"] == "trial")
    seeds = [run.run_id for run in store.children(trial.run_id)]
    own = [points(store, each, "accuracy") for each in seeds]
    assert len(own) == 3
    assert points(store, trial.run_id, "accuracy") == {
        k: sorted(each[k] for each in own)[1] for k in (0, 2, 4, 6)
    }
