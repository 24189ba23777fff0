"""What a batch leaves behind: one array per quantity, one row per descent."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any, Protocol

import numpy as np
import numpy.typing as npt
import torch

from gdexp.core import BadInput, format_counts
from gdexp.descent.batch.hitting_times import hitting_times, python_logarithms
from gdexp.descent.result import Result
from gdexp.descent.stopping import Status, Stopping
from gdexp.descent.trials import beyond_one_each
from gdexp.engine import StoredPlan
from gdexp.optimizers import UpdateRule

Floats = npt.NDArray[np.float64]
Integers = npt.NDArray[np.int64]

STATUSES = tuple(Status)
"""A status is held as its position here."""


@dataclass(frozen=True)
class Traces:
    """Ragged loss traces: row i is `values[offsets[i] : offsets[i + 1]]`.

    Attributes:
        values: every loss of every row, in the dtype in which the losses were computed.
        offsets: shape (B + 1,).
    """

    values: npt.NDArray[Any]
    offsets: Integers

    def __getitem__(self, row: int) -> Floats:
        return self.values[self.offsets[row] : self.offsets[row + 1]].astype(np.float64)

    def whole(self, row: int) -> Integers:
        """Return the values of a row that are counts."""
        return self.values[self.offsets[row] : self.offsets[row + 1]].astype(np.int64)


class Ended(Protocol):
    """How rows ended: arrays with one entry for each, which `BatchResult` explains.

    With gradient norms those stand in `loss_before` and `loss_midway`.
    """

    codes: npt.NDArray[np.int8]
    iterations: Integers
    updates: Integers
    periods: Integers
    final_loss: Floats
    final_norm: Floats
    loss_before: Floats
    loss_midway: Floats
    min_loss: Floats
    max_loss: Floats

    @property
    def final(self) -> torch.Tensor | npt.NDArray[Any]:
        """The x of each row at its end."""


@dataclass(frozen=True, eq=False)
class BatchResult:
    """The outcome of B descents; `batch[i]` is the `Result` of row i.

    Attributes:
        codes: the status of each row as its position in `STATUSES`, shape (B,), int8.
        iterations: updates made until the row ended, shape (B,).
        updates: updates in the row's trace, those of its continuation included, shape (B,).
        periods: of a stalled row, after how many iterations its state repeats; else 0. (B,).
        final_loss: the loss at each row's end, shape (B,).
        min_loss: the smallest finite loss, shape (B,).
        max_loss: the largest loss, infinity included, shape (B,).
        initial: x at iteration 0, on the CPU, shape (B, *shape).
        final: x at each row's end, on the CPU, shape (B, *shape).
        rules: the update rule of each row.
        stoppings: the stopping rule of each row.
        traces: all losses of all rows; None when they were not kept.
        f_star: what the thresholds were measured from.
        problem: the problem's name.
        seconds: wall time of all loops together.
        engine: portable or torch: how the losses were computed.
        engine_reason: why `engine=auto` took torch; else None.
        programs: what was computed, as data, each with the numbers of its rows, which increase;
            none on engine torch.
        evaluations: the evaluations of the loss until each iterate of each row, where a rule
            searches and traces are kept; None: one for each.
        gradient_norms: of all iterates of all rows, where thresholds are of them and traces are
            kept; else None.
    """

    codes: npt.NDArray[np.int8]
    iterations: Integers
    updates: Integers
    periods: Integers
    final_loss: Floats
    min_loss: Floats
    max_loss: Floats
    initial: torch.Tensor
    final: torch.Tensor
    rules: Sequence[UpdateRule]
    stoppings: Sequence[Stopping]
    traces: Traces | None
    f_star: float
    problem: str
    seconds: float
    _loss_before: Floats = field(repr=False)
    _loss_midway: Floats = field(repr=False)
    _final_norm: Floats = field(repr=False)
    engine: str = "torch"
    engine_reason: str | None = None
    programs: Sequence[tuple[Integers, StoredPlan]] = ()
    evaluations: Traces | None = None
    gradient_norms: Traces | None = None

    def __len__(self) -> int:
        return len(self.codes)

    def __getitem__(self, row: int) -> Result:
        """The result of one descent, equal to that of the descent alone.

        Its `seconds` are the batch's, shared out by updates.

        Raises:
            IndexError: there is no such row.
            BadInput: the traces were not kept.
        """
        if not -len(self) <= row < len(self):
            raise IndexError(f"row {row} of a batch of {len(self)}")
        if self.traces is None:
            raise BadInput("keep_traces", False, "must be true for the result of a single row")
        row %= len(self)
        share = (self.updates[row] + 1) / float(self.updates.sum() + len(self))
        return Result(
            status=self.status(row),
            trace=self.traces[row],
            initial=self.initial[row].clone(),
            final=self.final[row].clone(),
            rule=self.rules[row],
            stopping=self.stoppings[row],
            f_star=self.f_star,
            problem=self.problem,
            period=int(self.periods[row]) or None,
            seconds=self.seconds * float(share),
            engine=self.engine,
            engine_reason=self.engine_reason,
            program=self._program(row),
            evaluations=None
            if self.evaluations is None
            else beyond_one_each(self.evaluations.whole(row)),
            gradient_norms=None if self.gradient_norms is None else self.gradient_norms[row],
        )

    def _program(self, row: int) -> StoredPlan | None:
        """Return what was computed for a row."""
        if len(self.programs) == 1:
            return self.programs[0][1]
        for rows, program in self.programs:
            place = int(np.searchsorted(rows, row))
            if place < len(rows) and rows[place] == row:
                return program
        return None

    def __iter__(self) -> Iterator[Result]:
        return (self[row] for row in range(len(self)))

    def status(self, row: int) -> Status:
        """Why a row ended."""
        return STATUSES[int(self.codes[row])]

    @property
    def converged(self) -> npt.NDArray[np.bool_]:
        """Which rows reached their threshold, shape (B,)."""
        return np.equal(self.codes, STATUSES.index(Status.CONVERGED))

    @property
    def counts(self) -> dict[Status, int]:
        """How many rows ended in each status that occurs."""
        counts = np.bincount(self.codes, minlength=len(STATUSES)).tolist()
        return {status: n for status, n in zip(STATUSES, counts, strict=True) if n}

    @cached_property
    def hitting_time(self) -> Floats:
        """The hitting time of each row, or its projection; `Result.hitting_time`, shape (B,).

        Known without traces too: it takes the losses, or gradient norms, around the hit, or for
        a row that ran to its limit those in the middle and at the end.
        """
        hopeless = [code for code, status in enumerate(STATUSES) if status.hopeless]
        of_norm = self.stoppings[0].of_norm
        reference = 0.0 if of_norm else self.f_star
        return hitting_times(
            self.iterations,
            (self._final_norm if of_norm else self.final_loss) - reference,
            self._loss_before - reference,
            self._loss_midway - reference,
            self.stoppings,
            self.converged,
            np.isin(self.codes, hopeless),
            _portable_logarithms if self.engine == "portable" else python_logarithms,
        )

    def summary(self) -> str:
        """One line: how many rows ended in which status, and the fewest iterations."""
        text = f"{len(self):,} descents: {format_counts(self.counts)}"
        if self.converged.any():
            text += f"; fewest iterations {self.iterations[self.converged].min():,}"
        return text

    def __str__(self) -> str:
        return self.summary()

    def __repr__(self) -> str:
        return f"<BatchResult on {self.problem or 'a problem'}: {self.summary()}>"


def _portable_logarithms(values: Floats) -> Floats:
    from gdexp.engine import compute, functions

    return compute(functions.log, values)


def in_order(parts: list[tuple[Integers, Traces]], updates: Integers) -> Traces:
    """Return the traces of all rows in the order of the rows.

    Args:
        parts: each with the numbers of its rows, which increase; they are used up.
        updates: of all rows.
    """
    if len(parts) == 1:
        return parts[0][1]
    offsets = np.concatenate(([0], np.cumsum(updates + 1)))
    values = np.empty(offsets[-1], dtype=parts[0][1].values.dtype)
    while parts:
        rows, traces = parts.pop()
        if rows[-1] - rows[0] + 1 == len(rows):
            values[offsets[rows[0]] : offsets[rows[-1] + 1]] = traces.values
        else:
            for i, row in enumerate(rows.tolist()):
                start, stop = traces.offsets[i : i + 2]
                values[offsets[row] : offsets[row + 1]] = traces.values[start:stop]
    return Traces(values, offsets)
