"""A run that was decided on and is not written yet."""

from __future__ import annotations

from dataclasses import dataclass

from gdexp.tracking.record import Opening


@dataclass
class Pending:
    """A run that was decided on and is not written yet.

    Attributes:
        run_id: it will have, or has.
        opening: what it is created with.
        started: milliseconds since 1970; every point of its metrics carries this time.
        shown: it is in the store, RUNNING.
    """

    run_id: str
    opening: Opening
    started: int
    shown: bool = False
