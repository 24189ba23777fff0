"""The loop of the portable engine: the descents of one plan, from their starts to their ends."""

from __future__ import annotations

import copy
import time
from collections.abc import Mapping
from typing import Any

import numpy as np
import numpy.typing as npt

from gdexp.descent.batch import CODES, Limits
from gdexp.descent.portable.choice import Engine
from gdexp.descent.portable.minimum import PortableMinimum
from gdexp.descent.portable.numbers import Numbers
from gdexp.descent.portable.pace import Pace
from gdexp.descent.stopping import Status
from gdexp.engine import (
    Array,
    Block,
    Code,
    Counts,
    Doubles,
    Plan,
    Rows,
    compared,
    compared_before,
    load_rows,
    save_rows,
)

_RUNNING, _CONVERGED = int(Code.RUNNING), int(Code.CONVERGED)
_LIMIT, _BELOW = int(Code.LIMIT), int(Code.BELOW)
# Plain integers: a member of an enumeration is slow to come by.

MOST_LOSSES = 1 << 20
"""Of a block's traces."""


class Ends:
    """How rows ended; every array has one entry for each.

    Args:
        plan: of the descents.
        rows: how many.
    """

    def __init__(self, plan: Plan, rows: int) -> None:
        self.codes = np.empty(rows, dtype=np.int8)
        self.iterations = np.empty(rows, dtype=np.int64)
        self.updates = np.empty(rows, dtype=np.int64)
        self.periods = np.empty(rows, dtype=np.int64)
        self.final_loss = np.empty(rows)
        self.final_norm = np.empty(rows)
        self.loss_before = np.empty(rows)
        self.loss_midway = np.empty(rows)
        self.min_loss = np.empty(rows)
        self.max_loss = np.empty(rows)
        self.final = np.empty((rows, *plan.shape), dtype=plan.dtype)

    def part(self, places: slice) -> Ends:
        """Return the arrays of some rows; what is written there is written here."""
        part = copy.copy(self)
        vars(part).update({name: values[places] for name, values in vars(self).items()})
        return part

    def put(self, places: Counts, part: Ends) -> None:
        """Take over how some rows ended."""
        for name, values in vars(part).items():
            vars(self)[name][places] = values


class Descents:
    """Rows on their way.

    A row that converges goes on where its goal is tighter than its threshold: it is recorded, and
    runs on with the goal for its threshold.

    Args:
        engine: computes the iterations.
        x: the starts, shape (R, *shape).
        numbers: the coefficients of the rows.
        limits: how the rows end; arrays of their own, which a cap may change.
        minimum: of the problem.
        pace: how long a block is.
        keep_traces: whether blocks have a trace.
        ends: where it is written how the rows ended; None: arrays of their own.
        at_once: whether that is written after each block, and not when all have ended.

    Attributes:
        k: the first iteration that is not evaluated yet.
        places: the position of each row in `ends`; rows that ended may be left out.
        searches: whether the rule rejects points, and traces are kept: then blocks are of one
            iteration, and `rows.evaluations` is read after each.
    """

    def __init__(
        self,
        engine: Engine,
        x: Array,
        numbers: Numbers,
        limits: Limits,
        minimum: PortableMinimum,
        pace: Pace,
        *,
        keep_traces: bool,
        ends: Ends | None = None,
        at_once: bool = False,
    ) -> None:
        self.engine, self.plan, self.numbers = engine, engine.plan, numbers
        self.limits, self.minimum, self.pace, self.keep_traces = limits, minimum, pace, keep_traces
        self.rows = rows = Rows.begin(engine.plan, x)
        rows.threshold[:] = rows.goal[:] = limits.thresholds
        rows.limit[:], rows.max_iterations[:] = limits.limits, limits.most
        rows.midway_at[:] = limits.limits // 2
        of_norm = engine.plan.has_norms
        rows.f_star[:] = 0.0 if of_norm else minimum.f_star
        rows.checked[:] = of_norm or minimum.off
        count = len(x)
        self.ends = Ends(engine.plan, count) if ends is None else ends
        self.places: Counts = np.arange(count)
        self.met = np.zeros(count, dtype=bool)
        self.below = np.zeros(count, dtype=bool)
        self.open = np.ones(count, dtype=bool)
        self.searches = keep_traces and "accepted" in engine.plan.update.outputs
        self._at_once = at_once or bool((limits.goals < limits.thresholds).any())
        self.k = 0

    def length(self) -> int:
        """Return how many iterations the next block may make."""
        if self.searches:
            return 1  # the evaluations until each iterate are read between two blocks
        count = len(self.places)
        length = min(self.pace.length(int(self.open.sum())), self.numbers.longest())
        if self.keep_traces:
            length = min(length, max(1, MOST_LOSSES // count))
        return max(1, min(length, int(self.rows.limit[self.open].max(initial=0)) + 1 - self.k))

    def block(self, length: int) -> Block:
        """Return the next block."""
        first, until = self.k, self.k + length - 1
        self.rows.constant_since[:] = self.numbers.constant_since(until)
        table = self.numbers.table(first + 1, until + 1)
        trace = np.empty((len(self.places), length)) if self.keep_traces else None
        norms = None if trace is None or not self.plan.has_norms else np.empty_like(trace)
        return Block(until, table, first + 1, trace, first, norms)

    def advance(self, block: Block) -> None:
        """Make a block, and record the rows that end in it."""
        made, began = int(self.rows.evaluations.sum()), time.perf_counter()
        while True:
            self.engine.advance(self.rows, block)
            if not self._look(block.until):
                break
        seconds = time.perf_counter() - began
        self.pace.note(block.until + 1 - self.k, int(self.rows.evaluations.sum()) - made, seconds)

    def finish(self, block: Block) -> None:
        """Stand before the next block."""
        self.k = block.until + 1

    def saved(self) -> dict[str, Any]:
        """Return what `restore` needs, between two blocks, with no row left out."""
        rows = np.frombuffer(save_rows(self.rows, self.plan), dtype=np.uint8)
        ends = {name: values for name, values in vars(self.ends).items() if self.met.any()}
        return {"rows": rows, "met": self.met, "below": self.below, "ends": ends}

    def restore(self, saved: Mapping[str, Any], k: int) -> None:
        """Go where rows of the same starts were saved; the limits stay as they are here.

        Args:
            saved: what `saved` returned.
            k: the iteration that comes next.

        Raises:
            BadInput: they are rows of another plan.
        """
        rows, own = load_rows(saved["rows"].tobytes(), self.plan), self.rows
        self.met, self.below = saved["met"], saved["below"]
        rows.limit[:] = np.where(self.met, own.max_iterations, own.limit)
        rows.max_iterations[:], rows.midway_at[:] = own.max_iterations, own.midway_at
        vars(self.ends).update(saved["ends"])
        self.rows, self.k = rows, k

    def compact(self) -> None:
        """Leave out the rows that ended, when they are half of all or more."""
        if np.count_nonzero(self.open) > len(self.open) // 2:
            return
        self.record()
        left = np.flatnonzero(self.open)
        self.rows, self.limits = self.rows.take(left), self.limits.part(left)
        self.places, self.met, self.below = self.places[left], self.met[left], self.below[left]
        self.open = self.open[left]
        self.numbers.select(left)

    def record(self) -> None:
        """Record all rows that ended."""
        if not self._at_once:
            self._record(np.flatnonzero(~self.open))

    def _look(self, until: int) -> bool:
        """Find the rows that ended; return whether others go on within the block."""
        rows = self.rows
        waits = np.flatnonzero(rows.code == _BELOW)
        if waits.size:
            self._judge(waits)
        if not self._at_once:
            self.open = rows.code == _RUNNING
            return bool(waits.size)
        ended = np.flatnonzero(self.open & (rows.code != _RUNNING))
        again = ended[self.met[ended]]
        self.ends.updates[self.places[again]] = rows.k[again]
        self.open[again] = False
        new = ended[~self.met[ended]]
        self._record(new)
        on = self._go_on(new)
        return bool(waits.size) or bool((rows.k[on] <= until).any())

    def _judge(self, waits: Counts) -> None:
        """Say of losses below f* whether they are so by more than rounding."""
        rows = self.rows
        x = rows.x[waits].reshape(-1, *self.plan.shape)
        losses = self._losses(x)
        self.below[waits] = self.minimum.below(losses, x)
        rows.checked[waits], rows.code[waits] = 1, _RUNNING

    def _losses(self, x: Array) -> Doubles:
        """Return the losses at some points, by one step of the engine from each."""
        rows = Rows.begin(self.plan, x)
        trace = np.empty((len(x), 1))
        zeros = np.zeros((1, 1, self.plan.coefficients), dtype=self.plan.dtype)
        self.engine.advance(rows, Block(0, zeros, 1, trace, 0))
        return trace[:, 0]

    def _record(self, ended: Counts) -> None:
        """Record rows when they end for the first time."""
        if not ended.size:
            return
        every = len(ended) == len(self.places)
        some: Counts | slice = slice(None) if every else ended
        rows, ends, below = self.rows, self.ends, self.below[some]
        whole = every and len(ends.codes) == len(ended)
        places: Counts | slice = slice(None) if whole else self.places[some]
        codes, loss = rows.code[some], rows.loss[some]
        found = np.where(codes == _LIMIT, self.limits.codes[some], _STATUSES[codes])
        if below.any():
            found[below & (codes == _CONVERGED)] = CODES[Status.BELOW_MINIMUM]
        ends.codes[places] = found
        ends.iterations[places] = ends.updates[places] = rows.k[some]
        ends.periods[places] = rows.period[some]
        ends.final_loss[places] = loss
        ends.final_norm[places] = rows.norm[some]
        ends.loss_before[places] = compared_before(rows, self.plan)[some]
        ends.loss_midway[places] = rows.midway[some]
        low, high = rows.lowest[some], rows.highest[some]
        ends.min_loss[places] = np.where(np.isnan(low), loss, low)
        ends.max_loss[places] = np.where(np.isnan(high), loss, high)
        x = rows.x[some]
        if np.isnan(x).any():
            x = np.where(np.isnan(x), x.dtype.type(np.nan), x)  # the one NaN
        ends.final[places] = x.reshape(-1, *self.plan.shape)

    def _go_on(self, ended: Counts) -> Counts:
        """End rows that were recorded; return those of them whose traces go on."""
        rows, goals = self.rows, self.limits.goals[ended]
        met = (rows.code[ended] == _CONVERGED) & ~self.below[ended]
        goes_on = met & (compared(rows, self.plan)[ended] - rows.f_star[ended] > goals)
        self.open[ended[~goes_on]] = False
        on: Counts = ended[goes_on]
        self.met[on] = True
        rows.threshold[on] = rows.goal[on] = goals[goes_on]
        rows.limit[on] = rows.max_iterations[on]
        rows.code[on] = _RUNNING
        return on


_ENDS = {
    Code.CONVERGED: Status.CONVERGED,
    Code.DIVERGED: Status.DIVERGED,
    Code.STALLED: Status.STALLED,
}
_STATUSES: npt.NDArray[np.int8] = np.array(
    [CODES[_ENDS[code]] if code in _ENDS else 0 for code in Code], dtype=np.int8
)
"""The code of the status of each code of an engine; 0 for those that are no end by themselves."""
