"""The reason why a descent has no portable form."""

from __future__ import annotations

from pathlib import Path
from typing import NamedTuple

from gdexp.core import GdexpError

LARGEST = 1 << 17
"""Numbers in an array of a portable program; torch's own kernels compute larger ones faster."""


class Place(NamedTuple):
    """A line of code outside torch."""

    file: str
    line: int

    def __str__(self) -> str:
        return f"{Path(self.file).name}, line {self.line}"  # a reason is recorded: no folders


class NotPortable(GdexpError):
    """An operation of the loss or of the update rule has no portable form, or none is safe.

    Args:
        reason: one line that names the operation.
        place: the line of the user's code that called it; None where it is unknown.
    """

    def __init__(self, reason: str, place: Place | None = None) -> None:
        self.reason = reason
        self.place = place
        super().__init__(reason if place is None else f"{reason} ({place})")

    def at(self, place: Place | None) -> NotPortable:
        """Return the same with a place, unless it has one."""
        return self if self.place is not None else NotPortable(self.reason, place)
