"""The loop of one descent, from its start until its stopping rule ends it.

A descent stalls when its state repeats: the point and the rule's state have the same bits as one
iteration ago (a fixed point), or as at the last power of two (a cycle; R. P. Brent, An improved
Monte Carlo factorization algorithm, BIT 20, 1980). Equal states have equal losses, so tensors are
compared only when two losses are equal. They are compared only once the rule's coefficients are
constant: before that, equal states can have different successors.
"""

from __future__ import annotations

import math
import time
from array import array
from collections.abc import Callable
from typing import NamedTuple

import numpy as np
import torch

from gdexp.descent.autograd import gradient_like
from gdexp.descent.device import exact_arithmetic, out_of_memory
from gdexp.descent.listener import EarlyEnd, Listener
from gdexp.descent.minimum import Minimum
from gdexp.descent.result import Result
from gdexp.descent.saving import Saving
from gdexp.descent.stopping import Status, Stopping
from gdexp.descent.trials import Trials, beyond_one_each
from gdexp.engine import gradient_norm
from gdexp.optimizers import SearchingRule, State, StatefulStep, UpdateRule
from gdexp.problems import Problem, first_loss, loss_at

Watch = Callable[[int, "array[float]"], int]
"""A callback: it takes the iteration and the trace so far, and returns its next iteration."""


class _End(NamedTuple):
    """How a descent ended: its status, the last x and the period of a stall."""

    status: Status
    x: torch.Tensor
    period: int | None = None


class _Point(NamedTuple):
    """Where a descent was at an iteration: x, the rule's state, the loss there."""

    x: torch.Tensor
    state: State
    value: float
    iteration: int


def torch_descent(
    problem: Problem,
    rule: UpdateRule,
    stopping: Stopping,
    start: torch.Tensor,
    dtype: torch.dtype,
    device: torch.device,
    watch: Watch | None = None,
    listener: Listener | None = None,
    saving: Saving | None = None,
) -> Result:
    """Return the result of a descent that torch's own kernels compute.

    Args:
        problem: the problem.
        rule: the update rule.
        stopping: the stopping rule, as `stopping_for` returns it.
        start: a checked start.
        dtype: of the descent.
        device: of the descent.
        watch: as in `descend`.
        listener: may end the descent.
        saving: saves it, and knows where it goes on; None: it is not saved.

    Raises:
        GdexpError: the device has too little memory.
    """
    try:
        initial = start.to(device=device, dtype=dtype)
        converted, minimum = problem.to(dtype, device), Minimum(problem, device)
        began = time.perf_counter()
        with torch.enable_grad(), exact_arithmetic(device):
            trace, end, counts, norms = _loop(
                converted, minimum, rule, stopping, initial, watch, listener, saving
            )
    except torch.OutOfMemoryError:
        raise out_of_memory(device, start.numel()) from None
    seconds = time.perf_counter() - began + (0.0 if saving is None else saving.seconds)
    return Result(
        status=end.status,
        trace=np.frombuffer(trace, dtype=np.float64),
        initial=initial.detach().cpu(),
        final=end.x.detach().cpu(),
        rule=rule,
        stopping=stopping,
        f_star=problem.reference,
        problem=problem.name,
        period=end.period,
        seconds=seconds,
        evaluations=beyond_one_each(counts),
        gradient_norms=np.frombuffer(norms, dtype=np.float64) if stopping.of_norm else None,
    )


def _loop(
    problem: Problem,
    minimum: Minimum,
    rule: UpdateRule,
    stopping: Stopping,
    x: torch.Tensor,
    watch: Watch | None,
    listener: Listener | None,
    saving: Saving | None,
) -> tuple[array[float], _End, array[int], array[float]]:
    """Descend; return the trace and how it ended.

    The evaluations until each iterate follow, if counted, and the gradient norms, if thresholds
    are of them.

    With `continue_to` the loop goes on after the descent converged, until it ends for any reason.
    Then only the trace grows, and the listener hears nothing more.
    """
    trace, norms = array("d"), array("d")
    record, finite = trace.append, math.isfinite
    threshold, limit, of_norm = stopping.threshold, stopping.limit, stopping.of_norm
    f_star = 0.0 if of_norm else problem.reference
    step, coefficients, constant = rule.stepper(problem), rule.coefficients(1), rule.constant
    end: _End | None = None
    state: State = ()
    last_x, last_state, last_value = x, state, math.nan
    anchor_x, anchor_state, anchor_value, anchor_k = x, state, math.nan, 0
    call_at = -1 if watch is None else 0
    said: EarlyEnd | None = None
    if listener is not None:
        listener.begin()

    k = 0
    saved = None if saving is None else saving.resume(trace, listener)
    if saved is None:
        loss = first_loss(problem, x.requires_grad_())
    else:
        k = len(trace)
        x, state = saved["x"].requires_grad_(), saved["state"]
        last_x, last_state, last_value, _ = saved["last"]
        anchor_x, anchor_state, anchor_value, anchor_k = saved["anchor"]
        coefficients, constant = rule.coefficients(k), rule.constant_from(k)
        if isinstance(step, StatefulStep):
            step.load_state_dict(x, saved["optimizer"])
        if saved["end"] is not None:
            end = _End(Status(saved["end"][0]), saved["end"][1])
            threshold, limit, listener = stopping.goal, stopping.max_iterations, None
        if watch is not None:
            call_at = watch(k - 1, trace)
        loss = loss_at(problem, x, k)
    gradient = gradient_like(loss)
    trials = Trials(problem, rule, gradient) if isinstance(rule, SearchingRule) else None
    counts = array("q") if trials is None else trials.counts
    if saved is not None:
        counts.extend(saved["counts"].tolist())
        norms.extend(saved["norms"].tolist() if of_norm else ())
    slope: torch.Tensor | None = None
    while True:
        if trials is not None:
            x, loss, state, following = trials.iterate(x, loss, state, k)
        elif isinstance(step, StatefulStep):
            counts.append(k + 1 + step.evaluations)
        compared = value = loss.item()
        record(value)
        if of_norm:
            slope = gradient(loss, x) if trials is None else trials.last_gradient
            compared = gradient_norm(slope)
            norms.append(compared)
        if k == call_at and watch is not None:
            call_at = watch(k, trace)
        if listener is not None:
            said = listener.hear(k, (value,))
        if not finite(value):
            return trace, end or _End(Status.DIVERGED, x), counts, norms
        if compared - f_star <= threshold:
            if end is None and not of_norm and not minimum.is_above(value, x):
                return trace, _End(Status.BELOW_MINIMUM, x), counts, norms
            end = end or _End(Status.CONVERGED, x)
            if compared - f_star <= stopping.goal:
                return trace, end, counts, norms
            threshold, limit, listener, said = stopping.goal, stopping.max_iterations, None, None
        if constant:
            if value == last_value and _same(x, state, last_x, last_state):
                return trace, end or _End(Status.STALLED, x, 1), counts, norms
            if value == anchor_value and _same(x, state, anchor_x, anchor_state):
                return trace, end or _End(Status.STALLED, x, k - anchor_k), counts, norms
            if k & (k - 1) == 0:
                anchor_x, anchor_state, anchor_value, anchor_k = x, state, value, k
        if k >= limit:
            return trace, end or _End(stopping.limit_status, x), counts, norms
        if said is not None:
            return trace, _End(said.status, x), counts, norms
        if listener is not None and listener.is_late():
            return trace, _End(Status.OUT_OF_TIME, x), counts, norms
        last_x, last_state, last_value = x, state, value
        k += 1
        if not constant:
            coefficients, constant = rule.coefficients(k), rule.constant_from(k)
        if trials is None:
            slope = slope if of_norm else gradient(loss, x)
            following = step(x.detach(), slope, state, *coefficients)
        x, state = following
        if saving is not None and saving.is_due():
            saved = {
                "x": x,
                "state": state,
                "last": _Point(last_x.detach(), last_state, last_value, k - 1),
                "anchor": _Point(anchor_x.detach(), anchor_state, anchor_value, anchor_k),
                "optimizer": step.state_dict() if isinstance(step, StatefulStep) else None,
                "counts": np.array(counts, dtype=np.int64),
                **({"norms": np.array(norms)} if of_norm else {}),
                "end": end,
            }
            saving.save("torch", k, trace, listener, saved, end is not None)
        x = x.requires_grad_()
        loss = loss_at(problem, x, k)


def _same(x: torch.Tensor, state: State, other_x: torch.Tensor, other_state: State) -> bool:
    """Return whether two points and their states are equal bit for bit."""
    return (
        len(state) == len(other_state)
        and _bits_equal(x, other_x)
        and all(_bits_equal(a, b) for a, b in zip(state, other_state, strict=True))
    )


_INTEGERS = {2: torch.int16, 4: torch.int32, 8: torch.int64}


def _bits_equal(a: torch.Tensor, b: torch.Tensor) -> bool:
    integers = _INTEGERS[a.element_size()]
    return torch.equal(a.detach().view(integers), b.detach().view(integers))
