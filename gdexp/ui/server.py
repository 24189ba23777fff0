"""MLflow's server as a small, local child process that always ends with its parent.

By default `mlflow server` has fifteen processes and takes 1.8 GB, sends usage data, accepts any
`Host` that begins like a private address, obeys pages of every local port (see `origin_guard`),
and survives a parent that is killed.
"""

from __future__ import annotations

import contextlib
import http.client
import os
import re
import secrets
import signal
import socket
import subprocess
import sys
import threading
import time
from collections import deque
from pathlib import Path

from gdexp.core import BadInput, GdexpError, command_folder, context_thread, mask_secrets
from gdexp.tracking import TrackingSettings
from gdexp.ui.server_name import NAME_HEADER, NAME_VARIABLE

HOST = "127.0.0.1"
USUAL_PORT = 5000
"""MLflow's own port, which the links at the end of a run name; used when it is free."""

START_SECONDS = 120.0
STOP_SECONDS = 5.0
"""Time for the server to end by itself before it is killed."""

_WATCH = 'read -r word || { kill -s TERM -- "-$1"; sleep 5; kill -s KILL -- "-$1"; }'
"""A shell script that waits for a line, and ends the server when this process dies without one."""


class Server:
    """A running `mlflow server`, for use in a `with` statement.

    Args:
        settings: the store, which must exist.
        port: the port; None takes a free one.

    Raises:
        BadInput: the port is in use.
        GdexpError: the server ended, or did not answer in time.
    """

    def __init__(self, settings: TrackingSettings, port: int | None = None) -> None:
        self.settings = settings
        self.port = chosen_port(port, USUAL_PORT)
        self._is_chosen = port is None
        self._name = secrets.token_hex(16)
        self._said: deque[str] = deque(maxlen=200)
        self._process: subprocess.Popen[str] | None = None
        self._watcher: subprocess.Popen[bytes] | None = None
        self._listener: threading.Thread | None = None
        self._has_ended = False

    @property
    def address(self) -> str:
        """The address for a browser."""
        return f"http://{HOST}:{self.port}"

    @property
    def pid(self) -> int:
        """The id of the first process, and of the process group, of the server."""
        assert self._process is not None
        return self._process.pid

    def __enter__(self) -> Server:
        try:
            self._begin()
        except GdexpError:
            if not (self._is_chosen and (_is_taken(self.port) or self._may_have_been_taken)):
                raise
            self.port = chosen_port(None, 0)  # another program took it in between
            self._begin()
        return self

    def __exit__(self, *ended: object) -> None:
        self.stop()

    def wait(self) -> None:
        """Wait until the server ends.

        Raises:
            GdexpError: the server ended, which it should not do by itself.
        """
        assert self._process is not None
        self._process.wait()
        raise self._ended()

    def stop(self) -> None:
        """End the server and its workers: ask them first, then kill them. Repeating is harmless."""
        if self._process is not None:
            group = self._process.pid
            for number in (signal.SIGTERM, signal.SIGKILL):
                if not _signal(group, number):
                    break
                _wait_for_end(self._process, group)
            self._process.wait()
        if self._watcher is not None:
            self._watcher.communicate(b"ended\n")
        self._process = self._watcher = None

    @property
    def _may_have_been_taken(self) -> bool:
        """Whether the server ended without another reason than that its port was in use.

        Whoever had the port may be gone by now, and the server does not always say it.
        """
        return self._has_ended and all("already in use" in line for line in self._errors())

    def _errors(self) -> list[str]:
        """Return the lines of the server that tell of an error."""
        words = [line.strip() for line in self._said if line.strip()]
        return [line for line in words if re.search(r"error|already in use", line, re.IGNORECASE)]

    def _begin(self) -> None:
        try:
            self._start()
            self._await_answer()
        except BaseException:
            self.stop()
            raise

    def _start(self) -> None:
        command = [
            *(sys.executable, "-m", "gdexp.ui.origin_guard", "server", "--workers", "1"),
            *("--host", HOST, "--port", str(self.port)),
            *("--allowed-hosts", f"localhost:{self.port},{HOST}:{self.port}"),
        ]
        folder = self.settings.folder or command_folder()  # addresses are relative to it
        command += ["--artifacts-destination", (folder / "mlartifacts").as_uri()]
        # In a session of its own: Ctrl-C then reaches this process alone, which ends the server.
        self._process = subprocess.Popen(
            command,
            cwd=folder,
            env={**_environment(self.settings.reading_uri), NAME_VARIABLE: self._name},
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
        self._said.clear()
        self._listener = context_thread(self._listen, "gdexp-ui-server")
        self._listener.start()

    def _listen(self) -> None:
        """Read the server's output, so that it is never blocked, and keep the last lines."""
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
            if _answers(self.port, self._name):
                return
            time.sleep(0.1)
        raise GdexpError(f"MLflow's server did not answer within {START_SECONDS:.0f} s")

    def _ended(self) -> GdexpError:
        self._has_ended = True
        if self._listener is not None:
            self._listener.join(STOP_SECONDS)  # its last lines may not have arrived yet
        words = [line.strip() for line in self._said if line.strip()]
        reason = (self._errors() or words or ["it said nothing"])[-1]
        return GdexpError(f"MLflow's server ended: {reason}")


def _environment(uri: str) -> dict[str, str]:
    """Return the environment of the server.

    It holds the store's URI, which may contain a password and must not be an argument. Variables
    of MLflow are left out, because they can change any option; those for S3 are kept.
    """
    kept = {
        key: value
        for key, value in os.environ.items()
        if not key.startswith(("MLFLOW_", "_MLFLOW_", "PYTHONWARNINGS"))
        or key.startswith("MLFLOW_S3_")
    }
    search_path = [str(Path(__file__).parents[2]), *filter(None, [kept.get("PYTHONPATH")])]
    return {
        **kept,
        "PYTHONPATH": os.pathsep.join(search_path),
        "MLFLOW_BACKEND_STORE_URI": uri,
        "MLFLOW_DISABLE_TELEMETRY": "true",
        "MLFLOW_SERVER_ENABLE_JOB_EXECUTION": "false",
        "PYTHONUNBUFFERED": "1",
    }


def _answers(port: int, name: str) -> bool:
    """Return whether the server of this name answers; proxies of the environment are not used.

    Two that start at once may choose the same port: the other one's answer must not count.
    """
    connection = http.client.HTTPConnection(HOST, port, timeout=2)
    try:
        connection.request("GET", "/health")
        answer = connection.getresponse()
        return answer.status == http.client.OK and answer.getheader(NAME_HEADER) == name
    except (OSError, http.client.HTTPException):
        return False
    finally:
        connection.close()


def _is_taken(port: int) -> bool:
    try:
        _usable_port(port)
    except OSError:
        return True
    return False


def chosen_port(port: int | None, usual: int) -> int:
    """Return the port that was asked for; without one the usual port, or any free one.

    Raises:
        BadInput: the port is in use, or is none.
        GdexpError: no port is free.
    """
    if port is not None:
        return _checked_port(port)
    for wanted in (usual, 0):
        with contextlib.suppress(OSError):
            return _usable_port(wanted)
    raise GdexpError("no port is free")


def _checked_port(port: int) -> int:
    if not 1 <= port <= 65535:
        raise BadInput("--port", port, "must be 1 … 65535; leave it out for a free one")
    try:
        return _usable_port(port)
    except OSError as error:
        reason = (error.strerror or str(error)).lower()
        raise BadInput("--port", port, f"{reason}; leave it out for a free one") from None


def _usable_port(port: int) -> int:
    """Return the number of a port that can be listened on; 0 stands for any free port."""
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        probe.bind((HOST, port))
        return int(probe.getsockname()[1])


def _signal(group: int, number: int) -> bool:
    """Send a signal to a process group; return whether the group exists."""
    try:
        os.killpg(group, number)
    except ProcessLookupError:
        return False
    return True


def _wait_for_end(process: subprocess.Popen[str], group: int) -> None:
    """Wait up to `STOP_SECONDS` until every process of the group has ended."""
    end = time.monotonic() + STOP_SECONDS
    while time.monotonic() < end:
        process.poll()  # otherwise the first process would stay as a zombie
        if not _alive(group):
            return
        time.sleep(0.05)


def _alive(group: int) -> bool:
    """Return whether a process of the group still runs; zombies do not count."""
    if not _signal(group, 0):
        return False
    states = [_state(path, group) for path in Path("/proc").glob("[0-9]*/stat")]
    return not states or any(state not in ("", "Z", "X") for state in states)


def _state(path: Path, group: int) -> str:
    """Return Linux's letter for the state of a process in the group; empty for other processes."""
    try:
        state, _, its_group = path.read_text().rpartition(")")[2].split()[:3]
    except (OSError, ValueError):
        return ""
    return state if int(its_group) == group else ""
