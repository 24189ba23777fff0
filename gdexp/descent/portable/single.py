"""One descent on the portable engine."""

from __future__ import annotations

from array import array
from collections.abc import Callable
from typing import NamedTuple

import numpy as np

from gdexp.descent.batch import STATUSES, Hyperparameters, Limits
from gdexp.descent.listener import Listener
from gdexp.descent.portable.checks import Checks
from gdexp.descent.portable.choice import Engine
from gdexp.descent.portable.descents import Descents
from gdexp.descent.portable.listening import Listening
from gdexp.descent.portable.minimum import PortableMinimum
from gdexp.descent.portable.numbers import Numbers
from gdexp.descent.portable.pace import Pace
from gdexp.descent.saving import Saving
from gdexp.descent.stopping import Status, Stopping
from gdexp.descent.trials import beyond_one_each
from gdexp.engine import Array, Block, Counts
from gdexp.optimizers import UpdateRule

NOWHERE = -1


class Descended(NamedTuple):
    """What became of a descent: its losses, status, last x and the period of a stall.

    Where the rule searches, `evaluations` holds those until each iterate; `norms` holds the
    gradient norms where thresholds are of them.
    """

    trace: array[float]
    status: Status
    final: Array
    period: int | None
    evaluations: Counts | None
    norms: array[float]


def descend_alone(
    engine: Engine,
    rule: UpdateRule,
    stopping: Stopping,
    x: Array,
    minimum: PortableMinimum,
    pace: Pace,
    *,
    watch: Callable[[int, array[float]], int] | None = None,
    listener: Listener | None = None,
    checks: Checks | None = None,
    saving: Saving | None = None,
) -> Descended:
    """Descend from x to the end.

    Args:
        engine: computes the iterations.
        rule: the update rule.
        stopping: the stopping rule.
        x: the start, in the plan's dtype.
        minimum: of the problem.
        pace: how long a block is.
        watch: see `gdexp.descent.descend`.
        listener: may end the descent.
        checks: compare the plan with torch on the way.
        saving: saves the descent, and knows where it goes on; None: it is not saved.

    Raises:
        Disagreement: by the checks.
    """
    descents = _one_row(engine, rule, stopping, x, minimum, pace, at_once=listener is not None)
    advance = descents.advance
    if listener is not None:
        advance = Listening([listener], descents).advance
    trace, counts, norms = array("d"), array("q"), array("d")
    call_at = NOWHERE if watch is None else 0
    if saving is not None and _resumed(descents, trace, counts, norms, listener, checks, saving):
        call_at = NOWHERE if watch is None else watch(descents.k - 1, trace)
    while descents.open[0]:
        length = descents.length()
        if call_at >= descents.k:
            length = min(length, call_at + 1 - descents.k)
        if checks is not None:
            length = checks.length(length, descents.k)
        block = descents.block(length)
        advance(block)
        _keep(descents, block, trace, counts, norms)
        descents.finish(block)
        if watch is not None and len(trace) == call_at + 1:
            call_at = watch(call_at, trace)
        if checks is not None:
            checks.look(descents)
        if saving is not None and descents.open[0] and saving.is_due():
            _save(descents, trace, counts, norms, listener, saving)
    ends = descents.ends
    final = ends.final.reshape(x.shape)
    status, period = STATUSES[ends.codes[0]], int(ends.periods[0]) or None
    return Descended(trace, status, final, period, beyond_one_each(counts), norms)


def _one_row(
    engine: Engine,
    rule: UpdateRule,
    stopping: Stopping,
    x: Array,
    minimum: PortableMinimum,
    pace: Pace,
    at_once: bool,
) -> Descents:
    """Return the descent as a batch of one row, which keeps its trace."""
    one = np.zeros(1, dtype=np.int64)
    numbers = Numbers(Hyperparameters([rule], one), engine.plan.dtype)
    limits = Limits.of([stopping], one)
    return Descents(
        engine, x[None], numbers, limits, minimum, pace, keep_traces=True, at_once=at_once
    )


def _keep(
    descents: Descents,
    block: Block,
    trace: array[float],
    counts: array[int],
    norms: array[float],
) -> None:
    """Add what a block made, up to the end of the descent, to the traces."""
    losses = block.trace
    assert losses is not None
    descents.record()
    made = slice(None if descents.open[0] else int(descents.ends.updates[0]) + 1 - descents.k)
    trace.frombytes(losses[:, made].tobytes())
    if block.norms is not None:
        norms.frombytes(block.norms[:, made].tobytes())
    if descents.searches:
        counts.append(int(descents.rows.evaluations[0]))


def _save(
    descents: Descents,
    trace: array[float],
    counts: array[int],
    norms: array[float],
    listener: Listener | None,
    saving: Saving,
) -> None:
    saved = {**descents.saved(), "counts": np.array(counts)}
    met_at = int(descents.ends.iterations[0]) if descents.met[0] else None
    if norms:
        saved["norms"] = np.array(norms)
    saving.save("portable", descents.k, trace, listener, saved, met_at)


def _resumed(
    descents: Descents,
    trace: array[float],
    counts: array[int],
    norms: array[float],
    listener: Listener | None,
    checks: Checks | None,
    saving: Saving,
) -> bool:
    """Go where the descent was saved; return whether it was."""
    saved = saving.resume(trace, listener)
    if saved is None:
        return False
    descents.restore(saved, len(trace))
    counts.extend(saved["counts"].tolist())
    if "norms" in saved:
        norms.extend(saved["norms"].tolist())
    if checks is not None:
        checks.go_on(descents.k)
    return True
