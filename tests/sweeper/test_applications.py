"""Functions of all kinds: each outcome is stated, the sweep goes on, nothing is lost."""

from __future__ import annotations

import json
import os
import signal
from pathlib import Path
from time import sleep

import pytest
from mlflow import MlflowClient
from omegaconf import OmegaConf

from tests.support.applications import SPHERE, application, start, study_of, sweep, told

pytestmark = pytest.mark.slow

KINDS = """
import multiprocessing
import os
import signal
import sys
import threading
import time

import hydra
import numpy as np
import torch
from omegaconf import DictConfig


class Panic(BaseException):
    pass


class Unreadable(Exception):
    def __str__(self):
        raise TypeError("no text")


def outcome(kind, folder):
    print(f"kind {kind}", flush=True)
    if kind == "closes":
        sys.stdout.close()
        return -1.0
    if kind == "diverts":
        sys.stdout = open(os.devnull, "w")
        return -2.0
    if kind == "shuts":
        os.close(1)
        return -3.0
    if kind == "silences":
        os.dup2(os.open(os.devnull, os.O_WRONLY), 1)
        return -4.0
    if kind == "mutes":
        sys.stderr.close()
        return -5.0
    if kind == "raises":
        raise RuntimeError("no \\x1b[1mluck\\x1b[0m\\nsecond line")
    if kind == "exits":
        sys.exit(3)
    if kind == "ends":
        sys.exit(0)
    if kind == "vanishes":
        os._exit(0)
    if kind == "panics":
        raise Panic("poisoned")
    if kind == "unreadable":
        raise Unreadable
    if kind == "text":
        return "low"
    if kind == "several":
        return np.array([1.0, 2.0])
    if kind == "bool":
        return True
    if kind == "gradient":
        return torch.tensor(7.5, requires_grad=True)
    if kind == "deaf":
        signal.signal(signal.SIGTERM, signal.SIG_IGN)
        return 8.0
    if kind == "asks":
        return float(signal.getsignal(signal.SIGTERM) is not signal.SIG_IGN)
    if kind == "none":
        return None
    if kind == "not_a_number":
        return float("nan")
    if kind == "tensor":
        return torch.tensor([2.5])
    if kind == "numpy":
        return np.float32(1.5)
    if kind == "chdir":
        os.chdir(folder)
        return 3.0
    if kind == "threads":
        threading.Thread(target=time.sleep, args=(5,), daemon=True).start()
        return 4.0
    if kind == "forks":
        with multiprocessing.get_context("fork").Pool(1) as pool:
            return float(pool.apply(abs, [-5]))
    print("x" * 1_000_000)
    return 6.0


@hydra.main(version_base="1.3", config_path="conf", config_name="config")
def main(cfg: DictConfig):
    return outcome(cfg.kind, "/")


if __name__ == "__main__":
    main()
"""
OUTCOMES = {
    "closes": -1.0,
    "diverts": -2.0,
    "shuts": -3.0,
    "silences": -4.0,
    "mutes": -5.0,
    "raises": "RuntimeError: no luck",
    "exits": "it called sys.exit(3)",
    "ends": "it called sys.exit(0)",
    "vanishes": "it called os._exit(0)",
    "panics": "Panic: poisoned",
    "unreadable": "Unreadable: no message",
    "text": "it returned 'low'; it must return a number",
    "several": "it returned array([1., 2.]); it must return a number",
    "bool": 1.0,
    "gradient": 7.5,
    "deaf": 8.0,
    "asks": 1.0,  # after the one before it
    "none": "it returned None; it must return a number",
    "not_a_number": "it returned nan",
    "tensor": 2.5,
    "numpy": 1.5,
    "chdir": 3.0,
    "threads": 4.0,
    "forks": 5.0,
    "megabytes": 6.0,
}

REPORTS = """
import hydra

import gdexp


@hydra.main(version_base="1.3", config_path="conf", config_name="config")
def main(cfg):
    accuracy = 0.0
    for epoch in range(1, 21):
        accuracy += (1 - accuracy) * cfg.optimizer.lr * cfg.optimizer.factor
        gdexp.report(epoch, accuracy=accuracy)
    return 1 - accuracy


if __name__ == "__main__":
    main()
"""


NAMED = """
import hydra
from hydra.experimental.callback import Callback


class Notes(Callback):
    def on_job_start(self, config, **given):
        note(f"start {config.x}")

    def on_job_end(self, config, job_return, **given):
        note(f"end {config.x} {job_return.status.name} {job_return.overrides}")


def note(line):
    with open("notes", "a") as notes:
        print(line, file=notes)


@hydra.main(version_base="1.3", config_path="conf", config_name="config")
def main(cfg):
    return 1 / cfg.x


if __name__ == "__main__":
    main()
"""


OWN_RUN = """
import hydra
import mlflow


@hydra.main(version_base="1.3", config_path="conf", config_name="config")
def main(cfg):
    if cfg.own:
        mlflow.set_tracking_uri("sqlite:///mlflow.db")
        mlflow.set_experiment("train")
        mlflow.start_run(run_name="mine")  # and leaves it open
        mlflow.log_param("alpha", cfg.x)
    return cfg.x**2


if __name__ == "__main__":
    main()
"""


def config(folder: Path, text: str, **files: str) -> None:
    """Write the config of an application."""
    for name, each in {"config": text, **files}.items():
        path = folder / "conf" / f"{name}.yaml"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(each)


def test_every_outcome_of_a_function_is_stated_and_the_sweep_goes_on(tmp_path: Path) -> None:
    # `hydra/sweeper=gdexp` beside a file that was written for hydra-optuna-sweeper.
    config(
        tmp_path,
        "defaults: [{override hydra/sweeper: optuna}, {override hydra/sweeper/sampler: grid}]\n"
        "kind: fine\n"
        "hydra: {sweeper: {n_trials: 25, n_jobs: 1, max_failure_rate: 1.0, direction: maximize,"
        f" params: {{kind: 'choice({','.join(OUTCOMES)})'}}}}}}\n",
    )
    done = sweep(application(tmp_path, KINDS))
    assert "direction    maximize" in done.stdout
    study = study_of(tmp_path)
    for trial in study.trials:
        wanted = OUTCOMES[trial.params["kind"]]
        if isinstance(wanted, float):
            assert (trial.state.name, trial.value) == ("COMPLETE", wanted)
        else:
            assert trial.state.name == "FAIL"
            assert trial.user_attrs["gdexp.record"]["reason"] == wanted
            assert f"trial {trial.number} failed: {wanted}" in done.stderr
        assert f"kind {trial.params['kind']}\n" in done.stdout
    assert len(study.trials) == len(OUTCOMES)
    assert f"trials  {len(OUTCOMES)}: " in done.stdout
    (results,) = tmp_path.glob("multirun/*/*/optimization_results.yaml")
    assert OmegaConf.load(results).best_params == {"kind": "deaf"}


@pytest.mark.parametrize("folders", ["true", "false"])
def test_folders_have_the_names_that_the_user_gives_and_callbacks_see_every_job(
    tmp_path: Path, folders: str
) -> None:
    config(tmp_path, "{x: 1, hydra: {callbacks: {notes: {_target_: __main__.Notes}}}}\n")
    place = ["hydra.sweep.dir=out", "hydra.sweep.subdir='x_${hydra:job.num}_${x}'"]
    goal = ["x=4,0", "hydra/sweeper/sampler=grid", f"hydra.sweeper.job_dirs={folders}"]
    done = sweep(application(tmp_path, NAMED), *goal, *place)
    (results,) = tmp_path.glob("out/optimization_results.yaml")
    named = "Each trial has a folder in out, as hydra.sweep.subdir names it."
    if folders == "true":
        assert named in done.stdout
        assert OmegaConf.load(results).folder == "out/x_0_4"
        assert "ZeroDivisionError" in (tmp_path / "out" / "x_1_0" / "error.txt").read_text()
    else:
        assert named not in done.stdout
        assert "folder" not in OmegaConf.load(results)
    assert (tmp_path / "notes").read_text().splitlines() == [
        *("start 4", "end 4 COMPLETED ['x=4']", "start 0", "end 0 FAILED ['x=0']")
    ]


def test_a_worker_that_cannot_go_on_ends_with_the_reason(tmp_path: Path) -> None:
    order = {"name": "gone", "storage": str(tmp_path / "gone"), "n_trials": 1, "sampler": "random"}
    told = f"""
import os

reader, writer = os.pipe()
os.write(writer, {json.dumps({**order, "threads": None}) + chr(10)!r}.encode())
os.environ["GDEXP_WORKER_ORDER"] = str(reader)
"""
    script = application(tmp_path, told + SPHERE)
    done = sweep(script, "x=interval(0,1)", expect=2)
    assert done.stderr.startswith("gdexp: error: hydra.sweeper.storage=")
    assert "holds no study gone" in done.stderr


def test_reports_give_hitting_times_and_let_trials_be_pruned(tmp_path: Path) -> None:
    config(
        tmp_path,
        "defaults: [_self_, {optimizer: sgd}]\n",
        **{
            "optimizer/sgd": "{lr: 0.1, factor: 0.5}\n",
            "optimizer/adam": "{lr: 0.1, factor: 1.0}\n",
        },
    )
    script = application(tmp_path, REPORTS)
    space = ["optimizer=sgd,adam", "optimizer.lr=0.02,0.1,0.3,0.5", "hydra/sweeper/sampler=grid"]
    line = [*space, "hydra.sweeper.job_dirs=false", "hydra.sweeper.metric=accuracy"]
    reached = sweep(script, *line, "hydra.sweeper.threshold=0.9", "hydra.sweeper.mode=max")
    assert "repeat it with\npython train.py optimizer=adam optimizer.lr=0.5" in reached.stdout
    trials = study_of(tmp_path).trials
    best = min(trials, key=lambda trial: trial.value)
    assert best.params == {"optimizer": "adam", "optimizer.lr": 0.5}
    assert 3 < best.value <= 4  # 1 - 0.5^k meets 0.9 at k = 4
    statuses = {trial.user_attrs["gdexp.record"]["status"] for trial in trials}
    assert statuses == {"converged", "finished"}

    pruned = tmp_path / "pruned"
    pruned.mkdir()
    (pruned / "conf").symlink_to(tmp_path / "conf")
    goal = ["hydra.sweeper.objective=returned", "hydra.sweeper.mode=max"]
    options = "hydra.sweeper.pruner={name: median, n_startup_trials: 2}"
    sweep(application(pruned, REPORTS), *line, *goal, options)
    records = [trial.user_attrs["gdexp.record"] for trial in study_of(pruned).trials]
    assert {record["status"] for record in records} == {"finished", "pruned"}
    assert all(record["counts"] < [20] for record in records if record["status"] == "pruned")


def test_a_killed_sweep_goes_on_to_the_same_trials_and_leaves_finished_folders(
    tmp_path: Path,
) -> None:
    line = ["x=interval(-5,5)", "hydra.sweeper.n_trials=6", "hydra.sweep.dir=out"]
    line += ["hydra/sweeper/sampler=tpe", "hydra.sweeper.sampler.n_startup_trials=2"]
    slow = SPHERE.replace("    if cfg.x", "    import time\n\n    time.sleep(0.3)\n    if cfg.x")
    script = application(tmp_path, slow)
    running = start(script, *line)
    while not (tmp_path / "out" / "3").exists():
        assert running.poll() is None
        sleep(0.01)
    os.kill(running.pid, signal.SIGKILL)
    running.wait()
    first = {
        path: path.stat().st_mtime_ns
        for number in "012"
        for path in (tmp_path / "out").glob(number)
    }
    again = sweep(script, *line)
    assert "Continuing: 3 of 6 trials are there, 1 queued again." in again.stdout
    assert "The process that had it ended before it was done." in again.stdout
    assert {path: path.stat().st_mtime_ns for path in first} == first
    alone = tmp_path / "alone"
    alone.mkdir()
    sweep(application(alone, SPHERE), *line)
    assert told(study_of(tmp_path)) == told(study_of(alone))
    assert sorted(path.name for path in (tmp_path / "out").glob("[0-9]*")) == list("012345")


def test_a_run_that_the_application_starts_is_the_trials_and_there_is_no_second(
    tmp_path: Path,
) -> None:
    config(tmp_path, "{own: true, x: 2.0}\n")
    script = application(tmp_path, OWN_RUN)
    goal = ["own=true,false", "hydra/sweeper/sampler=grid", "hydra.sweeper.tracking=mlflow"]
    sweep(script, *goal, "hydra.sweeper.job_dirs=false")
    client = MlflowClient(f"sqlite:///{tmp_path / 'mlflow.db'}")
    (experiment,) = [each for each in client.search_experiments() if each.name == "train"]
    runs = {run.info.run_name: run for run in client.search_runs([experiment.experiment_id])}
    assert len(runs) == 3
    (parent,) = [run for run in runs.values() if run.data.tags["gdexp.kind"] == "sweep"]
    trials = [run for run in runs.values() if run is not parent]
    assert {run.data.tags["mlflow.parentRunId"] for run in trials} == {parent.info.run_id}
    assert {run.info.status for run in runs.values()} == {"FINISHED"}
    assert {run.data.metrics["returned"] for run in [runs["mine"]]} == {4.0}
    assert runs["mine"].data.params == {"alpha": "2.0"}
