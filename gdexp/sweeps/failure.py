"""Trials that fail, and how many of them end a sweep."""

from __future__ import annotations

import traceback
from dataclasses import dataclass
from typing import Protocol

from gdexp.core import GdexpError, mask_secrets, mask_source, printable, printable_line
from gdexp.descent import Status

IN_A_ROW, SHARE, LEAST = 10, 0.5, 20
"""By default so many failed trials in a row end a sweep, or such a share of at least so many."""

MOST_REASON, MOST_TRACEBACK = 500, 20_000
"""Characters that are kept; of a traceback the last ones."""


@dataclass(frozen=True)
class Failure:
    """Why a trial has no result.

    Attributes:
        reason: one line without secrets.
        traceback: of the exception, without secrets; empty where there was none.
    """

    reason: str
    traceback: str = ""

    @classmethod
    def of(cls, error: GdexpError) -> Failure:
        """Return the failure that an exception in a trial means."""
        text = "".join(traceback.format_exception(error))
        reason = printable_line(mask_secrets(str(error)))
        return cls(reason[:MOST_REASON], printable(mask_source(text))[-MOST_TRACEBACK:])


class EndedTrial(Protocol):
    """The attributes that are read of a trial that ended."""

    @property
    def status(self) -> str:
        """Why it ended."""

    @property
    def reason(self) -> str:
        """Why it failed, if it did."""


def failure_line(number: int, trial: EndedTrial) -> str:
    """Return that a trial failed, and why."""
    return f"trial {number} failed: {trial.reason}"


class FailureLimit:
    """Tells when too many trials of one start of a sweep have failed.

    Args:
        most: failed trials that end the sweep; None: `IN_A_ROW`, or `SHARE` of at least `LEAST`.
    """

    def __init__(self, most: int | None) -> None:
        self._most = most
        self._ended = self._failed = self._in_a_row = 0
        self._last = ""

    def add(self, trial: EndedTrial) -> None:
        """Count a trial that ended."""
        self._ended += 1
        if trial.status != Status.FAILED:
            self._in_a_row = 0
            return
        self._failed += 1
        self._in_a_row += 1
        self._last = trial.reason

    @property
    def exceeded(self) -> bool:
        """Whether the sweep must end."""
        if self._most is not None:
            return self._failed >= self._most
        often = self._ended >= LEAST and self._failed >= SHARE * self._ended
        return self._in_a_row >= IN_A_ROW or often

    def message(self) -> str:
        """Return why the sweep ends, and what to do."""
        which = f"{self._failed} of {self._ended} trials failed"
        if self._most is None and self._in_a_row >= IN_A_ROW:
            which = f"{self._in_a_row} trials in a row failed"
        return f"{which} (sweep.max_failures), the last with: {self._last}"
