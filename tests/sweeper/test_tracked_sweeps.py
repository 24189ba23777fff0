"""Sweeps of other applications with `hydra.sweeper.tracking=mlflow`, and gdexp commands there."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from mlflow import MlflowClient

from gdexp import load_runs
from gdexp.cli.main import main
from tests.support.applications import application, sweep

pytestmark = pytest.mark.slow

TRAINS = """
import hydra
import mlflow
from hydra.core.config_store import ConfigStore

import gdexp

CONFIG = {"own": False, "lr": 0.1}
ConfigStore.instance().store(name="config", node=CONFIG)


@hydra.main(version_base="1.3", config_path=None, config_name="config")
def main(cfg):
    if cfg.lr > 2:
        raise ValueError("too large")
    if cfg.own:
        mlflow.set_tracking_uri("sqlite:///mlflow.db")
        mlflow.set_experiment("train")
        mlflow.start_run(run_name="mine", description="my own words")
        mlflow.log_params({"lr": f"rate {cfg.lr}"})
        mlflow.log_metric("seconds", -1)
    accuracy = 0.0
    for epoch in range(1, 6):
        accuracy += (1 - accuracy) * cfg.lr
        gdexp.report(10 * epoch, accuracy=accuracy)
    return accuracy


if __name__ == "__main__":
    main()
"""
TRACKED = ["hydra.sweeper.tracking=mlflow", "hydra.sweeper.job_dirs=false"]
GOAL = ["hydra.sweeper.metric=accuracy", "hydra.sweeper.mode=max", "hydra.sweeper.threshold=0.9"]
HERE = "tracking.experiment=train"


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Where two sweeps were made: for the hitting time, and for what the function returns."""
    made = tmp_path_factory.mktemp("tracked")
    script = application(made, TRAINS)
    grid = ["hydra/sweeper/sampler=grid", *TRACKED]
    sweep(script, "own=true,false", "lr=0.2,0.5", "++note=first", *grid, *GOAL)
    value = ["lr=0.3,3,0.4", "hydra.sweeper.direction=maximize", "hydra.sweeper.study_name=value"]
    sweep(script, *value, *grid)
    return made


@pytest.fixture
def sweeps(folder: Path, monkeypatch: pytest.MonkeyPatch) -> dict[str, str]:
    """The run id of each sweep by what it looks for; its folder is the current one."""
    monkeypatch.chdir(folder)
    client = MlflowClient("sqlite:///mlflow.db")
    (experiment,) = [each for each in client.search_experiments() if each.name == "train"]
    runs = client.search_runs([experiment.experiment_id], "tags.`gdexp.kind` = 'sweep'")
    return {run.data.params["sweep.objective"]: run.info.run_id for run in runs}


def test_runs_hold_what_was_reported_each_key_and_nothing_false(sweeps: dict[str, str]) -> None:
    runs = load_runs(sweeps["hitting_time"])
    assert [run.status for run in runs] == ["finished", "converged"] * 2
    for run in runs:
        rate = 0.5 if run.converged else 0.2
        steps, values = run.readings["accuracy"].T
        assert steps.tolist() == [10.0 * epoch for epoch in range(1, len(steps) + 1)]
        assert np.allclose(values, 1 - (1 - rate) ** (steps / 10), rtol=1e-12)
        assert not {"device", "dtype", "seed", "problem.trial"} & set(run.params)
        assert not {"final_loss", "min_loss"} & set(run.metrics)
        assert "gdexp.engine" not in run.tags
        assert run.iterations_to(0.7) == (20 if run.converged else None)
        first = (
            10 + 10 * (0.6 - 0.5) / 0.25
            if run.converged
            else 40 + 10 * (0.6 - (1 - 0.8**4)) / (0.8**4 - 0.8**5)
        )
        assert run.hitting_time(0.6) == pytest.approx(first)
    frame = runs.frame()
    assert frame["own"].tolist() == [True, True, False, False]
    assert runs.best is not None
    assert (runs.best.values["own"], runs.best.hitting_time()) == (True, runs[3].hitting_time())


def test_a_run_of_the_applications_own_keeps_what_it_wrote(sweeps: dict[str, str]) -> None:
    own, _, gdexps, _ = load_runs(sweeps["hitting_time"])
    assert (own.name, own.params["lr"], gdexps.params["lr"]) == ("mine", "rate 0.2", "0.2")
    assert own.metrics["seconds"] == -1
    assert own.tags["mlflow.note.content"] == "my own words"
    assert own.metrics["last/accuracy"] == gdexps.metrics["last/accuracy"]


def test_compare_shows_reported_metrics_hitting_times_and_the_best(
    sweeps: dict[str, str], capsys: pytest.CaptureFixture[str]
) -> None:
    assert main([f"+compare={sweeps['hitting_time']}", "output=json"]) == 0  # in any experiment
    shown = capsys.readouterr()
    found = json.loads(shown.out)
    assert [run["metrics"]["best/accuracy"] for run in found["runs"]] == [0.9375] * 2 + [
        0.67232
    ] * 2
    times = [row["hitting_time"] for row in found["thresholds"] if row["threshold"] == 0.9]
    assert times == [pytest.approx(34.0)] * 2 + [None] * 2
    assert "repeat the best with\npython train.py ++note=first own=true lr=0.5" in shown.err
    assert "accuracy\n9.4e-01" in shown.err
    assert "max |" not in shown.err


def test_trials_of_a_sweep_for_a_value_are_ranked_by_it(
    sweeps: dict[str, str], capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["+compare", HERE, "output=json"]) == 0
    shown = capsys.readouterr()
    found = json.loads(shown.out)
    assert found["sweep"] == sweeps["returned"]
    assert found["answer"] == ("Trial 2 has the largest returned of 2 runs: 0.92224 with lr = 0.4.")
    best = load_runs(sweeps["returned"]).best
    assert best is not None
    assert best.metrics["returned"] == pytest.approx(0.92224, rel=1e-12)
    assert "failed: ValueError: too large" in shown.err


@pytest.mark.parametrize("command", ["rerun", "export", "resume"])
def test_what_only_the_application_can_do_is_one_line_with_its_command(
    sweeps: dict[str, str], capsys: pytest.CaptureFixture[str], command: str
) -> None:
    before = {path for path in Path().rglob("*") if path.is_file()}
    best = load_runs(sweeps["returned"]).best
    assert best is not None
    trial = "is a trial of another application; repeat it with: python train.py lr=0.4"
    sweep = "is a sweep of another application; the command that began it continues it"
    for run, said in ((best.run_id, trial), (sweeps["returned"], trial)):
        assert main([f"+{command}={run}"]) == 2
        (line,) = capsys.readouterr().err.splitlines()
        assert line.startswith(f"gdexp: error: +{command}=")
        assert line.endswith(sweep if (command, run) == ("resume", sweeps["returned"]) else said)
    assert {path for path in Path().rglob("*") if path.is_file()} == before


def test_an_experiment_that_is_not_there_is_answered_by_those_that_are(
    sweeps: dict[str, str], capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["+compare"]) == 2
    assert capsys.readouterr().err == (
        "gdexp: error: tracking.experiment=gdexp: there is no such experiment; name another, "
        "such as train\n"
    )


def test_delete_removes_a_sweep_with_its_study_and_leaves_the_other(
    sweeps: dict[str, str], capsys: pytest.CaptureFixture[str]
) -> None:
    assert main([f"+delete={sweeps['returned']}", "yes=true"]) == 0
    assert "4 runs in all" in capsys.readouterr().out
    assert not Path("sweeps/value/study.journal").exists()
    assert len(load_runs(experiment="train")) == 4
