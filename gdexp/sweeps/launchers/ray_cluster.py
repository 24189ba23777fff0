"""Ray as a sweep has it: one that is there, or one of its own that leaves no trace."""

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

ADDRESS = "RAY_ADDRESS"
"""The environment variable that names a Ray that is there."""

LOOPBACK = ("127.0.0.1", "::1", "localhost")

STORE_BYTES = 78_643_200
"""The least that Ray takes for its object store: workers share a study, not objects."""

REACH_SECONDS = 5.0
"""In which a Ray that is there answers."""

GONE_SECONDS = 5.0
"""What is left of Ray so long after its end is killed."""

ON_LOOPBACK = {"RAY_ENABLE_WINDOWS_OR_OSX_CLUSTER": "0"}
"""Ray makes of an address of loopback one of the network, which others reach too. Only in this
way, meant for systems whose firewalls ask, does it stay at 127.0.0.1 and listen nowhere else."""

ALONE = {**ON_LOOPBACK, "RAY_USAGE_STATS_ENABLED": "0", "RAY_AUTH_MODE": "token"}
"""What has to be in the environment before ray is imported, for one of the sweep's own."""


def cluster_address(settings: Mapping[str, Any]) -> str | None:
    """The address of the Ray that these settings mean; None where it is the sweep's own.

    Args:
        settings: of `ray.init`.
    """
    address = settings.get("address") or os.environ.get(ADDRESS)
    return None if address in (None, "local") else str(address)


def connect(settings: Mapping[str, Any]) -> None:
    """Join a Ray that is there.

    Args:
        settings: of `ray.init`.

    Raises:
        BadInput: there is none.
    """
    address = cluster_address(settings)
    host, port = _named(str(address))
    try:
        if port:  # where nobody listens Ray itself would go on asking for many minutes
            socket.create_connection((host, port), REACH_SECONDS).close()
        with _environment(ON_LOOPBACK if host in LOOPBACK else {}):
            _init({**settings, "address": address})
    except Exception as error:
        raise BadInput(
            "hydra.launcher.ray.init.address",
            address,
            f"no Ray is there ({_words(error)}); without an address one starts on this machine",
        ) from error


def _named(address: str) -> tuple[str, int]:
    """Host and port of an address; 0 where it has none, as `auto`."""
    host, _, port = address.rpartition("://")[2].rpartition(":")
    return host.strip("[]"), int(port) if port.isdigit() else 0


@contextmanager
def private_cluster(settings: Mapping[str, Any], cores: float) -> Iterator[None]:
    """A Ray on this machine's loopback until the end; no other user can give it tasks.

    It has to be started by the main thread: its processes end with the thread that started them.

    Args:
        settings: of `ray.init`, for what they say otherwise.
        cores: that its tasks take; more than there are, and the tasks share them.

    Raises:
        GdexpError: it does not start.
    """
    # A short path, as the sockets in it may have about a hundred characters; and a folder in it,
    # as Ray opens the one that it is given to everybody.
    folder = Path(tempfile.mkdtemp(prefix="gdexp-ray-", dir="/tmp"))
    token = {"RAY_AUTH_TOKEN": secrets.token_hex(32)}  # else Ray puts one into the home folder
    given = {
        "num_cpus": cores,
        "include_dashboard": False,
        "object_store_memory": STORE_BYTES,
        "_temp_dir": str(folder / "ray"),
    }
    try:
        with _environment({**token, **ALONE}), _ended_with_its_processes():
            try:
                _init({**given, **settings, "address": "local"})
            except Exception as error:
                raise GdexpError(
                    f"hydra/launcher=ray: Ray does not start: {_words(error)}"
                ) from error
            yield
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def disconnect() -> None:
    """Be no part of any Ray any more."""
    import ray

    ray.shutdown()


def _init(settings: Mapping[str, Any]) -> None:
    import ray

    handler = signal.getsignal(signal.SIGTERM)
    try:
        ray.init(**{"log_to_driver": False, "logging_level": "error", **settings})
    finally:
        signal.signal(signal.SIGTERM, handler)  # Ray puts its own there


@contextmanager
def ray_messages() -> Iterator[list[str]]:
    """Ray's own messages, which it would print into whatever is on the screen.

    Yields:
        Those that came since the list was emptied.
    """
    from ray._private import worker

    said: list[str] = []
    printed = worker.print_to_stdstream

    def heard(data: dict[str, Any], *rest: object, **named: object) -> None:
        if data.get("pid") == "raylet":
            said.extend(data["lines"])
        else:  # what workers print, where `log_to_driver` was asked for
            printed(data, *rest, **named)

    worker.print_to_stdstream = heard
    try:
        yield said
    finally:
        worker.print_to_stdstream = printed


@contextmanager
def _ended_with_its_processes() -> Iterator[None]:
    """End Ray, and whatever it left behind because it had little time."""
    import ray  # noqa: F401 (brings psutil)

    # isort: split
    import psutil

    this = psutil.Process()
    before = set(this.children(recursive=True))
    try:
        yield
    finally:
        started = [each for each in this.children(recursive=True) if each not in before]
        disconnect()
        for process in psutil.wait_procs(started, GONE_SECONDS)[1]:
            process.kill()


@contextmanager
def _environment(variables: Mapping[str, str]) -> Iterator[None]:
    """Set what the user has not set."""
    added = {name: value for name, value in variables.items() if name not in os.environ}
    os.environ.update(added)
    try:
        yield
    finally:
        for name in added:
            os.environ.pop(name, None)


def _words(error: Exception) -> str:
    return str(error).strip().partition("\n")[0] or type(error).__name__
