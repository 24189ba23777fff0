"""Sweeps beside four programs that open and close their database: what is lost."""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
import threading
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from tests.support.fork_server import ForkServer
from tests.support.outside_readers import PAUSE_SECONDS, check_sweep, outside_readers
from tests.support.ports import free_port

from .measure import Figure, figure

SWEEPS, TRIALS = 20, 200
HANGS_SECONDS = 600.0
START_SECONDS = 120.0
QUERY = b'{"experiment_ids": ["1"], "max_results": 50}'


def run() -> list[Figure]:
    """Twenty sweeps of 200 trials, half of them with one worker and half with two.

    Raises:
        RuntimeError: a sweep ended with another status than 0, or `mlflow ui` did not answer.
    """
    lost, answers = [], []
    with tempfile.TemporaryDirectory() as name, ForkServer(Path(name)) as ready:
        for number in range(SWEEPS):
            folder = Path(name) / f"sweep{number}"
            folder.mkdir()
            sweep = "+sweep", "sweep.name=s", f"sweep.workers={1 + number % 2}"
            begun = ready.run(*sweep, "sweep.n_trials=1", cwd=folder)
            with mlflow_ui(folder) as answered, outside_readers(ready, folder):
                done = ready.start(*sweep, f"sweep.n_trials={TRIALS}", cwd=folder).wait(
                    HANGS_SECONDS
                )
            if begun.status or done.status:
                raise RuntimeError(f"a sweep ended with status {done.status}: {done.err}")
            lost.append(float(not _is_whole(folder)))
            answers.append(answered())
    return [
        figure(
            f"{SWEEPS} sweeps of {TRIALS} trials beside four outside readers: sweeps that lost",
            [sum(lost)],
            0,
            note=(
                "the sqlite3 program, load_runs, MLflow's store, `mlflow ui` with a connection "
                f"for each of {min(answers)} to {max(answers)} requests; one and two workers"
            ),
        )
    ]


@contextmanager
def mlflow_ui(folder: Path) -> Iterator[Answered]:
    """Ask an `mlflow ui` for the runs of a folder ten times a second inside the block.

    It opens and closes the database for each request.

    Yields:
        A function that returns how many requests were answered.

    Raises:
        RuntimeError: the server does not answer, or it answered nothing inside the block.
    """
    port = free_port()
    server = subprocess.Popen(
        [
            *(sys.executable, "-m", "mlflow", "ui", "--backend-store-uri", "sqlite:///mlflow.db"),
            *("--host", "127.0.0.1", "--port", str(port), "--workers", "1"),
        ],
        cwd=folder,
        env={
            **os.environ,
            "MLFLOW_SQLALCHEMYSTORE_POOLCLASS": "NullPool",
            "MLFLOW_SERVER_ENABLE_JOB_EXECUTION": "false",
            "MLFLOW_DISABLE_TELEMETRY": "true",
        },
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
    )
    answered = Answered(f"http://127.0.0.1:{port}/api/2.0/mlflow/runs/search")
    try:
        until = time.monotonic() + START_SECONDS
        while not answered.ask():
            if server.poll() is not None or time.monotonic() > until:
                raise RuntimeError("`mlflow ui` does not answer")
            time.sleep(PAUSE_SECONDS)
        answered.start()
        yield answered
    finally:
        answered.stop()
        os.killpg(server.pid, 9)
        server.wait()
    if answered() < 2:
        raise RuntimeError("`mlflow ui` answered nothing beside the sweep")


class Answered(threading.Thread):
    """Asks a server again and again; a call returns how many answers there were."""

    def __init__(self, address: str) -> None:
        super().__init__(daemon=True)
        self._address, self._count, self._stopped = address, 0, threading.Event()

    def __call__(self) -> int:
        """Return the number of answers."""
        return self._count

    def ask(self) -> bool:
        """Ask once; return whether there was an answer."""
        request = urllib.request.Request(self._address, QUERY, {"Content-Type": "application/json"})
        try:
            with urllib.request.urlopen(request, timeout=60) as answer:
                answer.read()
        except (urllib.error.URLError, TimeoutError, ConnectionError):
            return False
        self._count += 1
        return True

    def run(self) -> None:
        """Ask until `stop`."""
        while not self._stopped.wait(PAUSE_SECONDS):
            self.ask()

    def stop(self) -> None:
        """End the thread."""
        self._stopped.set()
        if self.is_alive():
            self.join()


def _is_whole(folder: Path) -> bool:
    try:
        check_sweep(folder, TRIALS)
    except AssertionError:
        return False
    return True
