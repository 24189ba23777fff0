"""A cap and rows that go on from where they were saved: what their limits are by now.

A row depends on the rows before it by its limit alone. So a saved row can go on, and ends as if it
had run from its start, unless its limit of now would have ended it before, or later than a cap did.
Limits are not saved: they follow from the cap and from the rows that converged.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from gdexp.descent.batch.limits import EARLY, Limits
from gdexp.descent.batch.outcome import CODES
from gdexp.descent.batch.result import Integers
from gdexp.descent.batch.saving import BatchSaving, Part, SavedPart
from gdexp.descent.cap import NO_LIMIT, Cap
from gdexp.descent.stopping import Status, Stopping

_CONVERGED, _CAPPED, _MOST = (
    int(CODES[each]) for each in (Status.CONVERGED, Status.CAPPED, Status.MAX_ITERATIONS)
)
_FROM_OUTSIDE = frozenset(int(code) for code in EARLY) - {_CAPPED, _MOST}


class Reached(NamedTuple):
    """How far rows were when they were saved: arrays of shape (rows,).

    Attributes:
        recorded: whether a row had ended, or had converged and its trace goes on.
        codes: how those ended, as a position in `STATUSES`; of others anything.
        iterations: where those ended; of others anything.
        made: the last iteration that the others had made.
    """

    recorded: npt.NDArray[np.bool_]
    codes: npt.NDArray[np.int8]
    iterations: Integers
    made: int

    def of(self, rows: Integers) -> Reached:
        """Return those of some rows, in their order."""
        recorded, codes, iterations, made = self
        return Reached(recorded[rows], codes[rows], iterations[rows], made)


def rows_going_on(
    saving: BatchSaving,
    found: Iterable[SavedPart],
    rows: Integers,
    limits: Limits,
    stoppings: list[Stopping],
    cap: Cap | None,
    reached: Callable[[Part], Reached],
) -> Iterator[SavedPart]:
    """Yield those saved rows that go on, with the cap as it is when each part is asked for.

    Args:
        saving: warns of rows that begin again.
        found: the parts, with their positions among `rows`.
        rows: their numbers in the batch.
        limits: of all rows of the batch; lowered here, as `stoppings` are.
        stoppings: of all rows of the batch.
        cap: of the batch; None: all go on.
        reached: tells how far the rows of a part were.
    """
    for saved in found:
        if cap is not None:
            own, before = rows[saved.own], reached(saved.part).of(saved.there)
            limits.lower(stoppings, own, cap)
            agree = lower_as_before(before, limits.part(own), cap)
            saved = saving.that_agree(saved, agree)
        if saved.own.size:
            yield saved


def lower_as_before(reached: Reached, limits: Limits, cap: Cap) -> npt.NDArray[np.bool_]:
    """Let saved rows that converged limit those after them; return which rows can go on.

    A row that cannot go on limits none, for it begins again.

    Args:
        reached: how far the rows were, in the order in which they would run.
        limits: of the rows, with what the cap allows them; lowered here.
        cap: of the batch.
    """
    agree = np.ones(len(limits.limits), dtype=bool)
    if cap.factor is None:
        return agree
    before = Cap(cap.factor)
    columns = (limits.thresholds, limits.limits, limits.codes, *reached[:3])
    for row, (threshold, own, named, recorded, code, ended) in enumerate(
        zip(*(column.tolist() for column in columns), strict=True)
    ):
        allowed = before.limit(threshold)
        limit = min(own, NO_LIMIT if allowed is None else allowed)
        if limit < own:
            limits.limits[row], limits.codes[row], named = limit, _CAPPED, _CAPPED
        if not recorded:
            agree[row] = limit > reached.made
        elif code == _CAPPED:
            agree[row] = limit == ended and named == _CAPPED
        elif code in _FROM_OUTSIDE:
            agree[row] = limit > ended or named == _MOST
        else:
            agree[row] = limit >= ended
        if agree[row] and recorded and code == _CONVERGED:
            before.add(threshold, [ended])
    return agree
