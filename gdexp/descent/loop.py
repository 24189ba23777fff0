"""The loop of one descent, from its start until its stopping rule ends it."""

from __future__ import annotations

import math
import time
from array import array
from collections.abc import Callable
from dataclasses import replace
from typing import NamedTuple

import numpy as np
import torch

from gdexp.core import BadInput, validation
from gdexp.descent.autograd import gradient_like
from gdexp.descent.device import exact_arithmetic, out_of_memory
from gdexp.descent.minimum import Minimum
from gdexp.descent.portable.choice import check_engine, needs_portable, refusal
from gdexp.descent.result import Result
from gdexp.descent.stopping import Status, Stopping
from gdexp.engine import NotPortable, Plans
from gdexp.optimizers import GradientDescent, State, UpdateRule
from gdexp.problems import Problem, changes_x, first_loss, unchanged_loss

COMPARED = 3
"""The last iteration at which x is compared with a copy, to find a loss that changes it."""

Watch = Callable[[int, "array[float]"], int]
"""A callback: it takes the iteration and the trace so far, and returns its next iteration."""


class _End(NamedTuple):
    """How a descent ended: its status, the last x and the period of a stall."""

    status: Status
    x: torch.Tensor
    period: int | None = None


def descend(
    problem: Problem,
    rule: UpdateRule | None = None,
    stopping: Stopping | None = None,
    *,
    seed: int = 0,
    x0: object = None,
    dtype: torch.dtype | str = torch.float32,
    device: torch.device | str = "cpu",
    watch: Watch | None = None,
    engine: str = "auto",
    plans: Plans | None = None,
) -> Result:
    """Minimise a problem with an update rule until the stopping rule ends the descent.

    ::

        from gdexp import GradientDescent, Matrix, Stopping, descend

        result = descend(Matrix(), GradientDescent(lr=1.0), Stopping(threshold=1e-5))
        print(result)

    Args:
        problem: the problem.
        rule: the update rule; by default plain gradient descent with lr 1.
        stopping: the stopping rule; by default threshold 1e-5 and at most 100,000 iterations.
        seed: the seed of the start of a problem without x0; 0 … 2^63 − 1.
        x0: the start, in place of the problem's; a tensor, array or list of its shape.
        dtype: float32 (default), float64, float16 or bfloat16.
        device: cpu (default), cuda or cuda:N.
        watch: a callback, called at iteration 0 and then at the iterations that it returns. It
            begins again where the first descent of a problem shows that torch must compute it.
        engine: `portable`: one arithmetic with the same bits on every machine; `torch`: torch's
            own kernels; `auto`: portable where each operation has a portable form and an
            iteration is cheaper so, else torch, with the reason in the result.
        plans: keeps what was recorded of the loss for later descents; by default the problem
            keeps it.

    Raises:
        BadInput: a value cannot be used, or the loss is not a scalar function of x; or it has no
            portable form and `engine` is portable.
        GdexpError: the device has too little memory.
    """
    rule = GradientDescent() if rule is None else rule
    stopping = stopping_for(problem, stopping)
    dtype, device = validation.dtype(dtype), validation.device(device)
    start = starting_point(problem, seed, x0)
    reason = None
    try:
        if check_engine(engine) != "torch":
            from gdexp.descent.portable.public import portable_result

            try:
                own = start.to(device="cpu", dtype=dtype)
                return portable_result(problem, rule, stopping, own, device, watch, plans)
            except NotPortable as error:
                if engine == "portable":
                    raise refusal(error) from None
                reason = str(error)
        if rule.searches:
            raise needs_portable(rule, reason)
        initial = start.to(device=device, dtype=dtype)
        converted, minimum = problem.to(dtype, device), Minimum(problem, device)
        began = time.perf_counter()
        with torch.enable_grad(), exact_arithmetic(device):
            trace, end = _loop(converted, minimum, rule, stopping, initial, watch)
    except torch.OutOfMemoryError:
        raise out_of_memory(device, start.numel()) from None
    seconds = time.perf_counter() - began
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
        engine_reason=reason,
    )


def stopping_for(problem: Problem, stopping: Stopping | None) -> Stopping:
    """Return the stopping rule as the problem needs it: with an absolute threshold or without.

    Raises:
        BadInput: the rule is absolute and the problem is not.
    """
    stopping = Stopping() if stopping is None else stopping
    if stopping.absolute and not problem.absolute:
        raise BadInput("absolute", True, "only with a problem whose f_star is absolute")
    return replace(stopping, absolute=problem.absolute) if problem.absolute else stopping


def starting_point(problem: Problem, seed: int = 0, x0: object = None) -> torch.Tensor:
    """Return the checked start of a descent: floating, finite and of the problem's shape."""
    seed = validation.integer("seed", seed)
    start = problem.start(seed) if x0 is None else x0
    if isinstance(start, list | tuple | np.ndarray):
        start = validation.tensor("x0", start)
    if not isinstance(start, torch.Tensor) or not start.is_floating_point():
        kind = getattr(start, "dtype", type(start).__name__)
        raise BadInput("x0", kind, "must be a tensor of a floating dtype: use .float()")
    shape = tuple(problem.shape)
    if shape and tuple(start.shape) != shape:
        raise BadInput("x0", f"shape {tuple(start.shape)}", f"must have shape {shape}")
    if start.numel() == 0:
        raise BadInput("x0", f"shape {tuple(start.shape)}", "must hold at least one number")
    finite = math.isfinite(start.sum().item()) or torch.isfinite(start).all()
    if not finite:
        raise BadInput("x0", "nan or inf", "must hold finite numbers only")
    return start.detach().clone(memory_format=torch.contiguous_format)


def _loop(
    problem: Problem,
    minimum: Minimum,
    rule: UpdateRule,
    stopping: Stopping,
    x: torch.Tensor,
    watch: Watch | None,
) -> tuple[array[float], _End]:
    """Descend; return the trace and how the descent ended.

    With `continue_to` the loop goes on after the descent converged, until it ends for any reason.
    Then only the trace grows.

    The state repeats when the point and the rule's state have the same bits as one iteration ago
    (a fixed point), or as at the last power of two (a cycle; R. P. Brent, An improved Monte Carlo
    factorization algorithm, BIT 20, 1980). Equal states have equal losses, so tensors are
    compared only when two losses are equal. They are compared only once the rule's coefficients
    are constant: before that, equal states can have different successors.
    """
    trace = array("d")
    record, finite, loss_of = trace.append, math.isfinite, problem.loss
    f_star, threshold, limit = problem.reference, stopping.threshold, stopping.limit
    step, coefficients, constant = rule.stepper(problem), rule.coefficients(1), rule.constant
    end: _End | None = None
    state: State = ()
    last_x, last_state, last_value = x, state, math.nan
    anchor_x, anchor_state, anchor_value, anchor_k = x, state, math.nan, 0
    call_at = -1 if watch is None else 0

    k = 0
    loss = first_loss(problem, x.requires_grad_())
    gradient = gradient_like(loss)
    while True:
        value = loss.item()
        record(value)
        if k == call_at and watch is not None:
            call_at = watch(k, trace)
        if not finite(value):
            return trace, end or _End(Status.DIVERGED, x)
        if value - f_star <= threshold:
            if end is None and not minimum.is_above(value, x):
                return trace, _End(Status.BELOW_MINIMUM, x)
            end = end or _End(Status.CONVERGED, x)
            if value - f_star <= stopping.goal:
                return trace, end
            threshold, limit = stopping.goal, stopping.max_iterations
        if constant:
            if value == last_value and _same(x, state, last_x, last_state):
                return trace, end or _End(Status.STALLED, x, 1)
            if value == anchor_value and _same(x, state, anchor_x, anchor_state):
                return trace, end or _End(Status.STALLED, x, k - anchor_k)
            if k & (k - 1) == 0:
                anchor_x, anchor_state, anchor_value, anchor_k = x, state, value, k
        if k >= limit:
            return trace, end or _End(stopping.limit_status, x)
        last_x, last_state, last_value = x, state, value
        k += 1
        if not constant:
            coefficients, constant = rule.coefficients(k), rule.constant_from(k)
        x, state = step(x.detach(), gradient(loss, x), state, *coefficients)
        x = x.requires_grad_()
        if k <= COMPARED:
            loss = unchanged_loss(problem, x)
            continue
        version = x._version
        loss = loss_of(x)
        if x._version != version:
            raise changes_x(problem)


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
