"""Many descents at once, on the engine that is asked for."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial

import torch

from gdexp.core import validation
from gdexp.descent.batch import (
    BatchOptions,
    BatchResult,
    BatchSaving,
    Given,
    given,
    torch_batch,
)
from gdexp.descent.cap import Cap
from gdexp.descent.chosen_engine import on_engine
from gdexp.descent.listener import listeners_of
from gdexp.descent.measure import as_gaps, with_measure
from gdexp.descent.monitor import Monitor
from gdexp.descent.portable import portable_batch
from gdexp.descent.starts import check_objects
from gdexp.descent.stopping import RELATIVE, Stopping
from gdexp.engine import Plans
from gdexp.optimizers import UpdateRule
from gdexp.problems import Problem


def descend_batch(
    problem: Problem,
    rules: UpdateRule | Sequence[UpdateRule] | None = None,
    stopping: Stopping | Sequence[Stopping] | None = None,
    *,
    x0: torch.Tensor | Sequence[torch.Tensor] | None = None,
    seeds: int | Sequence[int] = 0,
    dtype: torch.dtype | str = torch.float32,
    device: torch.device | str = "cpu",
    keep_traces: bool = True,
    block: int | None = None,
    chunk: int | None = None,
    cap: Cap | None = None,
    watch: Callable[[int, int], None] | None = None,
    monitors: Sequence[Monitor | None] | None = None,
    engine: str = "auto",
    plans: Plans | None = None,
    measure: str | None = None,
    saving: BatchSaving | None = None,
) -> BatchResult:
    """Minimise a problem B times at once; `result[i]` is what `descend` gives for row i.

    ::

        from gdexp import GradientDescent, Matrix, descend_batch

        rates = [0.5 + 0.01 * i for i in range(800)]
        batch = descend_batch(Matrix(), [GradientDescent(lr=lr) for lr in rates])
        print(batch, rates[batch.hitting_time.argmin()])

    What is given once holds for all rows; what is given as a sequence has one entry per row.
    A problem or rule that is not `batchable`, float16, bfloat16 and very long rows run one at a
    time on torch, with the same result; so do thresholds of the gradient norm where engine is
    torch. `BatchOptions` says more of the options.

    Args:
        problem: what is minimised.
        rules: how; of one class. Plain gradient descent with lr 1 by default.
        stopping: until when; `Stopping()` by default.
        x0: starts of shape (B, *shape), or one per row, or one for all; else the problem's own.
        seeds: draw the starts of a problem that has no x0 of its own; 0 … 2^63 − 1.
        dtype: float32 (default), float64, float16 or bfloat16.
        device: cpu (default), cuda or cuda:N.
        keep_traces: whether every loss is kept; without, `result[i]` is not available.
        block: iterations between two looks at the losses; chosen for speed by default.
        chunk: the most rows that run at once; by default as many as there is room for.
        cap: ends rows that cannot win, as if the rows ran one after the other.
        watch: called after every block with the iteration and the number of rows still going.
        monitors: one for each row, which hears the losses of the row as the monitor of `descend`
            does, and may end it; None where a row has none.
        engine: portable, torch or auto, as for `descend`.
        plans: as for `descend`.
        measure: as for `descend`; all rows have one.
        saving: of a sweep, which saves its rows; None: they are not saved.

    Raises:
        BadInput: a value that cannot be used, or a problem that the engine cannot compute.
        GdexpError: a single row is too much for the device's memory.
    """
    single = (None if isinstance(each, Sequence) else each for each in (rules, stopping))
    check_objects(problem, *single)  # those of a list are checked with the rows
    dtype, device = validation.dtype(dtype), validation.device(device)
    if measure is not None:
        if stopping is None or isinstance(stopping, Stopping):
            stopping = with_measure(stopping, measure)
        else:
            stopping = [with_measure(each, measure) for each in stopping]
    rows_of = partial(given, rules=rules, stopping=stopping, x0=x0, seeds=seeds, dtype=dtype)
    batch = rows_of(problem)
    if any(each.measure == RELATIVE for each in batch.own_stoppings[0]):
        stopping = [
            as_gaps(each, problem, start, dtype, device)
            for each, start in zip(batch.stoppings, batch.initial, strict=True)
        ]
        rows_of = partial(rows_of, stopping=stopping)
        batch = rows_of(problem)
    own = batch.own_stoppings[0]
    listeners = listeners_of(batch.stoppings, own, monitors)
    if any(each.max_seconds is not None for each in own):
        chunk = 1  # each row has its time for itself
    options = BatchOptions(keep_traces, block, chunk, cap, watch, listeners, saving)
    by_portable = partial(_by_portable, problem, batch, rows_of, device, options, plans)
    by_torch = partial(torch_batch, problem, batch, device, options)
    return on_engine(engine, batch.initial[0], device, by_portable, by_torch)


def _by_portable(
    problem: Problem,
    batch: Given,
    rows_of: Callable[[Problem], Given],
    device: torch.device,
    options: BatchOptions,
    plans: Plans | None,
) -> BatchResult:
    """Return the result on the portable engine, of the problem's portable form and its starts."""
    form = problem.portable_form()
    own = batch if form is problem else rows_of(form)
    return portable_batch(form, own, device, options, plans)
