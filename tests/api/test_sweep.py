"""`gdexp.sweep` makes the sweep of the command line, bit for bit, and continues it."""

from __future__ import annotations

import os
import signal
import threading
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import gdexp
from gdexp.cli.main import main
from gdexp.config import shipped
from gdexp.core import BadInput
from gdexp.sweeps.study.trial_record import RECORD

SPACE = {
    "optimizer.lr": "tag(log,interval(0.1,5))",
    "stopping.threshold": "tag(log,interval(1e-8,0.01))",
}
NOT_EQUAL = {"run_id", "seconds", "hitting_seconds"}
"""What two runs of one descent need not share."""


def trials(study: Any) -> list[Any]:
    """What a study holds of its trials, without the ids of their runs."""
    found = []
    for trial in study.trials:
        record = {k: v for k, v in trial.user_attrs[RECORD].items() if k not in NOT_EQUAL}
        found.append((trial.number, trial.state, trial.params, trial.values, record))
    return found


@pytest.mark.slow
def test_the_api_and_the_command_line_make_the_same_sweep_bit_for_bit(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    typed, called = tmp_path / "typed", tmp_path / "called"
    for folder in (typed, called):
        folder.mkdir()
    monkeypatch.chdir(typed)
    words = [f"{key}={values}" for key, values in SPACE.items()]
    words += ["sweep.n_trials=8", "sweep.seeds=2", "sweep.cap=1"]
    assert main(["-m", "tracking.uri=sqlite:///mlflow.db", *words]) == 0
    monkeypatch.chdir(called)
    space = {"optimizer.lr": gdexp.log(0.1, 5), "stopping.threshold": gdexp.log(1e-8, 1e-2)}
    study = gdexp.sweep(
        gdexp.Matrix(), "gd", space, n_trials=8, seeds=2, cap=1, tracking="mlflow.db"
    )
    ours = study.runs
    monkeypatch.chdir(typed)
    theirs = gdexp.load_runs()
    assert theirs.sweep is not None
    assert theirs.sweep.name == study.name  # the name is a hash of the definition
    import optuna
    from optuna.storages.journal import JournalFileBackend, JournalStorage

    journal = JournalStorage(JournalFileBackend(f"sweeps/{study.name}/study.journal"))
    assert trials(study.optuna) == trials(optuna.load_study(study_name=study.name, storage=journal))
    assert len(ours) == len(theirs) > 8
    for one, other in zip(ours, theirs, strict=True):
        assert one.params == other.params
        assert one.trace.tobytes() == other.trace.tobytes()
        assert one.initial.tobytes() == other.initial.tobytes()
        assert one.final.tobytes() == other.final.tobytes()
        assert one.tags["gdexp.signature"] == other.tags["gdexp.signature"]
        assert {k: v for k, v in one.metrics.items() if "seconds" not in k} == {
            k: v for k, v in other.metrics.items() if "seconds" not in k
        }
    assert ours.sweep is not None
    for name in ("config.yaml", "fewest.png"):
        assert ours.sweep.file_bytes(name, 1 << 20) == theirs.sweep.file_bytes(name, 1 << 20)
    assert study.best is not None
    assert f"{study.best.number}" == theirs.sweep.tags["gdexp.best_trial"]


@pytest.mark.slow
def test_a_study_has_the_tables_of_the_sweep_and_goes_on_when_it_is_called_again(
    here: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    space = {"optimizer.lr": gdexp.log(0.01, 1.9)}
    first = gdexp.sweep("quadratic", space=space, n_trials=3)
    study = gdexp.sweep("quadratic", space=space, n_trials=5)
    assert (study.mlflow_run_id, study.name) == (first.mlflow_run_id, first.name)
    assert capsys.readouterr() == ("", "")
    frame = study.frame()
    assert frame["trial"].tolist() == [0, 1, 2, 3, 4]
    assert frame["optimizer.lr"].tolist()[:3] == first.frame()["optimizer.lr"].tolist()
    assert (frame["trial"].dtype, frame["iterations"].dtype) == ("int64", "int64")
    run = study.runs.sweep
    assert run is not None
    assert frame.columns.tolist() == header(run.file_bytes("trials.csv", 1 << 20))
    assert study.thresholds.columns.tolist() == header(run.file_bytes("thresholds.csv", 1 << 20))
    by_id = {each.run_id: each for each in study.runs}
    assert [by_id[run_id].iterations for run_id in frame["run_id"]] == frame["iterations"].tolist()
    assert study.runs.frame()["trial"].dtype == "Int64"
    best = frame.loc[frame["hitting_time"].idxmin()]
    assert study.best is not None
    assert (study.best.number, study.best.run_id) == (best["trial"], best["run_id"])
    assert study.optuna.best_trial.number == study.best.number
    os.chdir("/")
    assert len(study.optuna.trials) == 5
    assert "iterations" in study._repr_html_()
    assert "<img" in study.runs._repr_html_()


def header(csv: bytes) -> list[str]:
    return csv.decode().splitlines()[0].split(",")


@pytest.mark.slow
def test_ctrl_c_keeps_what_is_finished_and_the_same_call_goes_on(here: Path) -> None:
    stopped = threading.Event()

    def interrupt() -> None:
        while not (here / "sweeps").exists() or not list(here.glob("sweeps/*/study.journal")):
            stopped.wait(0.02)
        os.kill(os.getpid(), signal.SIGINT)

    before = signal.getsignal(signal.SIGINT)
    threading.Thread(target=interrupt, daemon=True).start()
    call: dict[str, Any] = {"space": {"optimizer.lr": "interval(0.5,1.5)"}, "n_trials": 400}
    with pytest.raises(KeyboardInterrupt, match="of 400 trials are recorded"):
        gdexp.sweep("quadratic", **call)
    assert signal.getsignal(signal.SIGINT) is before
    study = gdexp.sweep("quadratic", **{**call, "n_trials": 4})
    assert study.optuna.user_attrs["gdexp.parent"] == study.mlflow_run_id
    assert len(gdexp.load_runs(study.mlflow_run_id)) == len(study) >= 4


@pytest.mark.slow
def test_a_sweep_in_which_nothing_converges_has_no_best(here: Path) -> None:
    study = gdexp.sweep(
        "rosenbrock",
        space={"optimizer.lr": [1e-3, 1e-4]},
        stopping=gdexp.Stopping(threshold=1e-8, max_iterations=5),
    )
    assert study.best is None
    assert [trial.status for trial in study.trials] == ["max_iterations"] * 2
    assert repr(study).endswith("2 trials, none converged>")
    assert "none converged" in study._repr_html_()


@pytest.mark.slow
@pytest.mark.parametrize(
    ("call", "said"),
    [
        ({"problem": "quadratc"}, "did you mean quadratic"),
        ({"problem": 3}, "problem=3: must be a Problem"),
        ({"problem": lambda x: x.sum()}, "FunctionProblem"),
        ({"problem": ["mu"]}, "a list holds overrides"),
        ({"problem": "matrix", "optimizer": 1}, "optimizer=1: must be an UpdateRule"),
        ({"problem": "matrix", "space": {"optimizer.lr": {}}}, r"space\['optimizer.lr'\]"),
        ({"problem": "matrix", "space": {"optimizer.lrr": [1, 2]}}, "did you mean optimizer.lr"),
        ({"problem": "matrix", "cap": 0.5}, "sweep.cap=0.5: must be >= 1"),
        ({"problem": "matrix", "n_trials": 0}, "sweep.n_trials=0"),
        ({"problem": "matrix", "overrides": ["--multirun"]}, "options are for the command line"),
        ({"problem": "matrix", "overrides": ["hydra/launcher=joblib"]}, "on the command line"),
        ({"problem": "matrix", "tracking": 5}, "tracking=5: must be a file or an address"),
        ({"problem": "matrix", "overrides": ["sweep.preview=true"]}, "for the command line"),
    ],
)
def test_what_cannot_be_meant_is_refused_before_anything_is_written(
    here: Path, call: dict[str, Any], said: str
) -> None:
    with pytest.raises(BadInput, match=said):
        gdexp.sweep(**call)
    assert list(here.iterdir()) == []


@pytest.mark.parametrize(("low", "high"), [(0, 1), (2, 1), ("1", 2), (True, 2)])
def test_a_log_range_is_of_two_numbers_in_order(low: Any, high: Any) -> None:
    assert gdexp.log(0.1, 5) == "tag(log,interval(0.1,5))"
    with pytest.raises(BadInput):
        gdexp.log(low, high)


def test_a_hydra_application_composes_and_is_left_as_it_is() -> None:
    from hydra import initialize_config_dir
    from hydra.core.global_hydra import GlobalHydra

    with initialize_config_dir(str(shipped()), version_base="1.3"):
        running = GlobalHydra.instance().hydra
        assert running is not None
        assert gdexp.compose(["optimizer.lr=2"]).rule.lr == 2
        with pytest.raises(BadInput, match=r"did you mean optimizer\.lr"):
            gdexp.compose(["optimizer.lrr=2"])
        assert GlobalHydra.instance().hydra is running


def test_spaces_and_counts_of_other_types() -> None:
    with pytest.raises(BadInput, match="must be a dict"):
        gdexp.sweep("matrix", space=[1])  # type: ignore[arg-type]
    with pytest.raises(BadInput, match="n_trials=0: must be an integer from 1"):
        gdexp.sweep("matrix", n_trials=np.int64(0))  # type: ignore[arg-type]
