"""The loop of the portable engine: the descents of one plan, from their starts to their ends."""

from __future__ import annotations

import time
from typing import Protocol

import numpy as np
import numpy.typing as npt

from gdexp.descent.batch.limits import Limits
from gdexp.descent.batch.outcome import CODES
from gdexp.descent.portable.minimum import PortableMinimum
from gdexp.descent.portable.numbers import Numbers
from gdexp.descent.portable.pace import Pace
from gdexp.descent.stopping import Status
from gdexp.engine import Array, Block, Code, Counts, Doubles, Plan, Rows

MOST_LOSSES = 1 << 20
"""Of a block's traces."""


class Engine(Protocol):
    """What computes blocks of iterations: `NativeEngine` or `InterpretedEngine`."""

    plan: Plan

    def advance(self, rows: Rows, block: Block) -> None:
        """Make a block of iterations."""


class Ends:
    """How rows ended; every array has one entry for each."""

    def __init__(self, plan: Plan, rows: int) -> None:
        self.codes = np.zeros(rows, dtype=np.int8)
        self.iterations = np.zeros(rows, dtype=np.int64)
        self.updates = np.zeros(rows, dtype=np.int64)
        self.periods = np.zeros(rows, dtype=np.int64)
        self.final_loss = np.full(rows, np.nan)
        self.loss_before = np.full(rows, np.nan)
        self.loss_midway = np.full(rows, np.nan)
        self.min_loss = np.full(rows, np.nan)
        self.max_loss = np.full(rows, np.nan)
        self.final = np.empty((rows, *plan.shape), dtype=plan.dtype)

    def put(self, places: Counts | slice, part: Ends) -> None:
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

    Attributes:
        k: the first iteration that is not evaluated yet.
        places: the position of each row in `ends`; rows that ended may be left out.
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
    ) -> None:
        self.engine, self.plan, self.numbers = engine, engine.plan, numbers
        self.limits, self.minimum, self.pace, self.keep_traces = limits, minimum, pace, keep_traces
        self.rows = rows = Rows.begin(engine.plan, x)
        rows.threshold[:] = rows.goal[:] = limits.thresholds
        rows.limit[:], rows.max_iterations[:] = limits.limits, limits.most
        rows.midway_at[:] = limits.limits // 2
        rows.f_star[:], rows.checked[:] = minimum.f_star, minimum.off
        count = len(x)
        self.ends = Ends(engine.plan, count)
        self.places: Counts = np.arange(count)
        self.met = np.zeros(count, dtype=bool)
        self.below = np.zeros(count, dtype=bool)
        self.open = np.ones(count, dtype=bool)
        self.k = 0

    def length(self) -> int:
        """Return how many iterations the next block may make."""
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
        return Block(until, table, first + 1, trace, first)

    def advance(self, block: Block) -> None:
        """Make a block, and record the rows that end in it."""
        made, began = int(self.rows.evaluations.sum()), time.perf_counter()
        while True:
            self.engine.advance(self.rows, block)
            if not self._look(block.until):
                break
        seconds = time.perf_counter() - began
        self.pace.note(
            block.until + 1 - self.k, int(self.rows.evaluations.sum()) - made, seconds
        )

    def finish(self, block: Block) -> None:
        """Stand before the next block."""
        self.k = block.until + 1

    def compact(self) -> None:
        """Leave out the rows that ended, when they are half of all or more."""
        if self.open.sum() > len(self.open) // 2:
            return
        left = np.flatnonzero(self.open)
        self.rows, self.limits = self.rows.take(left), self.limits.part(left)
        self.places, self.met, self.below = self.places[left], self.met[left], self.below[left]
        self.open = self.open[left]
        self.numbers.select(left)

    def _look(self, until: int) -> bool:
        """Record the rows that ended; return whether others go on within the block."""
        rows = self.rows
        stopped = np.flatnonzero(self.open & (rows.code != Code.RUNNING))
        if not stopped.size:
            return False
        codes = rows.code[stopped]
        waits, ended = stopped[codes == Code.BELOW], stopped[codes != Code.BELOW]
        if waits.size:
            self._judge(waits)
        again = ended[self.met[ended]]
        self.ends.updates[self.places[again]] = rows.k[again]
        self.open[again] = False
        new = ended[~self.met[ended]]
        on = self._record(new)
        return bool(waits.size) or bool((rows.k[on] <= until).any())

    def _judge(self, waits: Counts) -> None:
        """Say of losses below f* whether they are so by more than rounding."""
        rows = self.rows
        x = rows.x[waits].reshape(-1, *self.plan.shape)
        losses = self._losses(x)
        self.below[waits] = self.minimum.below(losses, x)
        rows.checked[waits], rows.code[waits] = 1, Code.RUNNING

    def _losses(self, x: Array) -> Doubles:
        """Return the losses at some points, by one step of the engine from each."""
        rows = Rows.begin(self.plan, x)
        trace = np.empty((len(x), 1))
        zeros = np.zeros((1, 1, self.plan.coefficients), dtype=self.plan.dtype)
        self.engine.advance(rows, Block(0, zeros, 1, trace, 0))
        return trace[:, 0]

    def _record(self, ended: Counts) -> Counts:
        """Record rows when they end for the first time; return those whose traces go on."""
        rows, ends, places = self.rows, self.ends, self.places[ended]
        codes, loss = rows.code[ended], rows.loss[ended]
        met = (codes == Code.CONVERGED) & ~self.below[ended]
        found = _STATUSES[codes]
        limited = codes == Code.LIMIT
        found[limited] = self.limits.codes[ended[limited]]
        found[self.below[ended] & (codes == Code.CONVERGED)] = CODES[Status.BELOW_MINIMUM]
        ends.codes[places] = found
        ends.iterations[places] = ends.updates[places] = rows.k[ended]
        ends.periods[places] = np.where(codes == Code.STALLED, rows.period[ended], 0)
        ends.final_loss[places] = loss
        ends.loss_before[places] = rows.last_loss[ended]
        ends.loss_midway[places] = rows.midway[ended]
        low, high = rows.lowest[ended], rows.highest[ended]
        ends.min_loss[places] = np.where(np.isnan(low), loss, low)
        ends.max_loss[places] = np.where(np.isnan(high), loss, high)
        x = rows.x[ended]
        x[np.isnan(x)] = np.nan  # the one NaN, whatever the processor made
        ends.final[places] = x.reshape(-1, *self.plan.shape)
        goals = self.limits.goals[ended]
        goes_on = met & (loss - rows.f_star[ended] > goals)
        self.open[ended[~goes_on]] = False
        on = ended[goes_on]
        self.met[on] = True
        rows.threshold[on] = rows.goal[on] = goals[goes_on]
        rows.limit[on] = rows.max_iterations[on]
        rows.code[on] = Code.RUNNING
        return on


_STATUSES: npt.NDArray[np.int8] = np.zeros(len(Code), dtype=np.int8)
for _code, _status in {
    Code.CONVERGED: Status.CONVERGED,
    Code.DIVERGED: Status.DIVERGED,
    Code.STALLED: Status.STALLED,
}.items():
    _STATUSES[_code] = CODES[_status]
