"""Tracking servers that answer 500 or say nothing at all, at the start and in the middle."""

from __future__ import annotations

import http.client
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from gdexp.tracking.settings import TrackingSettings
from gdexp.ui.server import Server
from scripts.benchmarks.audit import audit
from tests.integration.conditions import HERE
from tests.support.fork_server import CompletedCommand, ForkServer
from tests.support.ports import free_port

pytestmark = pytest.mark.server

TRIALS = 6
SWEEP = (
    *(
        "+sweep",
        "sweep.sampler=random",
        "sweep.batch=2",
        f"sweep.n_trials={TRIALS}",
    ),
    *("stopping.threshold=1e-4", "stopping.max_iterations=50"),
)
PATIENCE = {"MLFLOW_HTTP_REQUEST_TIMEOUT": "1", "MLFLOW_HTTP_REQUEST_MAX_RETRIES": "1"}
"""MLflow's own settings, which gdexp leaves alone where they are given."""


class Relay(ThreadingHTTPServer):
    """Stands before a server, and answers as it is told.

    Attributes:
        mood: `passes` everything on, `fails` with 500, or is `silent`.
        good: requests that are still passed on, whatever the mood.
    """

    daemon_threads = True

    def __init__(self, port: int | None, mood: str, good: int = 0) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.port, self.mood, self.good = port, mood, good
        self.over = threading.Event()

    @property
    def address(self) -> str:
        """Where it listens."""
        return f"http://127.0.0.1:{self.server_address[1]}"


class Handler(BaseHTTPRequestHandler):
    """One request to a `Relay`."""

    server: Relay
    protocol_version = "HTTP/1.1"

    def answer(self) -> None:
        """Pass the request on, or not."""
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        self.server.good -= 1
        if self.server.mood != "passes" and self.server.good < 0:
            if self.server.mood == "silent":
                self.server.over.wait(100)
            self._send(500, b"out of order")
            return
        there = http.client.HTTPConnection("127.0.0.1", self.server.port)
        headers = {k: v for k, v in self.headers.items() if k != "Host"}
        there.request(self.command, self.path, body, headers)
        found = there.getresponse()
        self._send(found.status, found.read(), found.getheader("Content-Type"))
        there.close()

    do_GET = do_POST = do_PUT = do_PATCH = do_DELETE = answer

    def _send(self, status: int, body: bytes, kind: str | None = None) -> None:
        self.send_response(status)
        self.send_header("Content-Type", kind or "text/plain")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *args: object) -> None:
        """Say nothing."""


@contextmanager
def relay(port: int | None, mood: str, good: int = 0) -> Iterator[Relay]:
    """A relay that listens until the end."""
    server = Relay(port, mood, good)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    try:
        yield server
    finally:
        server.over.set()
        server.shutdown()
        thread.join()
        server.server_close()


@pytest.fixture(scope="module")
def real(
    new_database: Path, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[tuple[Server, Path]]:
    """A server that works, and its database."""
    database = tmp_path_factory.mktemp("server") / "server.db"
    database.write_bytes(new_database.read_bytes())
    with Server(TrackingSettings(f"sqlite:///{database}"), free_port()) as server:
        yield server, database


def line(done: CompletedCommand) -> str:
    """The one error line of a command whose storage failed."""
    assert done.status == 74, (done.out, done.err)
    (only,) = [each for each in done.err.splitlines() if each]
    assert only.startswith("gdexp: error: tracking.uri=http://127.0.0.1:")
    assert "Traceback" not in done.out
    return only


@pytest.mark.parametrize("mood", ["fails", "silent"])
@pytest.mark.parametrize("command", [SWEEP, ("optimizer.lr=2",)], ids=["sweep", "run"])
def test_a_server_that_is_out_of_order_is_found_before_anything_is_made(
    ready: ForkServer, tmp_path: Path, mood: str, command: tuple[str, ...]
) -> None:
    with relay(None, mood) as server:
        done = ready.run(*command, f"tracking.uri={server.address}", cwd=tmp_path)
    said = line(done)
    assert ("it answers 500" if mood == "fails" else "no server answers") in said
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("mood", ["fails", "silent"])
def test_a_server_that_fails_in_the_middle_ends_the_sweep_which_later_goes_on(
    ready: ForkServer, tmp_path: Path, real: tuple[Server, Path], mood: str
) -> None:
    given = [["environment_of", [PATIENCE]]]
    with relay(real[0].port, mood, good=60) as server:
        typed = [*SWEEP, f"sweep.name={mood}", f"tracking.uri={server.address}"]
        done = ready.run(*typed, cwd=tmp_path, before=f"{HERE}:all_of", given=given)
        said = line(done)
        assert server.address in said
        assert "the same command continues" in " ".join(done.out.split())
        server.mood = "passes"
        again = ready.run(*typed, cwd=tmp_path)
    assert again.status == 0, again.err
    after = audit(tmp_path / f"sweeps/{mood}/study.journal", real[1], TRIALS, mood)
    assert after.whole, after
