"""Trainings on the command line: recorded, rerun, exported, loaded and swept; bad input too."""

from __future__ import annotations

import json
import re
from pathlib import Path

import numpy as np
import pytest

from gdexp import load_runs
from gdexp.cli import main

MODULE = """
from tests.training.small_training import Small


class Net(Small):
    pass


class Broken(Small):
    def loss(self, model, batch):
        raise ValueError("no data left")


class Abstract(Small.__mro__[1]):
    pass


def fit(lr=0.5):
    loss = 1.0
    while True:
        loss *= 1 - lr
        yield {"loss": loss, "accuracy": 1 - loss}
"""

NET = ("problem=training", "problem.path=own_net.Net", "optimizer.lr=0.1")
ACCURACY = ("stopping.metric=accuracy", "stopping.threshold=0.85", "stopping.every=5")


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    (tmp_path / "own_net.py").write_text(MODULE)
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.mark.slow
def test_a_training_is_recorded_rerun_exported_and_loaded(here: Path) -> None:
    assert main([*NET, *ACCURACY, "problem.arguments.width=4"]) == 0
    (run,) = load_runs()
    assert (run.status, run.metric, run.mode) == ("converged", "accuracy", "max")
    assert run.iterations % 5 == 0
    assert run.hitting_time() == pytest.approx(run.metrics["hitting_time"], rel=1e-12)
    assert run.params["problem.arguments.width"] == "4"
    readings = run.readings["accuracy"]
    assert readings[0, 0] == 0
    assert run.metrics["best/accuracy"] == readings[:, 1].max()
    assert run.metrics["last/accuracy"] == readings[-1, 1]
    (folder,) = here.glob(f"mlartifacts/**/{run.run_id}/artifacts")
    names = {path.name for path in (folder / "traces").iterdir()}
    assert names == {"loss.npy", "accuracy.npy", "val_loss.npy"}
    assert len(np.load(folder / "traces" / "loss.npy")) == len(run.trace) == run.iterations
    assert (folder / "model.safetensors").exists()
    trust = "trust=[own_net.Net]"
    assert main([f"+rerun={run.run_id}"]) == 2
    assert main([f"+rerun={run.run_id}", trust]) == 0
    assert main([f"+export={run.run_id}", "export.folder=out"]) == 0
    assert main(["+rerun=./out", trust]) == 0
    facts = json.loads((here / "out" / "training.json").read_text())
    name = next(iter(facts["final"]))
    facts["final"][name] = "0" * 64
    (here / "out" / "training.json").write_text(json.dumps(facts))
    assert main(["+rerun=./out", trust]) == 4


@pytest.mark.slow
def test_without_tensors_digests_judge(here: Path) -> None:
    lines = ("stopping.max_iterations=6", "tracking.tensors=false", "tracking.model=none")
    assert main([*NET, *lines]) == 0
    (run,) = load_runs()
    (folder,) = here.glob(f"mlartifacts/**/{run.run_id}/artifacts")
    names = {path.name for path in folder.iterdir()}
    assert not names & {"initial.npy", "final.npy", "model.safetensors"}
    assert main([f"+rerun={run.run_id}", "trust=[own_net.Net]"]) == 0


@pytest.mark.slow
def test_a_loop_is_recorded_rerun_exported_and_compared(
    here: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    lines = ("problem=loop", "problem.path=own_net.fit", "problem.arguments.lr=0.25")
    assert main([*lines, "stopping.threshold=0.1"]) == 0
    (run,) = load_runs()
    assert (run.iterations, run.params["optimizer.name"]) == (9, "own")
    assert run.hitting_time() == pytest.approx(run.metrics["hitting_time"], rel=1e-12)
    trust = "trust=[own_net.fit]"
    assert main([f"+rerun={run.run_id}"]) == 2
    assert main([f"+rerun={run.run_id}", trust]) == 0
    assert main([f"+export={run.run_id}", "export.folder=out"]) == 0
    assert main(["+rerun=./out", trust]) == 0
    assert main([*lines, "stopping.threshold=0.2"]) == 0
    ids = [each.run_id for each in load_runs()]
    capsys.readouterr()
    assert main([f"+compare=[{','.join(ids)}]"]) == 0
    said = capsys.readouterr().out
    assert all(run_id[:8] in said for run_id in ids)
    assert "6 iterations (converged" in said


@pytest.mark.slow
def test_a_sweep_over_arguments(here: Path) -> None:
    swept = ("problem.arguments.width=choice(4,8)", "stopping.max_iterations=60")
    assert main(["-m", *NET, *ACCURACY, *swept]) == 0
    runs = load_runs()
    assert sorted(run.params["problem.arguments.width"] for run in runs) == ["4", "8"]
    table = next(here.glob("mlartifacts/**/thresholds.csv")).read_text().splitlines()
    assert [line.split(",")[0] for line in table[1:4]] == ["0.5", "0.6", "0.7"]


@pytest.mark.slow
@pytest.mark.parametrize(
    ("lines", "words"),
    [
        (("problem.path=own_net.Nets",), "problem.path=own_net.Nets: own_net has no 'Nets'"),
        (("problem.path=own_net.fit",), "returned a generator, not a gdexp.Training"),
        (("problem.path=own_net.Abstract",), "lacks the methods"),
        (("problem.arguments.wide=4",), "problem.arguments={'wide': 4}: own_net.Net takes width"),
        (("stopping.metric=acuracy", "stopping.mode=max"), "stopping.metric=acuracy: did you mean"),
        (("stopping.metric=odd",), "stopping.mode=null: must be min or max with"),
        (("stopping.mode=up",), "stopping.mode=up"),
        (("stopping.every=0",), "stopping.every=0"),
        (("engine=portable",), "engine=portable: must be torch or auto"),
        (("tracking.model=first",), "tracking.model=first"),
        (("+problem.shape=[2]",), "problem.shape=[2]: choose from"),
        (("problem=matrix", "stopping.metric=accuracy"), "must be loss: only a training has more"),
    ],
)
def test_bad_input_is_one_line_before_anything_is_written(
    here: Path, capsys: pytest.CaptureFixture[str], lines: tuple[str, ...], words: str
) -> None:
    given = {line.partition("=")[0]: line for line in (*NET, *lines)}
    if "problem=matrix" in lines:
        del given["problem.path"]
    assert main(list(given.values())) == 2
    error = capsys.readouterr().err
    assert words in error
    assert error.count("\n") == 1
    assert not (here / "mlflow.db").exists()


@pytest.mark.slow
def test_code_that_fails_is_named(here: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["problem=training", "problem.path=own_net.Broken"]) == 1
    words = "problem=own_net.Broken: its code failed: ValueError: no data left"
    assert words in capsys.readouterr().err


def test_a_swept_optimizer_of_a_loop_is_refused(
    here: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["problem=loop", "problem.path=own_net.fit", "optimizer.lr=0.3"]) == 2
    assert "a loop has an optimizer of its own" in capsys.readouterr().err


@pytest.mark.slow
def test_one_of_several_processes_of_a_launcher_is_refused(
    here: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("WORLD_SIZE", "2")
    for given in (NET, ("problem=loop", "problem.path=own_net.fit")):
        assert main([*given, "stopping.max_iterations=3"]) == 2
        assert "WORLD_SIZE=2: a training is one process" in capsys.readouterr().err
    assert not (here / "mlflow.db").exists()
    monkeypatch.setenv("WORLD_SIZE", "1")
    assert main([*NET, "stopping.max_iterations=3"]) == 0


@pytest.mark.slow
def test_trainings_are_compared_by_their_metric(
    here: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    ids = []
    for lr in (0.1, 0.4):
        assert main([*NET[:2], f"optimizer.lr={lr}", *ACCURACY]) == 0
        ids += re.findall("MLflow run ([0-9a-f]{32})", capsys.readouterr().out)
    assert main([f"+compare=[{','.join(ids)}]"]) == 0
    said = capsys.readouterr().out
    best = min(load_runs(ids), key=lambda run: run.recorded_time)
    assert f"best  {best.iterations} iterations (converged, run {best.short})" in said
    assert "iterations to each threshold of accuracy" in said
    assert "\nloss\n" in said
    assert "f*" not in said


@pytest.mark.slow
def test_a_single_training_prints_the_readings_of_its_metric(
    here: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main([*NET, *ACCURACY]) == 0
    lines = [line.split() for line in capsys.readouterr().out.splitlines()]
    at = lines.index(["iteration", "loss", "accuracy"])
    (run,) = load_runs()
    read = {int(k): float(v) for k, v in run.readings["accuracy"]}
    printed = {int(row[0]): float(row[2]) for row in lines[at + 1 : at + 14] if len(row) == 3}
    assert {0, 5, 10} <= printed.keys()
    assert all(printed[k] == pytest.approx(read[k], rel=1e-5) for k in (0, 5, 10))
