"""Rows that a monitor may end: it hears their losses after each block."""

from __future__ import annotations

import numpy as np

from gdexp.descent.batch import CODES
from gdexp.descent.listener import Listeners
from gdexp.descent.portable.descents import Descents
from gdexp.engine import Block, Counts


class Listening:
    """Gives the losses of a block to the listeners of its rows.

    A row has made the whole block before its monitor hears of it. Where the monitor ends it
    within the block, the row makes the block again, from where it began, up to its end.

    Args:
        listeners: one for each row, None where nothing may end it.
        descents: the rows; with traces, recorded at once.
    """

    def __init__(self, listeners: Listeners, descents: Descents) -> None:
        self._listeners, self._descents = listeners, descents
        for listener in listeners:
            if listener is not None:
                listener.begin()

    def advance(self, block: Block) -> None:
        """Make a block, so that no row is beyond where its monitor ended it."""
        d = self._descents
        may_end = np.flatnonzero(d.open & ~d.met)
        before = d.rows.take(np.arange(len(d.places)))
        below = d.below.copy()
        d.advance(block)
        again = self._hear(block, may_end)
        if not again.size:
            return
        d.rows.put(again, before.take(again))
        d.met[again], d.open[again], d.below[again] = False, True, below[again]
        d.rows.limit[again] = d.limits.limits[again]
        d.advance(block)

    def _hear(self, block: Block, rows: Counts) -> Counts:
        """Let the listeners of rows hear a block; return those of them that it ends."""
        d, trace = self._descents, block.trace
        assert trace is not None
        ended = []
        for row in rows.tolist():
            listener = self._listeners[int(d.places[row])]
            if listener is None:
                continue
            runs = bool(d.open[row]) and not d.met[row]
            last = block.until if runs else int(d.ends.iterations[d.places[row]])
            losses = trace[row, : last + 1 - block.trace_first]
            end = listener.ends(block.trace_first, losses, runs=runs)
            if end is not None:
                d.limits.limits[row], d.limits.codes[row] = end.iteration, CODES[end.status]
                ended.append(row)
        return np.array(ended, dtype=np.int64)
