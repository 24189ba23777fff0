"""What MLflow holds of a run, read back through its public interface, and a safe database."""

from __future__ import annotations

import hashlib
import io
import json
import sqlite3
from contextlib import closing
from pathlib import Path

import numpy as np
import pytest
from mlflow import MlflowClient
from mlflow.entities import Run
from omegaconf import OmegaConf

from gdexp import BadInput, config
from gdexp.core.errors import StorageFailed
from gdexp.descent.result import Result
from gdexp.experiment.experiment import Experiment
from gdexp.tracking.record import Record, RunHeader, descent_record
from gdexp.tracking.server_address import mask_uri
from gdexp.tracking.settings import TrackingSettings
from gdexp.tracking.store import Store
from tests.support.commands import start

CONFIG: config.Config = {
    "problem": {"name": "matrix", "target": None, "x0": None},
    "optimizer": {"name": "gd", "lr": 1.0},
    "stopping": {"threshold": 1e-5, "max_iterations": 1000},
    "seed": 0,
    "dtype": "float32",
    "device": "cpu",
}


def tracked(**values: object) -> tuple[Store, Run, Result]:
    """One descent recorded in a new store here."""
    experiment = Experiment.from_config(config.with_values(CONFIG, values))
    store = Store(TrackingSettings())
    run_id = store.start(RunHeader(name="one", kind="run"))
    result = experiment.run()
    store.finish(run_id, descent_record(experiment, result))
    return store, store.client.get_run(run_id), result


def artifact(client: MlflowClient, run_id: str, name: str) -> bytes:
    """An artifact's bytes."""
    return Path(client.download_artifacts(run_id, name)).read_bytes()


@pytest.mark.slow
def test_a_run_holds_what_the_design_says(here: Path) -> None:
    store, run, result = tracked()
    client = store.client
    assert run.info.status == "FINISHED"
    history = client.get_metric_history(run.info.run_id, "loss")
    assert [(m.step, m.value) for m in sorted(history, key=lambda m: m.step)] == list(
        enumerate(result.trace.tolist())
    )
    metrics = run.data.metrics
    assert metrics["iterations"] == result.iterations == 19
    assert metrics["hitting_time"] == result.hitting_time
    assert (metrics["final_loss"], metrics["min_loss"]) == (result.final_loss, result.min_loss)
    assert metrics["max_loss"] == result.max_loss
    assert metrics["seconds"] > 0
    assert run.data.params["optimizer.lr"] == "1.0"
    assert run.data.params["problem.name"] == "matrix"
    assert run.data.params["stopping.threshold"] == "1e-05"
    assert run.data.tags["gdexp.status"] == "converged"
    assert run.data.tags["gdexp.kind"] == "run"
    assert run.data.tags["gdexp.signature"] == config.signature(CONFIG)


def test_the_manifest_holds_the_sha256_of_every_other_artifact(here: Path) -> None:
    store, run, result = tracked()
    names = {entry.path for entry in store.client.list_artifacts(run.info.run_id)}
    manifest = json.loads(artifact(store.client, run.info.run_id, "manifest.json"))
    assert set(manifest) == names - {"manifest.json"}
    assert {"initial.npy", "final.npy", "trace.npy", "config.yaml", "environment.json"} <= names
    for name, digest in manifest.items():
        content = artifact(store.client, run.info.run_id, name)
        assert hashlib.sha256(content).hexdigest() == digest
    loaded = {
        name: np.load(io.BytesIO(artifact(store.client, run.info.run_id, f"{name}.npy")))
        for name in ("initial", "final", "trace")
    }
    assert loaded["trace"].tobytes() == result.trace.tobytes()
    assert loaded["final"].tobytes() == result.final.numpy().tobytes()
    assert loaded["initial"].dtype == np.float32
    stored = OmegaConf.create(artifact(store.client, run.info.run_id, "config.yaml").decode())
    assert OmegaConf.to_container(stored) == CONFIG


@pytest.mark.parametrize("lr", [9.5, 1e30])
def test_a_diverged_run_is_recorded_whole_its_last_loss_included(here: Path, lr: float) -> None:
    store, run, result = tracked(**{"optimizer.lr": lr})
    assert run.data.tags["gdexp.status"] == "diverged"
    history = store.client.get_metric_history(run.info.run_id, "loss")
    assert len(history) == result.iterations + 1
    trace = np.load(io.BytesIO(artifact(store.client, run.info.run_id, "trace.npy")))
    assert trace.tobytes() == result.trace.tobytes()
    assert not np.isfinite(trace[-1])


@pytest.mark.slow
def test_long_traces_are_written_in_batches_and_whole(here: Path) -> None:
    store, run, result = tracked(**{"optimizer.lr": 0.005, "stopping.max_iterations": 2500})
    history = store.client.get_metric_history(run.info.run_id, "loss")
    assert sorted(m.step for m in history) == list(range(2501))
    assert len({m.timestamp for m in history}) == 1
    assert result.iterations == 2500


def test_an_abandoned_run_is_killed_but_a_finished_one_stays_finished(here: Path) -> None:
    store, run, _ = tracked()
    store.abandon(run.info.run_id, "KILLED")
    assert store.client.get_run(run.info.run_id).info.status == "FINISHED"
    other = store.start(RunHeader(name="two", kind="run"))
    assert store.client.get_run(other).info.status == "RUNNING"
    store.abandon(other, "KILLED")
    assert store.client.get_run(other).info.status == "KILLED"


def test_artifacts_and_database_are_where_the_user_stands_by_absolute_names(
    here: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    store, run, _ = tracked()
    (here / "elsewhere").mkdir()
    monkeypatch.chdir(here / "elsewhere")
    again = store.start(RunHeader(name="two", kind="run"))
    store.finish(again, Record(artifacts={"note.txt": b"hello"}))
    names = {path.name.removesuffix("-wal").removesuffix("-shm") for path in here.iterdir()}
    assert names == {"elsewhere", "mlartifacts", "mlflow.db"}
    assert list((here / "elsewhere").iterdir()) == []
    assert run.info.artifact_uri == f"mlartifacts/gdexp/{run.info.run_id}/artifacts"


def test_the_database_is_in_wal_mode_and_analyzed_after_the_first_run(here: Path) -> None:
    tracked()
    with closing(sqlite3.connect(here / "mlflow.db")) as connection:
        assert connection.execute("PRAGMA journal_mode").fetchone() == ("wal",)
        assert connection.execute("SELECT count(*) FROM sqlite_stat1").fetchone()[0] > 0


@pytest.mark.slow
def test_first_starts_at_once_all_find_a_whole_database(tmp_path: Path) -> None:
    starts = [start("optimizer.lr=4.5", cwd=tmp_path, quick=False) for _ in range(4)]
    ended = [process.wait() for process in starts]
    assert {each.status for each in ended} == {0}, [each.err for each in ended]
    assert [p.name for p in tmp_path.iterdir() if "new" in p.name] == []
    runs = MlflowClient(f"sqlite:///{tmp_path}/mlflow.db").search_runs(["1"])
    assert [run.info.status for run in runs] == ["FINISHED"] * 4


def test_a_file_that_is_no_database_is_refused_and_left_alone(here: Path) -> None:
    (here / "mlflow.db").write_text("my thesis")
    with pytest.raises(BadInput, match="not an MLflow database"):
        Store(TrackingSettings())
    assert (here / "mlflow.db").read_text() == "my thesis"


def test_a_database_of_something_else_is_refused_and_left_alone(here: Path) -> None:
    with closing(sqlite3.connect(here / "mlflow.db")) as connection:
        connection.execute("CREATE TABLE recipes (name TEXT)")
    before = (here / "mlflow.db").read_bytes()
    with pytest.raises(BadInput, match="something else than MLflow"):
        Store(TrackingSettings())
    assert (here / "mlflow.db").read_bytes() == before


def test_a_server_that_does_not_answer_is_found_at_once_and_keeps_its_password(here: Path) -> None:
    settings = TrackingSettings(uri="http://user:secret@127.0.0.1:9")
    with pytest.raises(StorageFailed) as error:
        settings.preflight()
    assert "secret" not in str(error.value)
    assert "127.0.0.1:9" in str(error.value)


@pytest.mark.parametrize(
    ("uri", "shown"),
    [
        ("http://user:secret@host:5000/x", "http://***@host:5000/x"),
        ("postgresql://u:secret@host/db?password=secret", "postgresql://***@host/db?***"),
        ("user:secret@host", "host"),
        ("http://host", "http://host"),
    ],
)
def test_userinfo_and_queries_are_never_shown(uri: str, shown: str) -> None:
    assert mask_uri(uri) == shown
