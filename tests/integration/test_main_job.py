"""The main job as a user runs it: the default sweep, read back; two first starts; a wheel."""

from __future__ import annotations

import csv
import hashlib
import io
import json
import os
import subprocess
import sys
import zipfile
from pathlib import Path

import numpy as np
import pytest
from mlflow import MlflowClient
from mlflow.entities import Run

import gdexp as package
from gdexp.descent.stopping import THRESHOLDS
from tests.support.artifacts import run_folder
from tests.support.commands import environment, gdexp, start

ROOT = Path(package.__file__).parents[1]


def client(folder: Path) -> MlflowClient:
    """MLflow's public client on the store there."""
    return MlflowClient(tracking_uri=f"sqlite:///{folder / 'mlflow.db'}")


def runs(folder: Path) -> list[Run]:
    """All runs of the default experiment."""
    api = client(folder)
    experiment = api.get_experiment_by_name("gdexp")
    assert experiment is not None
    return list(api.search_runs([experiment.experiment_id], max_results=1000))


def read(folder: Path, run: Run, name: str) -> bytes:
    """An artifact."""
    return (run_folder(folder, run.info.run_id) / name).read_bytes()


@pytest.fixture(scope="module")
def swept(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, str]:
    """A folder where `python -m gdexp +sweep` was run, and what it printed."""
    folder = tmp_path_factory.mktemp("sweep")
    return folder, gdexp("+sweep", cwd=folder, quick=False).stdout


def test_the_default_sweep_says_what_it_found_in_80_columns(swept: tuple[Path, str]) -> None:
    _, out = swept
    assert "100/100 trials" in out
    assert "drifts to the loosest" in " ".join(out.split())
    for threshold in THRESHOLDS:
        assert f"{threshold:.0e}" in out
    commands = [line for line in out.splitlines() if line.startswith("python -m gdexp ")]
    assert len(commands) == 1
    wide = [line for line in out.splitlines() if len(line.rstrip()) > 80]
    assert all(line.startswith(("python -m gdexp ", "http://")) for line in wide)


def test_the_default_sweep_finds_a_learning_rate_that_needs_at_most_two_iterations(
    swept: tuple[Path, str],
) -> None:
    folder, out = swept
    (parent,) = [run for run in runs(folder) if run.data.tags["gdexp.kind"] == "sweep"]
    assert parent.info.status == "FINISHED"
    assert 1 <= parent.data.metrics["iterations"] <= 2
    command = next(line for line in out.splitlines() if line.startswith("python -m gdexp "))
    repeated = gdexp(*command.split()[3:], cwd=folder).stdout
    assert f"iterations     {parent.data.metrics['iterations']:.0f}" in repeated


def test_each_of_100_children_has_a_full_trace_and_three_arrays_that_match_the_manifest(
    swept: tuple[Path, str],
) -> None:
    folder, _ = swept
    api = client(folder)
    (parent,) = [run for run in runs(folder) if run.data.tags["gdexp.kind"] == "sweep"]
    children = [run for run in runs(folder) if run.data.tags["gdexp.kind"] == "trial"]
    assert len(children) == 100
    assert {int(run.data.tags["gdexp.trial"]) for run in children} == set(range(100))
    for run in children:
        assert run.info.status == "FINISHED"
        assert run.data.tags["mlflow.parentRunId"] == parent.info.run_id
        assert {"gdexp.status", "gdexp.signature"} <= set(run.data.tags)
        assert {"optimizer.lr", "stopping.threshold", "problem.name", "optimizer.name"} <= set(
            run.data.params
        )
        iterations = int(run.data.metrics["iterations"])
        history = api.get_metric_history(run.info.run_id, "loss")
        losses = [m.value for m in sorted(history, key=lambda m: m.step)]
        assert sorted(m.step for m in history) == list(range(iterations + 1))
        manifest = json.loads(read(folder, run, "manifest.json"))
        arrays = {}
        for name in ("initial.npy", "final.npy", "trace.npy"):
            content = read(folder, run, name)
            assert hashlib.sha256(content).hexdigest() == manifest[name]
            arrays[name] = np.load(io.BytesIO(content), allow_pickle=False)
        assert arrays["final.npy"].shape == arrays["initial.npy"].shape == (3, 3)
        trace = arrays["trace.npy"]
        assert len(trace) == iterations + 1
        np.testing.assert_array_equal(np.nan_to_num(trace, posinf=1.7976931348623157e308), losses)
        assert run.data.metrics["final_loss"] == losses[-1]


def test_the_table_of_thresholds_is_what_the_traces_say(swept: tuple[Path, str]) -> None:
    folder, _ = swept
    (parent,) = [run for run in runs(folder) if run.data.tags["gdexp.kind"] == "sweep"]
    traces = {}
    for run in runs(folder):
        if run.data.tags["gdexp.kind"] == "trial":
            trace = np.load(io.BytesIO(read(folder, run, "trace.npy")))
            traces[run.info.run_id] = trace
    table = list(csv.DictReader(io.StringIO(read(folder, parent, "thresholds.csv").decode())))
    assert [float(row["threshold"]) for row in table] == list(THRESHOLDS)
    for row in table:
        hits = [
            int(np.flatnonzero(trace <= float(row["threshold"]))[0])
            for trace in traces.values()
            if (trace <= float(row["threshold"])).any()
        ]
        assert row["iterations"] == (str(min(hits)) if hits else "")
        if hits:
            trace = traces[row["run_id"]]
            assert trace[min(hits)] <= float(row["threshold"])
    trials = list(csv.DictReader(io.StringIO(read(folder, parent, "trials.csv").decode())))
    assert len(trials) == 100
    best = min(trials, key=lambda row: float(row["hitting_time"]))
    assert parent.data.tags["gdexp.best_run"] == best["run_id"]


def test_a_sweep_leaves_one_folder_beside_the_store(swept: tuple[Path, str]) -> None:
    folder, _ = swept
    names = {path.name for path in folder.iterdir()} - {"mlflow.db-wal", "mlflow.db-shm"}
    assert names == {"mlartifacts", "mlflow.db", "sweeps"}
    (study,) = (folder / "sweeps").iterdir()
    assert (study / "study.journal").exists()


def test_the_parent_describes_the_answer_and_keeps_a_chart_view(swept: tuple[Path, str]) -> None:
    folder, out = swept
    (parent,) = [run for run in runs(folder) if run.data.tags["gdexp.kind"] == "sweep"]
    note = parent.data.tags["mlflow.note.content"]
    assert "| threshold | fewest of the traces |" in note
    assert "python -m gdexp " in note
    names = {path.name for path in run_folder(folder, parent.info.run_id).iterdir()}
    assert {"trials.csv", "thresholds.csv", "iterations_by_lr.png", "fewest.png"} <= names
    assert {"best_loss.png", "best_final.png"} <= names
    experiment = client(folder).get_experiment(parent.info.experiment_id)
    key = next(tag for tag in experiment.tags if tag.startswith("mlflow.sharedViewState."))
    assert key.removeprefix("mlflow.sharedViewState.") in out
    assert parent.info.run_id in experiment.tags[key]


def test_two_first_starts_at_once_in_an_empty_folder_both_succeed(tmp_path: Path) -> None:
    both = [start(f"seed={seed}", cwd=tmp_path, quick=False) for seed in (0, 1)]
    for process in both:
        out, err = process.communicate(timeout=120)
        assert process.returncode == 0, err
        assert "converged" in out
    assert sorted(run.data.params["seed"] for run in runs(tmp_path)) == ["0", "1"]


@pytest.mark.parametrize(
    ("line", "words"),
    [
        ("experiment=notebook", ["0.0673259", "7.92471e-06", "iterations     19"]),
        ("experiment=autograd", ["loss - (-16)", "above the minimum", "iterations     11"]),
        ("experiment=function", ["wanted", "fitted", "largest error", "converged"]),
    ],
)
def test_the_three_cases_of_the_notebook_run_and_are_recorded(
    tmp_path: Path, line: str, words: list[str]
) -> None:
    out = gdexp(line, cwd=tmp_path, quick=False).stdout
    for word in words:
        assert word in out
    (run,) = runs(tmp_path)
    names = {path.name for path in run_folder(tmp_path, run.info.run_id).iterdir()}
    assert "loss.png" in names
    if "function" in line:
        assert {"curve.png", "final_index.json"} <= names
        index = json.loads(read(tmp_path, run, "final_index.json"))
        assert [part["name"] for part in index] == ["0.weight", "0.bias", "1.weight", "1.bias"]
        final = np.load(io.BytesIO(read(tmp_path, run, "final.npy")))
        assert sum(int(np.prod(part["shape"])) for part in index) == final.size
    else:
        assert "final.png" in names


def test_inspect_shows_the_notebooks_autograd(tmp_path: Path) -> None:
    out = " ".join(gdexp("+inspect", "problem=autograd", cwd=tmp_path).stdout.split())
    for words in (
        "x1 3.0000 4.0000 AddBackward0 5.0000 6.0000",
        "x2 -1.0000 0.0000 SubBackward0 1.0000 2.0000",
        "x3 -3.0000 0.0000 MulBackward0 5.0000 12.0000",
        "y 14.0000 SumBackward0",
        "gradient at x0 2.0000 4.0000 6.0000 8.0000",
        "x.numpy() refused: Can't call numpy() on Tensor that requires grad",
        "x.detach().numpy() given: array of float32, shape (2, 2)",
        "autograd agrees with central differences",
    ):
        assert words in out
    assert list(tmp_path.iterdir()) == []


def test_a_gradient_that_is_wrong_is_found(tmp_path: Path) -> None:
    (tmp_path / "wrong.py").write_text(
        "import torch\n\n\ndef loss(x):\n    return (x * x.detach()).sum()\n"
    )
    done = gdexp(
        "+inspect", "problem=custom", "problem.path=wrong.loss", "problem.x0=[1.0,2.0]",
        cwd=tmp_path, expect=1,
    )  # fmt: skip
    assert "differs from finite differences" in done.stderr


def test_a_multirun_of_listed_values_runs_each_once(tmp_path: Path) -> None:
    gdexp("-m", "optimizer.lr=0.5,4.5", "seed=range(0,2)", cwd=tmp_path)
    children = [run for run in runs(tmp_path) if run.data.tags["gdexp.kind"] == "trial"]
    tried = sorted((run.data.params["optimizer.lr"], run.data.params["seed"]) for run in children)
    assert tried == [("0.5", "0"), ("0.5", "1"), ("4.5", "0"), ("4.5", "1")]


def test_an_interval_of_the_rate_alone_is_swept_by_the_own_sampler(tmp_path: Path) -> None:
    out = gdexp("-m", "optimizer.lr=interval(0.1,5)", "+sweep=manual", "sweep.n_trials=5",
                cwd=tmp_path).stdout  # fmt: skip
    assert "5/5 trials" in out
    assert "learning_rate" in out


def test_reading_only_the_head_of_the_output_ends_quietly(tmp_path: Path) -> None:
    done = subprocess.run(
        f"{sys.executable} -m gdexp | head -n 2",
        shell=True,
        cwd=tmp_path,
        env=environment(),
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.stderr == ""
    assert len(done.stdout.splitlines()) == 2
    (run,) = runs(tmp_path)
    assert run.info.status == "FINISHED"


def test_a_wheel_carries_its_configs_and_runs_with_the_source_tree_gone(
    wheel: Path, tmp_path: Path
) -> None:
    installed, empty = tmp_path / "i", tmp_path / "e"
    empty.mkdir()
    zipfile.ZipFile(wheel).extractall(installed)
    source = {path.relative_to(ROOT / "conf") for path in (ROOT / "conf").rglob("*.yaml")}
    carried = installed / "gdexp" / "conf"
    assert {path.relative_to(carried) for path in carried.rglob("*.yaml")} == source
    done = subprocess.run(
        [sys.executable, "-m", "gdexp", "+sweep", "sweep.n_trials=2"],
        cwd=empty,
        env={**environment(), "PYTHONPATH": str(installed), "PYTHONNOUSERSITE": "1"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert "2/2 trials" in done.stdout
    where = subprocess.run(
        [sys.executable, "-c", "import gdexp; print(gdexp.__file__)"],
        cwd=empty,
        env={**os.environ, "PYTHONPATH": str(installed)},
        capture_output=True,
        text=True,
        check=True,
    )
    assert where.stdout.startswith(str(installed))


@pytest.mark.parametrize("command", [[], ["+sweep", "sweep.n_trials=2"]], ids=["run", "sweep"])
def test_relative_paths_mean_where_the_user_stands_whatever_hydra_does(
    tmp_path: Path, command: list[str]
) -> None:
    moved = ["hydra.job.chdir=true", "hydra.run.dir=moved", "hydra.sweep.dir=moved"]
    gdexp(*command, *moved, "tracking.uri=sqlite:///mine.db", cwd=tmp_path)
    names = {path.name for path in tmp_path.iterdir() if not path.name.startswith("mine.db-")}
    assert {"mine.db", "mlartifacts", "moved"} <= names
    assert ("sweeps" in names) == bool(command)
    assert not [path for path in (tmp_path / "moved").rglob("*") if path.is_file()]
