"""What a batch collects while it runs: how its rows ended, and their losses in pieces."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt
import torch

from gdexp.descent.batch.result import STATUSES, Integers, Traces
from gdexp.descent.result import Result

Losses = npt.NDArray[Any]

CODES = {status: np.int8(code) for code, status in enumerate(STATUSES)}

WORTH_A_COPY = 24
"""From so many losses on, one slice per row is faster than one index per loss."""


class Piece(NamedTuple):
    """Losses of consecutive iterations: `values[i, j]` is row `rows[i]` at `first + j`."""

    rows: Integers
    first: int
    values: Losses


class Outcome:
    """What is known of each row once it has ended; every array has shape (rows,)."""

    def __init__(self, rows: int, x: torch.Tensor) -> None:
        self.codes = np.zeros(rows, dtype=np.int8)
        self.iterations = np.zeros(rows, dtype=np.int64)
        self.updates = np.zeros(rows, dtype=np.int64)
        self.periods = np.zeros(rows, dtype=np.int64)
        self.final_loss = np.full(rows, np.nan)
        self.loss_before = np.full(rows, np.nan)
        self.loss_midway = np.full(rows, np.nan)
        self.final_norm = np.full(rows, np.nan)
        self.min_loss = np.full(rows, np.nan)
        self.max_loss = np.full(rows, np.nan)
        self.final = torch.empty_like(x)
        self.pieces: list[Piece] = []

    def put(self, rows: Integers, part: Outcome) -> None:
        """Take over what is known of some rows, all but their pieces."""
        for name, values in vars(part).items():
            if isinstance(values, np.ndarray):
                vars(self)[name][rows] = values
        self.final[torch.from_numpy(rows)] = part.final.cpu()

    def record(self, row: int, result: Result) -> None:
        """Take over a descent that ran alone."""
        last, middle = result.iterations, result.stopping.limit // 2
        if result.status.ended_early:
            middle = last // 2
        self.codes[row] = CODES[result.status]
        self.iterations[row], self.updates[row] = last, result.updates
        self.periods[row] = result.period or 0
        self.final_loss[row] = result.final_loss
        self.min_loss[row], self.max_loss[row] = result.min_loss, result.max_loss
        compared = result.goal_trace
        self.loss_before[row] = compared[last - 1] if last else np.nan
        self.loss_midway[row] = compared[middle] if middle <= last else np.nan
        if result.gradient_norms is not None:
            self.final_norm[row] = compared[last]
        self.final[row] = result.final


def joined_traces(updates: Integers, pieces: list[Piece]) -> Traces:
    """Return the losses of pieces put together row by row; the pieces are used up.

    Args:
        updates: of all rows.
        pieces: one at least.
    """
    lengths = updates + 1
    offsets = np.concatenate(([0], np.cumsum(lengths)))
    values = np.empty(offsets[-1], dtype=pieces[0].values.dtype)
    while pieces:
        rows, first, losses = pieces.pop()
        by_row, width = np.ascontiguousarray(losses), losses.shape[1]
        # A row that ended inside the piece, or before it, is cut back to its own end.
        counts = np.clip(lengths[rows] - first, 0, width)
        starts = offsets[rows] + first
        if width >= WORTH_A_COPY:
            for own, start, count in zip(by_row, starts.tolist(), counts.tolist(), strict=True):
                values[start : start + count] = own[:count]
        else:
            ahead = np.concatenate(([0], np.cumsum(counts)[:-1]))
            places = np.repeat(starts - ahead, counts) + np.arange(counts.sum())
            values[places] = by_row[np.arange(width) < counts[:, None]]
    return Traces(values, offsets)


def piece_of(traces: Traces, rows: Integers) -> Piece:
    """Return the traces of some rows as one piece; what is after a row's end is zero."""
    lengths = np.diff(traces.offsets)[rows]
    values = np.zeros((len(rows), int(lengths.max())), dtype=traces.values.dtype)
    for own, row, length in zip(values, rows.tolist(), lengths.tolist(), strict=True):
        own[:length] = traces.values[traces.offsets[row] : traces.offsets[row] + length]
    return Piece(np.arange(len(rows)), 0, values)
