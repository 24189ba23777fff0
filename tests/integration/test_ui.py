"""`scripts/ui` as a user runs it: what it prints, what it starts, that nothing of it stays."""

from __future__ import annotations

import os
import re
import signal
import sqlite3
import subprocess
import time
import urllib.request
from collections.abc import Iterator, Sequence
from contextlib import closing, contextmanager
from pathlib import Path
from urllib.error import HTTPError

import pytest

from gdexp.tracking.mlflow_ui import chart_views
from gdexp.tracking.record import Record, RunHeader
from gdexp.tracking.settings import TrackingSettings
from gdexp.tracking.store import Store
from gdexp.ui import server
from gdexp.ui.links import newest_links
from gdexp.ui.server import Server
from tests.support.commands import gdexp, one_error_line, start
from tests.support.fork_server import RunningCommand

pytestmark = pytest.mark.server


@contextmanager
def served(
    folder: Path, *arguments: str, quick: bool = True
) -> Iterator[tuple[RunningCommand, list[str]]]:
    """The command, once it has said how to stop it, with the lines until then."""
    process = start(*arguments, cwd=folder, quick=quick, module="gdexp.ui")
    try:
        while "\nCtrl-C" not in (said := process.written()[0]):
            if process.poll() is not None:
                pytest.fail("\n".join(process.communicate()))
            time.sleep(0.05)
        yield process, said.partition("\nCtrl-C")[0].splitlines()
    finally:
        process.send_signal(signal.SIGTERM)
        process.communicate()


def ended(folder: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    """The command where it ends by itself."""
    return gdexp(*arguments, cwd=folder, expect=None, module="gdexp.ui")


def links(lines: Sequence[str]) -> dict[str, str]:
    """The printed links by what they lead to."""
    words = ("newest sweep", "newest run", "all runs")
    return {
        word: lines[i + 1]
        for i, line in enumerate(lines)
        for word in words
        if line.startswith(word)
    }


def address(lines: Sequence[str]) -> str:
    """Where the server is."""
    return next(line for line in lines if re.fullmatch(r"http://127\.0\.0\.1:\d+", line))


def names(folder: Path) -> list[str]:
    """What is in a folder, but for SQLite's own files beside a database that is open."""
    return sorted(p.name for p in folder.iterdir() if not p.name.startswith("mlflow.db-"))


def processes(folder: Path) -> list[str]:
    """Command lines of every process that stands in the folder or serves what is in it."""
    found = []
    for path in Path("/proc").glob("[0-9]*"):
        try:
            line = (path / "cmdline").read_bytes().replace(b"\0", b" ").decode()
            if (path / "cwd").readlink() == folder:
                found.append(line)
        except OSError:
            continue  # it has ended meanwhile
    return found


def none_left(folder: Path) -> bool:
    """Whether they all end."""
    until = time.monotonic() + 60
    while time.monotonic() < until:
        if not processes(folder):
            return True
        time.sleep(0.1)
    return False


@pytest.fixture(scope="module")
def recorded(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a sweep of one trial and a single run."""
    folder = tmp_path_factory.mktemp("recorded")
    store = Store(TrackingSettings(uri=f"sqlite:///{folder / 'mlflow.db'}"))
    parent = store.start(RunHeader(name="a sweep", kind="sweep"))
    trial = store.start(RunHeader(name="0000 lr=1", kind="trial", parent=parent))
    store.save_view(parent, chart_views.SweepView("a sweep", ["optimizer.lr"]))
    store.finish(trial, Record(metrics={"hitting_time": 1.0}))
    store.finish(parent, Record())
    store.finish(store.start(RunHeader(name="a [run]", kind="run")), Record())
    return folder


def test_it_prints_links_answers_only_its_own_names_and_ends_with_ctrl_c(recorded: Path) -> None:
    before = names(recorded)
    with served(recorded, quick=False) as (process, lines):
        base = address(lines)
        printed = links(lines)
        assert set(printed) == {"newest sweep", "newest run"}
        assert chart_views.view_key("")[:6] in printed["newest sweep"]
        assert all(link.startswith(base + "/#/experiments/1/runs") for link in printed.values())
        assert any("a [run]" in line for line in lines)
        with urllib.request.urlopen(base) as answer:
            assert answer.status == 200
        request = urllib.request.Request(base, headers={"Host": "10.evil.example"})
        with pytest.raises(HTTPError) as refused:
            urllib.request.urlopen(request)
        refused.value.close()
        assert refused.value.code == 403
        of_the_server = [
            line for line in processes(recorded) if "gdexp.ui.origin_guard server" in line
        ]
        assert len(of_the_server) == 1
        assert "--workers 1" in of_the_server[0]
        process.send_signal(signal.SIGINT)
        process.communicate()
        assert process.returncode == 130
    assert none_left(recorded)
    assert names(recorded) == before


def test_no_process_is_left_when_it_is_killed(recorded: Path) -> None:
    with served(recorded, quick=False) as (process, _):
        process.kill()
        process.communicate()
    assert none_left(recorded)


def test_a_server_is_pointed_to_and_left_alone(recorded: Path, tmp_path: Path) -> None:
    with served(recorded) as (process, lines):
        base = address(lines)
        uri = base.replace("http://", "http://user:secret@")
        done = ended(tmp_path, f"tracking.uri={uri}")
        assert done.returncode == 0, done.stderr
        assert links(done.stdout.splitlines()) == links(lines)
        assert "secret" not in done.stdout + done.stderr
        port = base.rpartition(":")[2]
        taken = ended(recorded, "--port", port)
        assert taken.returncode == 2
        assert one_error_line(taken).startswith(f"--port={port}: address already in use")
        other = ended(tmp_path, f"tracking.uri={uri}", "tracking.experiment=none")
        assert other.returncode == 0
        assert "none holds no run yet" in other.stdout
        process.send_signal(signal.SIGTERM)
        process.communicate()
        assert process.returncode == 143
    assert none_left(recorded)
    assert list(tmp_path.iterdir()) == []


def test_where_nothing_was_recorded_nothing_is_made(tmp_path: Path) -> None:
    done = ended(tmp_path)
    assert done.returncode == 2
    assert one_error_line(done).startswith("tracking.uri=mlflow.db: holds nothing yet; run some")
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("argument", "status", "message"),
    [
        ("--optuna", 2, "--optuna: no sweep was run here; run python -m gdexp +sweep first"),
        ("--optuna=none", 2, "--optuna=none: is no sweep in sweeps/ and no journal file"),
        ("optimizer.lr=2", 2, "optimizer.lr=2: is not for the UI; it takes"),
        ("tracking.url=x", 2, "tracking.url=x: unknown key; did you mean tracking.uri?"),
        ("--port=none", 2, "--port=none: must be 1 … 65535"),
        ("--port=70000", 2, "--port=70000: must be 1 … 65535"),
        ("tracking.uri=http://me:secret@127.0.0.1:9", 74, "tracking.uri=http://***@127.0.0.1:9: "),
    ],
)
def test_bad_input_is_one_line(recorded: Path, argument: str, status: int, message: str) -> None:
    done = ended(recorded, argument)
    assert done.returncode == status
    assert one_error_line(done).startswith(message)
    assert "secret" not in done.stderr


def test_a_server_that_cannot_start_is_one_line(tmp_path: Path) -> None:
    Store(TrackingSettings(uri=f"sqlite:///{tmp_path / 'mlflow.db'}"))
    with closing(sqlite3.connect(tmp_path / "mlflow.db")) as connection:
        connection.execute("UPDATE alembic_version SET version_num = 'of another time'")
        connection.commit()
    done = ended(tmp_path)
    assert done.returncode == 1
    assert one_error_line(done).startswith("MLflow's server ended: ")
    assert none_left(tmp_path)


def test_the_help_names_its_options(tmp_path: Path) -> None:
    done = ended(tmp_path, "--help")
    assert done.returncode == 0
    assert "--port" in done.stdout
    assert "tracking.uri" in done.stdout


def test_the_script_runs_the_module() -> None:
    script = Path(__file__).parents[2] / "scripts" / "ui"
    assert os.access(script, os.X_OK)
    assert "-m gdexp.ui" in script.read_text()


@pytest.mark.parametrize("is_gone", [False, True])
def test_of_two_servers_that_choose_one_port_each_shows_its_own_store(
    is_gone: bool, recorded: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Both find the port free, and the second is told an answer: of the first.

    The first may have ended when the second looks who has the port: its own words tell it too.
    """
    if is_gone:
        monkeypatch.setattr(server, "_is_taken", lambda port: False)
    other = TrackingSettings(uri=f"sqlite:///{tmp_path / 'mlflow.db'}", experiment="other")
    Store(other).start(RunHeader(name="elsewhere", kind="run"))
    with Server(TrackingSettings(uri=f"sqlite:///{recorded / 'mlflow.db'}")) as first:
        ports = [first.port, 0]
        real = server.chosen_port
        monkeypatch.setattr(
            server, "chosen_port", lambda port, usual: ports.pop(0) or real(port, usual)
        )
        with Server(other) as second:
            assert second.port != first.port
            assert newest_links(second.address, "other")[0].name == "elsewhere"
            assert newest_links(second.address, "gdexp") == []
        assert {link.what for link in newest_links(first.address, "gdexp")} == {
            "newest sweep",
            "newest run",
        }
