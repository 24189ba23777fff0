"""How many iterations a block makes, so that Ctrl-C and progress never wait long."""

from __future__ import annotations

SECONDS = 0.03
"""What a block should take. Python answers to a signal after the block."""

GROWTH = 4
"""A block has at most this many times the iterations of the one before."""

FIRST = 256
"""The most iterations of the first block of a single row."""


class Pace:
    """The length of the next block, from the time that the blocks before took.

    Args:
        nanoseconds: a guess at the time of one iteration of one row.
        fixed: the iterations of every block, in place of a choice; None: chosen.
    """

    def __init__(self, nanoseconds: float, fixed: int | None = None) -> None:
        self.fixed = fixed
        self._seconds = nanoseconds * 1e-9
        self._last = FIRST // GROWTH

    def rows(self) -> int:
        """Return the most rows for which one iteration is no longer than a block."""
        return max(1, int(SECONDS / self._seconds))

    def length(self, rows: int) -> int:
        """Return the iterations of the next block for so many rows."""
        if self.fixed is not None:
            return self.fixed
        in_time = int(SECONDS / (self._seconds * max(rows, 1)))
        return max(1, min(in_time, self._last * GROWTH))

    def note(self, length: int, made: int, seconds: float) -> None:
        """Note what a block took.

        Args:
            length: its iterations.
            made: those that its rows made, together.
            seconds: its wall time.
        """
        self._last = length
        if made:
            self._seconds = max(seconds / made, 1e-9)
