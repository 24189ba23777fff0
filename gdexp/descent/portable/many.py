"""Many descents on the portable engine, in chunks of rows."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from typing import NamedTuple

import numpy as np

from gdexp.descent.batch import (
    BatchOptions,
    Given,
    Hyperparameters,
    Limits,
    Part,
    SavedPart,
    Traces,
    hear_again,
    heard_by,
    in_order,
    lower_as_before,
    note_midways,
    rows_going_on,
)
from gdexp.descent.portable.checks import Checks
from gdexp.descent.portable.choice import Engine
from gdexp.descent.portable.descents import Descents, Ends
from gdexp.descent.portable.listening import Listening
from gdexp.descent.portable.lowering import Lowering
from gdexp.descent.portable.minimum import PortableMinimum
from gdexp.descent.portable.numbers import Numbers
from gdexp.descent.portable.pace import Pace
from gdexp.descent.portable.pieces import Joined, Pieces
from gdexp.descent.portable.saved_parts import go_on, reached, saved_part, updates_so_far
from gdexp.engine import Block, Counts, InterpretedEngine

MOST_ROWS = 1 << 14
MOST_NUMBERS = 1 << 20
"""In the x and state of the rows of a chunk, in native code."""

MOST_OF_A_DEVICE = 1 << 22
"""The same where torch's operations compute them."""


class Kind(NamedTuple):
    """The rows whose rules differ in numbers only, with what computes them.

    Attributes:
        rows: their positions in the batch.
        rules: their hyperparameters.
        engine: of their plan.
        minimum: of the problem.
        pace: how long a block is.
        checks: where this is the first descent of the plan.
    """

    rows: Counts
    rules: Hyperparameters
    engine: Engine
    minimum: PortableMinimum
    pace: Pace
    checks: Checks | None


class Many:
    """The descents of a batch on their way: what is known of the rows so far.

    Args:
        batch: the rows; the stopping rules are replaced where the cap lowers a limit.
        options: of the batch. With traces `traces` may be asked.
    """

    def __init__(self, batch: Given, options: BatchOptions) -> None:
        self.stoppings, self.x, self.options = batch.stoppings, batch.initial.numpy(), options
        self.limits = Limits.of(*batch.own_stoppings)
        self.ends: Ends | None = None
        self.parts: list[tuple[Counts, Traces]] = []
        self.counts: list[tuple[Counts, Traces]] = []
        self.norms: list[tuple[Counts, Traces]] = []
        self.saving = options.saving if options.keep_traces else None
        self.saved: list[Part] = []

    def run(self, kind: Kind) -> None:
        """Descend with the rows of a kind, chunk by chunk."""
        plan = kind.engine.plan
        if self.ends is None:
            self.ends = Ends(plan, len(self.x))
        each = math.prod(plan.shape) + sum(map(math.prod, plan.state_shapes))
        size = self.options.chunk or _rows_at_once(kind, each)
        checks, numbers = kind.checks, Numbers(kind.rules, plan.dtype)
        left = np.arange(len(kind.rows))
        for saved in self._found(kind.rows):
            own = saved.own
            self._chunk(kind, kind.rows[own], numbers.part(own), checks, saved)
            left, checks = np.setdiff1d(left, own), None
        for first in range(0, len(left), size):
            some = left[first : first + size]
            self._chunk(kind, kind.rows[some], numbers.part(some), checks)
            checks = None

    def _chunk(
        self,
        kind: Kind,
        rows: Counts,
        numbers: Numbers,
        checks: Checks | None,
        saved: SavedPart | None = None,
    ) -> None:
        """Descend with some rows, from their starts or from where they were saved."""
        options, cap, listeners = self.options, self.options.cap, self.options.listeners
        lowers = None if cap is None or cap.factor is None else cap
        if cap is not None:
            self.limits.lower(self.stoppings, rows, cap)
        descents = self._begun(kind, rows, numbers, lowers is not None or listeners is not None)
        advance = descents.advance
        if listeners is not None:
            own = [listeners[row] for row in rows.tolist()]
            advance = Listening(own, descents).advance
        lowering = None if lowers is None else Lowering(lowers, descents, advance)
        pieces = Pieces()
        if saved is not None:
            part, there = saved.part, saved.there
            if lowers is not None:
                lower_as_before(reached(part).of(there), descents.limits, lowers)
            pieces = go_on(descents, part, there)
            if listeners is not None:
                hear_again(own, part, there)
            if checks is not None:
                checks.go_on(descents.k)
        for _ in _advanced(descents, advance, lowering, checks, options.watch, pieces):
            if self.saving is not None and descents.open.any() and self.saving.is_due():
                joined = pieces.joined(updates_so_far(descents), keep=True)
                self.saving.save([*self.saved, self._as_data(rows, descents, joined)])
        if options.keep_traces:
            self._keep_traces(rows, descents, pieces.joined(descents.ends.updates))
        assert self.ends is not None
        self.ends.put(rows, descents.ends)

    def _begun(self, kind: Kind, rows: Counts, numbers: Numbers, at_once: bool) -> Descents:
        """Return rows at their starts; where they stand together, their ends are the batch's."""
        assert self.ends is not None
        together = int(rows[-1]) - int(rows[0]) + 1 == len(rows)
        some: Counts | slice = slice(int(rows[0]), int(rows[-1]) + 1) if together else rows
        return Descents(
            kind.engine,
            self.x[some],
            numbers,
            self.limits.part(some),
            kind.minimum,
            kind.pace,
            keep_traces=self.options.keep_traces,
            ends=self.ends.part(some) if isinstance(some, slice) else None,
            at_once=at_once,
        )

    def _keep_traces(self, rows: Counts, descents: Descents, joined: Joined) -> None:
        """Keep the traces of rows that ended, and what follows from them."""
        ends, cap = descents.ends, self.options.cap
        self.parts.append((rows, joined.losses))
        if joined.counts is not None:
            self.counts.append((rows, joined.counts))
        if joined.norms is not None:
            self.norms.append((rows, joined.norms))
        if self.saving is not None:
            self.saved.append(self._as_data(rows, descents, joined))
        if cap is not None:
            self.limits.settle(self.stoppings, rows, ends, cap)
        if cap is not None or self.options.listeners is not None:
            note_midways(ends, joined.losses if joined.norms is None else joined.norms)

    def _found(self, rows: Counts) -> Iterator[SavedPart]:
        """Return the parts of those rows that go on from where they were saved."""
        if self.saving is None:
            return iter(())
        found, cap = self.saving.found(rows, "portable"), self.options.cap
        return rows_going_on(self.saving, found, rows, self.limits, self.stoppings, cap, reached)

    def _as_data(self, rows: Counts, descents: Descents, joined: Joined) -> Part:
        part, listeners = saved_part(rows, descents, joined), self.options.listeners
        if listeners is not None:
            part["heard"] = heard_by([listeners[row] for row in rows.tolist()])
        return part

    def traces(self) -> Traces:
        """Return the traces of all rows in the order of the rows; the parts are used up."""
        assert self.ends is not None
        return in_order(self.parts, self.ends.updates)

    def evaluations(self) -> Traces | None:
        """Return the evaluations of all rows of a rule that searches; the parts are used up."""
        assert self.ends is not None
        return in_order(self.counts, self.ends.updates) if self.counts else None

    def gradient_norms(self) -> Traces | None:
        """Return the gradient norms of all rows, where there are any; the parts are used up."""
        assert self.ends is not None
        return in_order(self.norms, self.ends.updates) if self.norms else None


def _rows_at_once(kind: Kind, numbers: int) -> int:
    """Return how many rows of so many numbers run at once."""
    if isinstance(kind.engine, InterpretedEngine):  # its iterations can be interrupted
        return max(1, MOST_OF_A_DEVICE // numbers)
    return min(MOST_ROWS, max(1, MOST_NUMBERS // numbers), kind.pace.rows())


def _advanced(
    descents: Descents,
    advance: Callable[[Block], None],
    lowering: Lowering | None,
    checks: Checks | None,
    watch: Callable[[int, int], None] | None,
    pieces: Pieces,
) -> Iterator[None]:
    """Advance rows until all have ended, yielding after each block.

    Args:
        descents: the rows.
        advance: makes a block.
        lowering: a cap's; None: there is none.
        checks: see `descend_alone`.
        watch: see `descend_batch`.
        pieces: gets what the blocks make.
    """
    while descents.open.any():
        length = descents.length()
        if lowering is not None:
            length = lowering.length(length)
        if checks is not None:
            length = checks.length(length, descents.k)
        block = descents.block(length)
        (advance if lowering is None else lowering.advance)(block)
        pieces.add(descents, block)
        descents.finish(block)
        if checks is not None:
            checks.look(descents)
        if watch is not None:
            watch(block.until, int(descents.open.sum()))
        if pieces.losses:  # else rows that ended cost nothing
            descents.compact()
        yield
    descents.record()
