"""MLflow's server as a child process that is small, local, and surely gone afterwards.

As it comes, `mlflow server` is fifteen processes and 1.8 GB, reports its use, answers under any
`Host` that begins like a private address, obeys pages of every local port (see `door`), and
outlives a parent that is killed.
"""

from __future__ import annotations

import contextlib
import http.client
import os
import re
import signal
import socket
import subprocess
import sys
import time
from collections import deque
from pathlib import Path
from types import TracebackType

from gdexp.core import BadInput, GdexpError, command_folder, context_thread, mask_secrets
from gdexp.tracking import TrackingSettings

HOST = "127.0.0.1"
USUAL_PORT = 5000
"""MLflow's own, which the links at the end of a run name; taken when it is free."""

START_SECONDS = 120.0
STOP_SECONDS = 5.0
"""For the server's own end, before it is killed."""

_WATCH = 'read -r word || { kill -s TERM -- "-$1"; sleep 5; kill -s KILL -- "-$1"; }'
"""A shell that waits for a word; none comes when the process that would say it has died."""


class Server:
    """A running `mlflow server`, to be used in a `with` statement.

    Args:
        settings: the store, which must be there.
        port: None takes a free one.

    Raises:
        BadInput: the port is in use.
        GdexpError: the server ended, or does not answer in time.
    """

    def __init__(self, settings: TrackingSettings, port: int | None = None) -> None:
        self.settings = settings
        self.port = _free_port() if port is None else _checked(port)
        self._said: deque[str] = deque(maxlen=200)
        self._process: subprocess.Popen[str] | None = None
        self._watcher: subprocess.Popen[bytes] | None = None

    @property
    def address(self) -> str:
        """Where a browser finds it."""
        return f"http://{HOST}:{self.port}"

    @property
    def pid(self) -> int:
        """The process that all others of the server are in one group with."""
        assert self._process is not None
        return self._process.pid

    def __enter__(self) -> Server:
        try:
            self._start()
            self._await_answer()
        except BaseException:
            self.stop()
            raise
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.stop()

    def wait(self) -> None:
        """Until the server ends, which it does not by itself.

        Raises:
            GdexpError: it did.
        """
        assert self._process is not None
        self._process.wait()
        raise self._ended()

    def stop(self) -> None:
        """End the server and its workers: asked first, then killed. Harmless when there is none."""
        if self._process is not None:
            group = self._process.pid
            for number in (signal.SIGTERM, signal.SIGKILL):
                if not _signal(group, number):
                    break
                _gone(self._process, group)
            self._process.wait()
        if self._watcher is not None:
            self._watcher.communicate(b"ended\n")
        self._process = self._watcher = None

    def _start(self) -> None:
        command = [
            *(sys.executable, "-m", "gdexp.ui.origin_guard", "server", "--workers", "1"),
            *("--host", HOST, "--port", str(self.port)),
            *("--allowed-hosts", f"localhost:{self.port},{HOST}:{self.port}"),
        ]
        database = self.settings.database
        folder = command_folder() if database is None else database.parent
        command += ["--artifacts-destination", (folder / "mlartifacts").as_uri()]
        # A session of its own, so that Ctrl-C reaches only us and the end is in order.
        self._process = subprocess.Popen(
            command,
            cwd=folder,
            env=_environment(self.settings.resolved),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            errors="replace",
            start_new_session=True,
        )
        self._watcher = subprocess.Popen(
            ["/bin/sh", "-c", _WATCH, "sh", str(self._process.pid)],
            stdin=subprocess.PIPE,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            start_new_session=True,
        )
        context_thread(self._listen, "gdexp-ui-server").start()

    def _listen(self) -> None:
        """Take what the server says, which would otherwise block it, and keep the last of it."""
        process = self._process
        assert process is not None
        assert process.stdout is not None
        with process.stdout:
            for line in process.stdout:
                self._said.append(line)
                if os.environ.get("GDEXP_DEBUG") == "1":
                    print(mask_secrets(line), end="", file=sys.stderr)

    def _await_answer(self) -> None:
        assert self._process is not None
        end = time.monotonic() + START_SECONDS
        while time.monotonic() < end:
            if self._process.poll() is not None:
                raise self._ended()
            if _answers(self.port):
                return
            time.sleep(0.1)
        raise GdexpError(f"MLflow's server did not answer within {START_SECONDS:.0f} s")

    def _ended(self) -> GdexpError:
        time.sleep(0.1)  # its last words may still be on their way
        words = [line.strip() for line in self._said if line.strip()]
        errors = [line for line in words if re.search(r"error|already in use", line, re.IGNORECASE)]
        reason = (errors or words or ["it said nothing"])[-1]
        return GdexpError(f"MLflow's server ended: {reason}")


def _environment(uri: str) -> dict[str, str]:
    """What the server gets: the store, which may hold a password, stays out of its arguments.

    Settings of MLflow's that stand for its options are left out, such as a path before every
    address; those for the place of artifacts are kept.
    """
    kept = {
        key: value
        for key, value in os.environ.items()
        if not key.startswith(("MLFLOW_", "_MLFLOW_", "PYTHONWARNINGS"))
        or key.startswith("MLFLOW_S3_")
    }
    here_too = [str(Path(__file__).parents[2]), *filter(None, [kept.get("PYTHONPATH")])]
    return {
        **kept,
        "PYTHONPATH": os.pathsep.join(here_too),
        "MLFLOW_BACKEND_STORE_URI": uri,
        "MLFLOW_DISABLE_TELEMETRY": "true",
        "MLFLOW_SERVER_ENABLE_JOB_EXECUTION": "false",
        "PYTHONUNBUFFERED": "1",
    }


def _answers(port: int) -> bool:
    """Whether the server is there; asked directly, whatever proxies the environment names."""
    connection = http.client.HTTPConnection(HOST, port, timeout=2)
    try:
        connection.request("GET", "/health")
        return connection.getresponse().status == http.client.OK
    except (OSError, http.client.HTTPException):
        return False
    finally:
        connection.close()


def _free_port() -> int:
    for wanted in (USUAL_PORT, 0):
        with contextlib.suppress(OSError):
            return _bound(wanted)
    raise GdexpError("no port is free")


def _checked(port: int) -> int:
    if not 1 <= port <= 65535:
        raise BadInput("--port", port, "must be 1 … 65535; leave it out for a free one")
    try:
        return _bound(port)
    except OSError as error:
        reason = (error.strerror or str(error)).lower()
        raise BadInput("--port", port, f"{reason}; leave it out for a free one") from None


def _bound(port: int) -> int:
    """The port's number when it can be listened on; 0 stands for any."""
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        probe.bind((HOST, port))
        return int(probe.getsockname()[1])


def _signal(group: int, number: int) -> bool:
    """Send a signal to a process group; whether there was one."""
    try:
        os.killpg(group, number)
    except ProcessLookupError:
        return False
    return True


def _gone(process: subprocess.Popen[str], group: int) -> bool:
    """Wait a while for every process of the group to end; whether they did."""
    end = time.monotonic() + STOP_SECONDS
    while time.monotonic() < end:
        process.poll()  # else the first of them would stay as a zombie
        if not _alive(group):
            return True
        time.sleep(0.05)
    return False


def _alive(group: int) -> bool:
    """Whether a process of the group still runs; one that only nobody has reaped does not."""
    if not _signal(group, 0):
        return False
    states = [_state(path, group) for path in Path("/proc").glob("[0-9]*/stat")]
    return not states or any(state not in ("", "Z", "X") for state in states)


def _state(path: Path, group: int) -> str:
    """A process's state by Linux's letter when it is of the group."""
    try:
        state, _, its_group = path.read_text().rpartition(")")[2].split()[:3]
    except (OSError, ValueError):
        return ""
    return state if int(its_group) == group else ""
