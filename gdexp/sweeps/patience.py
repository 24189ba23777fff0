"""The end of a sweep after many trials without improvement."""

from __future__ import annotations

from collections.abc import Sequence

from gdexp.sweeps.objective import Objective
from gdexp.sweeps.study import TrialRecord


class Patience:
    """Counts the trials since the last improvement.

    An improvement is a better value; with several objectives it is a trial that no earlier one
    dominates. A trial that was pruned, or whose value is not known, is none.

    Args:
        limit: the sweep ends after so many trials in a row without improvement; None: never.
        objectives: of the sweep.
    """

    def __init__(self, limit: int | None, objectives: Sequence[Objective]) -> None:
        self._limit, self._objectives = limit, objectives
        self._front: list[tuple[float, ...]] = []
        self.waited = 0

    @property
    def exhausted(self) -> bool:
        """Whether the limit is reached."""
        return self._limit is not None and self.waited >= self._limit

    @property
    def remaining(self) -> int | None:
        """The least number of trials until the limit is reached; None: no limit."""
        return None if self._limit is None else max(self._limit - self.waited, 0)

    def add(self, record: TrialRecord) -> None:
        """Count a finished trial."""
        told = record.told(len(self._objectives))
        values = tuple(
            each.signed(value) for each, value in zip(self._objectives, told, strict=True)
        )
        if record.is_estimate or any(_dominates(other, values) for other in self._front):
            self.waited += 1
            return
        self.waited = 0
        self._front = [other for other in self._front if not _dominates(values, other)]
        self._front.append(values)


def _dominates(one: tuple[float, ...], other: tuple[float, ...]) -> bool:
    """Return whether no value is larger; equal values dominate each other."""
    return all(a <= b for a, b in zip(one, other, strict=True))
