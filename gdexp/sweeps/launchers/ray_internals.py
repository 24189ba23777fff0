"""The parts of Ray that are not in its documentation. No other module uses such parts."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

PARTS = (
    "ray._private.ray_constants:ENABLE_RAY_CLUSTERS_ENV_VAR",
    "ray._private.worker:print_to_stdstream",
)

LOOPBACK_VARIABLES = {"RAY_ENABLE_WINDOWS_OR_OSX_CLUSTER": "0"}
"""Ray replaces a loopback address by one of the network, which other machines can reach. With
this variable, meant for systems whose firewalls ask the user, it stays at 127.0.0.1."""


def folder_settings(folder: str) -> dict[str, str]:
    """Return the settings of `ray.init` that put Ray's files into a folder."""
    return {"_temp_dir": folder}


@contextmanager
def captured_messages() -> Iterator[list[str]]:
    """Collect Ray's own messages, which it would print in the terminal.

    Ray has no setting for this: `log_to_driver=False` only stops the output of tasks.

    Yields:
        The messages; the caller removes those that it has read.
    """
    from ray._private import worker

    messages: list[str] = []
    printed: Callable[..., None] = worker.print_to_stdstream

    def collect(data: dict[str, Any], *rest: object, **named: object) -> None:
        if data.get("pid") == "raylet":
            messages.extend(data["lines"])
        else:  # output of tasks, where the user sets `log_to_driver`
            printed(data, *rest, **named)

    worker.print_to_stdstream = collect
    try:
        yield messages
    finally:
        worker.print_to_stdstream = printed
