"""The rows of a batch that a monitor may end: it hears their losses after each block."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from gdexp.descent.batch.blocks import Block, Close
from gdexp.descent.batch.result import Integers
from gdexp.descent.listener import EarlyEnd, Listeners


class Listening:
    """Gives the losses of a block to the listeners of its rows.

    Args:
        listeners: one for each row of the batch, None where nothing may end it.
    """

    def __init__(self, listeners: Listeners) -> None:
        self._listeners = listeners
        for listener in listeners:
            if listener is not None:
                listener.begin()

    def due(self, going: Integers, numbers: Integers, last: int) -> Integers:
        """Return the rows of which something is to be heard, or whose time is over.

        Args:
            going: the positions of the rows that have not ended.
            numbers: of all rows, in the batch.
            last: the last iteration that was made.
        """
        each = [(row, self._listeners[int(numbers[row])]) for row in going.tolist()]
        due = [row for row, own in each if own and (own.hears(last) or own.is_late())]
        return np.array(due, dtype=np.int64)

    def early_ends(
        self, block: Block, close: Close, numbers: Integers, limits: Integers
    ) -> Iterator[tuple[int, EarlyEnd]]:
        """Let the listeners of some rows hear a block; yield which of them end, and where.

        Args:
            block: the iterations.
            close: the rows.
            numbers: of the rows, in the batch.
            limits: their most iterations.
        """
        last = np.minimum(close.by_loss, limits - block.first)
        if close.repeats is not None:
            last = np.minimum(last, close.repeats[0])
        for place, (number, at) in enumerate(zip(numbers.tolist(), last.tolist(), strict=True)):
            listener = self._listeners[number]
            assert listener is not None
            end = listener.ends(block.first, close.losses[: at + 1, place], runs=at >= block.made)
            if end is not None:
                yield place, end
