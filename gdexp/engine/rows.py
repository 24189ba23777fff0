"""The descents of a batch between two blocks of iterations, as plain arrays."""

from __future__ import annotations

import math
from dataclasses import dataclass, fields
from enum import IntEnum

import numpy as np
import numpy.typing as npt

from gdexp.engine.operations import Kind
from gdexp.engine.plan import Plan
from gdexp.engine.program import DTYPES, Array

Doubles = npt.NDArray[np.float64]
Counts = npt.NDArray[np.int64]

NEVER = 2**62
"""An iteration that no descent makes."""


class Code(IntEnum):
    """Where a descent stands."""

    RUNNING = 0
    CONVERGED = 1
    DIVERGED = 2
    STALLED = 3
    LIMIT = 4
    BELOW = 5
    """It would converge with a loss below `f_star`; it waits until `checked` is set."""


@dataclass
class Rows:
    """R descents of one plan; every array has one entry for each.

    A row stands before the evaluation of x at iteration k. One step of a row is:

    1. `loss`, `gradient` = evaluate(x); NaN in the loss becomes the canonical NaN.
    2. `next x`, `next state` = first (while k is 0) or update, with the coefficients of k + 1.
       Where `accepted` is false: x and state are replaced, and 1 follows.
    3. The loss is recorded: in the trace at column k - trace_first, in `loss`, in `lowest` where
       it is finite, in `highest` where it is not NaN (the first of equal losses stays). What is
       compared with thresholds, the loss or else the gradient norm, is in `midway` at
       k = `midway_at`; norms are recorded in their own trace, and in `norm`.
    4. A loss that is not finite: the row ends as DIVERGED.
    5. `loss - f_star <= threshold` in double precision: if `hit_k` is -1 and `loss < f_star` and
       `checked` is 0, the row waits as BELOW, and x, k and all records but the trace are left as
       before 1. Else, if `hit_k` is -1, it becomes k, `before` becomes the loss at k - 1, and x
       is copied to `hit_x` where the row goes on. `loss - f_star <= goal`: the row ends as
       CONVERGED. Else it goes on with threshold = goal and limit = max_iterations. With norms
       the norm takes the place of the loss here, `f_star` is 0 and `checked` is 1.
    6. From k = `constant_since` on: if the loss, x and state have the same bits as one iteration
       ago, the row ends as STALLED with period 1; as at the anchor, with period k - anchor_k.
       Else, where k is 0 or a power of two, the anchor becomes this iteration.
    7. `k >= limit`: the row ends as LIMIT.
    8. x and state are replaced by the next ones, k by k + 1.

    A row that ends keeps the x, state and k of its last iteration; one with hit_k >= 0 has then
    converged, whatever its code says of the continuation.
    A row that goes on stops before the evaluation of k = until + 1. A row that waits as BELOW
    becomes RUNNING where `checked` is set. In 6 the state at k = 0 is what the array holds.

    Attributes:
        x: shape (R, n), in the plan's dtype.
        state: (R, s), the rule's states one after the other; while k is 0 all bits are set, which
            those of no result are, so that iteration 0 equals no later one.
        last: (R, n + s), x and state one iteration ago.
        anchor: (R, n + s), x and state at iteration `anchor_k`.
        hit_x: (R, n), x at iteration `hit_k`.
        k: the iteration of x.
        code: a `Code`.
        period: of a stall.
        loss: the last one that was recorded.
        last_loss, anchor_loss: at iteration k - 1 and at the anchor; NaN at first.
        lowest, highest, midway, before: see above; NaN at first.
        threshold, goal, f_star: of the stopping rule; goal <= threshold.
        limit: the most updates until the threshold; cap included.
        max_iterations: the most updates in all.
        midway_at: the iteration of `midway`.
        constant_since: the first iteration from which the coefficients are constant.
        checked: 1 where a loss below f_star counts as rounding.
        evaluations: of the loss, since the start.
        norm: the last gradient norm that was recorded; NaN without norms.
        last_norm: that of iteration k - 1.
    """

    x: Array
    state: Array
    last: Array
    anchor: Array
    hit_x: Array
    k: Counts
    anchor_k: Counts
    hit_k: Counts
    code: npt.NDArray[np.int32]
    checked: npt.NDArray[np.int32]
    period: Counts
    evaluations: Counts
    loss: Doubles
    last_loss: Doubles
    anchor_loss: Doubles
    lowest: Doubles
    highest: Doubles
    midway: Doubles
    before: Doubles
    threshold: Doubles
    goal: Doubles
    f_star: Doubles
    limit: Counts
    max_iterations: Counts
    midway_at: Counts
    constant_since: Counts
    norm: Doubles
    last_norm: Doubles

    @classmethod
    def begin(cls, plan: Plan, x: Array) -> Rows:
        """Return rows at iteration 0 that never end but by divergence or a stall.

        Args:
            plan: of the descents.
            x: the starts, of shape (R, *shape); they are copied.
        """
        dtype = DTYPES[plan.dtype][Kind.FLOAT]
        count, n = len(x), math.prod(plan.shape)
        s = sum(math.prod(shape) for shape in plan.state_shapes)

        def numbers(width: int) -> Array:
            return np.zeros((count, width), dtype)

        def doubles(value: float) -> Doubles:
            return np.full(count, value)

        def counts(value: int) -> Counts:
            return np.full(count, value, dtype=np.int64)

        def flags() -> npt.NDArray[np.int32]:
            return np.zeros(count, dtype=np.int32)

        nan, infinite = math.nan, math.inf
        return cls(
            x=np.array(x, dtype=dtype, order="C").reshape(count, n),
            state=np.full(count * s * dtype.itemsize, 255, np.uint8).view(dtype).reshape(count, s),
            last=numbers(n + s),
            anchor=numbers(n + s),
            hit_x=numbers(n),
            k=counts(0),
            anchor_k=counts(0),
            hit_k=counts(-1),
            code=flags(),
            checked=flags(),
            period=counts(0),
            evaluations=counts(0),
            loss=doubles(nan),
            last_loss=doubles(nan),
            anchor_loss=doubles(nan),
            lowest=doubles(nan),
            highest=doubles(nan),
            midway=doubles(nan),
            before=doubles(nan),
            threshold=doubles(-infinite),
            goal=doubles(-infinite),
            f_star=doubles(0.0),
            limit=counts(NEVER),
            max_iterations=counts(NEVER),
            midway_at=counts(-1),
            constant_since=counts(0),
            norm=doubles(nan),
            last_norm=doubles(nan),
        )

    def take(self, places: Counts) -> Rows:
        """Return a copy of some rows."""
        return Rows(*(getattr(self, field.name)[places] for field in fields(self)))

    def put(self, places: Counts, rows: Rows) -> None:
        """Replace some rows."""
        for field in fields(self):
            getattr(self, field.name)[places] = getattr(rows, field.name)


@dataclass(frozen=True)
class Block:
    """Some iterations of all rows.

    Attributes:
        until: the last iteration that is evaluated.
        coefficients: in the plan's dtype; shape (R or 1, T or 1, c): for each row, or one for
            all; the coefficients of the updates `first`, `first + 1`, …, or one for all.
        first: the update, counted from 1, that the first of them belongs to.
        trace: shape (R, columns), filled from column k - trace_first; None: no losses are kept.
        trace_first: the iteration of the first column.
        norms: the trace of gradient norms, with the columns of `trace`; None: none are kept.
    """

    until: int
    coefficients: Array
    first: int = 1
    trace: Doubles | None = None
    trace_first: int = 0
    norms: Doubles | None = None


def compared(rows: Rows, plan: Plan) -> Doubles:
    """Return what was last compared with the thresholds: the losses, or the gradient norms."""
    return rows.norm if plan.has_norms else rows.loss


def compared_before(rows: Rows, plan: Plan) -> Doubles:
    """Return the same of the iteration before."""
    return rows.last_norm if plan.has_norms else rows.last_loss
