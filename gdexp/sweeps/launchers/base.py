"""The interface of started workers, and of what starts them."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Protocol

END_SECONDS = 10.0
"""How long workers may take to end once they are told to, or have nothing left to do."""


class Workers(Protocol):
    """Workers that were started."""

    def ended(self) -> bool:
        """Return whether all workers have ended."""

    def lost(self) -> list[str]:
        """Return a sentence for each worker that was killed since the last call."""

    def failure(self) -> Exception | None:
        """Return the first error of a worker; None where no worker failed."""

    def end(self, soon: bool) -> None:
        """Wait until the workers have ended; with `soon`, first tell them to end."""


@dataclass(frozen=True)
class WorkerLauncher:
    """Starts workers through another launcher than this machine's processes.

    Attributes:
        check: raises `BadInput` if no workers can be started; nothing is written before it.
        start: starts the workers. Its arguments are the overrides of a worker's config, the
            number of workers, and a function that sets an attribute of the study.
    """

    check: Callable[[], None]
    start: Callable[[list[str], int, Callable[[str, Any], None]], Workers]


def wait_for_end(workers: Workers, pause: float) -> None:
    """Wait until the workers have ended, at most `END_SECONDS`.

    Args:
        workers: the workers.
        pause: seconds between two checks.
    """
    until = time.monotonic() + END_SECONDS
    while not workers.ended() and time.monotonic() < until:
        time.sleep(pause)
