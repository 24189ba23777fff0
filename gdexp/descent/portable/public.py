"""`descend` and `descend_batch` on the portable engine; torch's where they cannot be."""

from __future__ import annotations

import time
from contextlib import ExitStack
from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np
import torch

from gdexp.descent.batch import BatchResult, divided, finished
from gdexp.descent.portable.engine import Setup, set_up
from gdexp.descent.portable.many import Kind, Many
from gdexp.descent.portable.single import descend_alone
from gdexp.descent.portable.stored import as_data
from gdexp.descent.result import Result
from gdexp.descent.stopping import Stopping
from gdexp.engine import NotPortable, Plans
from gdexp.optimizers import UpdateRule
from gdexp.problems import Problem

if TYPE_CHECKING:
    from gdexp.descent.batch import BatchOptions, Given
    from gdexp.descent.listener import Listener
    from gdexp.descent.loop import Watch
    from gdexp.descent.saving import Saving


def portable_result(
    problem: Problem,
    rule: UpdateRule,
    stopping: Stopping,
    initial: torch.Tensor,
    device: torch.device,
    watch: Watch | None,
    listener: Listener | None,
    plans: Plans | None,
    saving: Saving | None = None,
) -> Result:
    """Return a descent's result; see `descend`.

    Args:
        problem: the problem.
        rule: the update rule.
        stopping: the stopping rule.
        initial: the start, on the CPU and in the dtype of the descent.
        device: that it is computed on.
        watch: the callback.
        listener: may end the descent.
        plans: where plans are kept; None: with the problem.
        saving: saves it, and knows where it goes on; None: it is not saved.

    Raises:
        NotPortable: there is no plan, or it disagreed with torch on the way.
    """
    norms = stopping.of_norm
    setup = set_up(problem, rule, initial.dtype, device, initial, plans, norms=norms)
    began = time.perf_counter()
    with FirstDescent(setup, stopping):
        done = descend_alone(
            setup.engine,
            rule,
            stopping,
            initial.numpy(),
            setup.minimum,
            setup.pace,
            watch=watch,
            listener=listener,
            checks=setup.checks,
            saving=saving,
        )
    seconds = time.perf_counter() - began + (0.0 if saving is None else saving.seconds)
    return Result(
        status=done.status,
        trace=np.frombuffer(done.trace, dtype=np.float64),
        initial=initial,
        final=torch.from_numpy(done.final),
        rule=rule,
        stopping=stopping,
        f_star=problem.reference,
        problem=problem.name,
        period=done.period,
        seconds=seconds,
        engine="portable",
        program=as_data(setup.found.prepared, rule),
        evaluations=done.evaluations,
        gradient_norms=np.frombuffer(done.norms, dtype=np.float64) if norms else None,
    )


def portable_batch(
    problem: Problem,
    batch: Given,
    device: torch.device,
    options: BatchOptions,
    plans: Plans | None,
) -> BatchResult:
    """Return the result of a batch; see `descend_batch`.

    Raises:
        NotPortable: there is no plan for one of the rows, or it disagreed with torch on the way.
            The batch and the cap are then as before.
    """
    began = time.perf_counter()
    batch = batch._replace(stoppings=list(batch.stoppings))
    cap = options.cap
    earlier = None if cap is None else cap.copy()
    parts = list(divided(*batch.own_rules, in_order=cap is not None))
    dtype, block, norms = batch.initial.dtype, options.block, batch.stoppings[0].of_norm
    setups = [
        set_up(problem, rules.rules[0], dtype, device, start, plans, block, norms)
        for rows, rules in parts
        for start in [batch.initial[int(rows[0])]]
    ]
    many, before = Many(batch, options), 0.0
    try:
        with ExitStack() as stack:
            if many.saving is not None:
                before = many.saving.begin(batch.initial)
                stack.enter_context(many.saving.shielded())
            for (rows, rules), setup in zip(parts, setups, strict=True):
                with FirstDescent(setup, batch.stoppings[int(rows[0])]):
                    many.run(
                        Kind(rows, rules, setup.engine, setup.minimum, setup.pace, setup.checks)
                    )
    except NotPortable:
        if cap is not None and earlier is not None:
            cap.restore(earlier)
        raise
    assert many.ends is not None
    traces = many.traces() if options.keep_traces else None
    seconds = before + time.perf_counter() - began
    result = finished(problem, batch, many.ends, traces, seconds, engine="portable")
    programs = [
        (rows, as_data(setup.found.prepared, rules.rules[0]))
        for (rows, rules), setup in zip(parts, setups, strict=True)
    ]
    return replace(
        result,
        programs=programs,
        evaluations=many.evaluations(),
        gradient_norms=many.gradient_norms(),
    )


class FirstDescent:
    """Keeps what the first descent of a plan shows: that it agrees with torch, or that it does not.

    A rehearsal, which makes one iteration, shows too little for the first.

    Args:
        setup: of the descent.
        stopping: of the descent that is compared.
    """

    def __init__(self, setup: Setup, stopping: Stopping) -> None:
        self._setup, self._rehearsal = setup, stopping.limit <= 1

    def __enter__(self) -> None:
        return None

    def __exit__(self, kind: type[BaseException] | None, error: object, trace: object) -> None:
        found = self._setup.found
        if self._setup.checks is None:
            return
        if isinstance(error, NotPortable):
            found.plans.refuse(found.key, error)
        elif error is None and not self._rehearsal:
            found.prepared.checked = True
