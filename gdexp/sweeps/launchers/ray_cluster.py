"""The Ray cluster of a sweep: a running one, or one that the sweep starts and removes."""

from __future__ import annotations

import os
import secrets
import shutil
import signal
import socket
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from gdexp.core import BadInput, GdexpError
from gdexp.sweeps.launchers.ray_internals import LOOPBACK_VARIABLES, folder_settings

ADDRESS = "RAY_ADDRESS"
"""The environment variable with the address of a running cluster."""

LOOPBACK = ("127.0.0.1", "::1", "localhost")

STORE_BYTES = 78_643_200
"""The smallest object store that Ray accepts: workers share a study, not objects."""

CONNECT_SECONDS = 5.0
"""How long a running cluster may take to accept a connection."""

KILL_SECONDS = 5.0
"""How long Ray's processes may live after its shutdown; then they are killed."""

PRIVATE_VARIABLES = {
    **LOOPBACK_VARIABLES,
    "RAY_USAGE_STATS_ENABLED": "0",
    "RAY_AUTH_MODE": "token",
}
"""Environment variables of a private cluster; Ray reads them when it is imported."""


def cluster_address(settings: Mapping[str, Any]) -> str | None:
    """Return the address of the running cluster; None where the sweep starts its own.

    Args:
        settings: of `ray.init`.
    """
    address = settings.get("address") or os.environ.get(ADDRESS)
    return None if address in (None, "local") else str(address)


def connect(settings: Mapping[str, Any]) -> None:
    """Connect to a running cluster.

    Args:
        settings: of `ray.init`.

    Raises:
        BadInput: no cluster answers.
    """
    address = cluster_address(settings)
    host, port = _host_and_port(str(address))
    try:
        if port:  # if nothing listens there, Ray itself would try for many minutes
            socket.create_connection((host, port), CONNECT_SECONDS).close()
        with _environment(LOOPBACK_VARIABLES if host in LOOPBACK else {}):
            _init({**settings, "address": address})
    except Exception as error:
        raise BadInput(
            "hydra.launcher.ray.init.address",
            address,
            f"no Ray is there ({_first_line(error)}); without an address one starts on this "
            "machine",
        ) from error


def _host_and_port(address: str) -> tuple[str, int]:
    """Split an address; the port is 0 where there is none, as in `auto`."""
    host, _, port = address.rpartition("://")[2].rpartition(":")
    return host.strip("[]"), int(port) if port.isdigit() else 0


@contextmanager
def private_cluster(settings: Mapping[str, Any], cores: float) -> Iterator[None]:
    """Run a cluster on this machine's loopback; other users cannot give it tasks.

    Call it in the main thread: Ray's processes end with the thread that started them.

    Args:
        settings: of `ray.init`; they override the settings made here.
        cores: that the tasks request in all; may be more than the machine has.

    Raises:
        GdexpError: Ray does not start.
    """
    # The path is short, as Ray puts sockets below it, whose paths are limited to about 100
    # characters. Ray gives its folder to everybody, so it gets one inside a private folder.
    folder = Path(tempfile.mkdtemp(prefix="gdexp-ray-", dir="/tmp"))
    token = {"RAY_AUTH_TOKEN": secrets.token_hex(32)}  # else Ray writes one to the home folder
    given = {
        "num_cpus": cores,
        "include_dashboard": False,
        "object_store_memory": STORE_BYTES,
        **folder_settings(str(folder / "ray")),
    }
    try:
        with _environment({**token, **PRIVATE_VARIABLES}), _processes_killed_at_end():
            try:
                _init({**given, **settings, "address": "local"})
            except Exception as error:
                raise GdexpError(
                    f"hydra/launcher=ray: Ray does not start: {_first_line(error)}"
                ) from error
            yield
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def disconnect() -> None:
    """Leave the cluster; a private one shuts down."""
    import ray

    ray.shutdown()


def _init(settings: Mapping[str, Any]) -> None:
    import ray

    handler = signal.getsignal(signal.SIGTERM)
    try:
        ray.init(**{"log_to_driver": False, "logging_level": "error", **settings})
    finally:
        signal.signal(signal.SIGTERM, handler)  # Ray sets its own


@contextmanager
def _processes_killed_at_end() -> Iterator[None]:
    """Shut Ray down at the end, and kill its processes that are left after a while."""
    import ray  # noqa: F401 (brings psutil)

    # isort: split
    import psutil

    this = psutil.Process()
    before = set(this.children(recursive=True))
    try:
        yield
    finally:
        started = [child for child in this.children(recursive=True) if child not in before]
        disconnect()
        for process in psutil.wait_procs(started, KILL_SECONDS)[1]:
            process.kill()


@contextmanager
def _environment(variables: Mapping[str, str]) -> Iterator[None]:
    """Set the environment variables that the user has not set."""
    added = {name: value for name, value in variables.items() if name not in os.environ}
    os.environ.update(added)
    try:
        yield
    finally:
        for name in added:
            os.environ.pop(name, None)


def _first_line(error: Exception) -> str:
    return str(error).strip().partition("\n")[0] or type(error).__name__
