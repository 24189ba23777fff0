"""A run that lies on a real MLflow server, rerun from a machine that holds nothing of it."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from gdexp.tracking.record import RunHeader, descent_record
from gdexp.tracking.settings import TrackingSettings
from gdexp.tracking.store import Store
from gdexp.ui.server import Server
from tests.reruns.conftest import Ask
from tests.reruns.records import experiment
from tests.support.ports import free_port

pytestmark = pytest.mark.server


@pytest.fixture(scope="module")
def kept(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of the server, of which no client is told."""
    return tmp_path_factory.mktemp("server")


@pytest.fixture(scope="module")
def server(kept: Path) -> Iterator[TrackingSettings]:
    """Where it answers."""
    settings = TrackingSettings(f"sqlite:///{kept}/server.db")
    Store(settings)
    with Server(settings, free_port()) as running:
        yield TrackingSettings(running.address, "far")


@pytest.fixture(scope="module")
def run_id(server: TrackingSettings) -> str:
    """A descent that was recorded through the server."""
    store, made = Store(server), experiment(optimizer__lr=2.0)
    run_id = store.start(RunHeader("remote", "run"))
    store.finish(run_id, descent_record(made, made.run()))
    home = store.client.get_run(run_id).info.artifact_uri
    assert home.startswith("mlflow-artifacts:")  # so that no file of it is read but by the server
    return run_id


def at(server: TrackingSettings) -> list[str]:
    """Where the runs are, as it is typed."""
    return [f"tracking.uri={server.uri}", f"tracking.experiment={server.experiment}"]


@pytest.mark.slow
def test_a_run_of_a_server_is_identical_and_its_rerun_is_kept_there(
    server: TrackingSettings, run_id: str, ask: Ask
) -> None:
    asked = (f"+rerun={run_id[:8]}", *at(server))
    told = json.loads(ask(*asked, "rerun.format=json").raw)
    assert told["verdict"] == "identical"
    assert told["reference"]["run_id"] == run_id
    rerun = Store(server).client.get_run(told["rerun"]["run_id"])
    assert rerun.data.tags["gdexp.rerun_of"] == run_id
    assert rerun.data.tags["gdexp.rerun_verdict"] == "identical"
    assert not list(Path.cwd().iterdir())


@pytest.mark.slow
def test_a_run_of_a_server_is_exported_and_rerun_without_it(
    server: TrackingSettings, run_id: str, ask: Ask
) -> None:
    ask(f"+export={run_id}", *at(server), "export.folder=taken")
    said = ask("+rerun=taken", "rerun.record=false")
    assert "reference taken: converged after 8 iterations" in said.out
    assert "verdict identical" in said.out
    assert [path.name for path in Path.cwd().iterdir()] == ["taken"]


@pytest.mark.slow
def test_a_file_that_the_server_lost_is_named(
    server: TrackingSettings, run_id: str, ask: Ask, kept: Path
) -> None:
    (final,) = kept.glob(f"**/{run_id}/artifacts/final.npy")
    content = final.read_bytes()
    final.unlink()
    said = ask(f"+rerun={run_id}", *at(server), status=4)
    assert "damaged reference: holds no final.npy that MLflow can fetch" in said.error
    final.write_bytes(content[:-1] + bytes([content[-1] ^ 1]))
    said = ask(f"+rerun={run_id}", *at(server), status=4)
    assert "damaged reference: final.npy is not the file of its sha256" in said.error
    final.write_bytes(content)
