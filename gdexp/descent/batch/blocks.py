"""A block of iterations of a batch, and those of its rows that are looked at closely."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from gdexp.descent.batch.cycles import Array, Point
from gdexp.descent.batch.result import Floats, Integers


class Block(NamedTuple):
    """Some iterations that were made.

    Attributes:
        first: the iteration that they begin with.
        made: how many they are.
        losses: shape (made + 1, rows), on the device, those of the iteration before at the top.
        points: as many.
    """

    first: int
    made: int
    losses: Array
    points: list[Point]


class Close(NamedTuple):
    """Some rows of a block, looked at closely; arrays of shape (…, some).

    Attributes:
        rows: their positions in the tensor.
        before: the losses of the iteration before.
        losses: shape (iterations, some).
        lowest: the smallest loss before.
        highest: the largest loss before.
        by_loss: the offset at which the loss ends the row; the block's length where none does.
        below: whether the loss there is below the minimum.
        repeats: the offset at which the state repeats, and the period; None when none can.
    """

    rows: Integers
    before: Floats
    losses: Floats
    lowest: Floats
    highest: Floats
    by_loss: Integers
    below: npt.NDArray[np.bool_]
    repeats: tuple[Integers, Integers] | None
