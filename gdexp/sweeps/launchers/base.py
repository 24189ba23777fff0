"""What the driver expects of workers that were started, and of what starts them."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Protocol

END_SECONDS = 10.0
"""Workers that have nothing to do any more, or were told to go, have so long."""


class Workers(Protocol):
    """Workers that were started."""

    def ended(self) -> bool:
        """Whether none of them is there any more."""

    def lost(self) -> list[str]:
        """Words on workers that ended otherwise than they should, each only once."""

    def failure(self) -> Exception | None:
        """Why a worker failed; None where none did."""

    def end(self, soon: bool) -> None:
        """Wait until they are gone; `soon` has them hand back what they are at."""


@dataclass(frozen=True)
class WorkerLauncher:
    """What starts workers that are not simply processes of this machine.

    Attributes:
        check: looks whether it can, before anything is written.
        start: starts them, from the overrides that each composes its config from, how many there
            are to be, and what sets an attribute of the study.
    """

    check: Callable[[], None]
    start: Callable[[list[str], int, Callable[[str, Any], None]], Workers]
