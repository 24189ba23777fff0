"""One descent, from the start to the end of its stopping rule: the loop that gdexp is about."""

from __future__ import annotations

import math
import time
from array import array
from collections.abc import Callable

import numpy as np
import torch

from gdexp.core import BadInput, validation
from gdexp.descent.autograd import gradient_like
from gdexp.descent.device import exact, out_of_memory
from gdexp.descent.result import Result
from gdexp.descent.stopping import Status, Stopping
from gdexp.optimizers import GradientDescent, State, UpdateRule
from gdexp.problems import Problem, first_loss

Watch = Callable[[int, "array[float]"], int]
"""Called with the iteration and the trace so far; returns the iteration to be called at next."""


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
) -> Result:
    """Minimise a problem by one update rule until its stopping rule ends it.

    ::

        from gdexp import GradientDescent, Matrix, Stopping, descend

        result = descend(Matrix(), GradientDescent(lr=1.0), Stopping(threshold=1e-5))
        print(result)

    Args:
        problem: what is minimised.
        rule: how; plain gradient descent with lr 1 by default.
        stopping: until when; threshold 1e-5 and at most 100,000 iterations by default.
        seed: draws the start of a problem that has no x0 of its own; 0 … 2^63 − 1.
        x0: the start, instead of the problem's; a tensor, array or list of its shape.
        dtype: float32 (default), float64, float16 or bfloat16.
        device: cpu (default), cuda or cuda:N.
        watch: called at iteration 0 and then at each iteration that it asks for.

    Raises:
        BadInput: a value that cannot be used, or a loss that is no scalar function of x.
        GdexpError: the descent is too much for the device's memory.
    """
    rule = GradientDescent() if rule is None else rule
    stopping = Stopping() if stopping is None else stopping
    dtype, device = validation.dtype(dtype), validation.device(device)
    start = starting_point(problem, seed, x0)
    try:
        initial = start.to(device=device, dtype=dtype)
        moved = problem.to(dtype, device)
        began = time.perf_counter()
        with torch.enable_grad(), exact(device):
            status, trace, final, period = _loop(moved, rule, stopping, initial, watch)
    except torch.OutOfMemoryError:
        raise out_of_memory(device, start.numel()) from None
    seconds = time.perf_counter() - began
    return Result(
        status=status,
        trace=np.frombuffer(trace, dtype=np.float64),
        initial=initial.detach().cpu(),
        final=final.detach().cpu(),
        rule=rule,
        stopping=stopping,
        f_star=problem.reference,
        problem=problem.name or type(problem).__name__,
        period=period,
        seconds=seconds,
    )


def starting_point(problem: Problem, seed: int = 0, x0: object = None) -> torch.Tensor:
    """The x that a descent starts from, checked: floating, finite and of the problem's shape."""
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
    if not torch.isfinite(start).all():
        raise BadInput("x0", "nan or inf", "must hold finite numbers only")
    return start.detach().clone(memory_format=torch.contiguous_format)


def _loop(
    problem: Problem,
    rule: UpdateRule,
    stopping: Stopping,
    x: torch.Tensor,
    watch: Watch | None,
) -> tuple[Status, array[float], torch.Tensor, int | None]:
    """Descend; returns the status, the trace, the last x and the period of a stall.

    The state repeats when the point and the rule's state are, bit for bit, what they were
    before: one iteration ago (a fixed point), or at the last power of two (a cycle; R. P.
    Brent, An improved Monte Carlo factorization algorithm, BIT 20, 1980). Equal states have
    equal losses, so tensors are compared only when two losses are equal, and only from where
    the rule's coefficients have settled: before, an equal state may have another future.
    """
    trace = array("d")
    record, finite, loss_of = trace.append, math.isfinite, problem.loss
    f_star, threshold, limit = problem.reference, stopping.threshold, stopping.limit
    step, coefficients, settled = rule.stepper(problem), rule.coefficients(1), rule.settled(1)
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
            return Status.DIVERGED, trace, x, None
        if value - f_star <= threshold:
            return Status.CONVERGED, trace, x, None
        if settled:
            if value == last_value and _same(x, state, last_x, last_state):
                return Status.STALLED, trace, x, 1
            if value == anchor_value and _same(x, state, anchor_x, anchor_state):
                return Status.STALLED, trace, x, k - anchor_k
            if k & (k - 1) == 0:
                anchor_x, anchor_state, anchor_value, anchor_k = x, state, value, k
        if k >= limit:
            return stopping.limit_status, trace, x, None
        last_x, last_state, last_value = x, state, value
        k += 1
        if not settled:
            coefficients, settled = rule.coefficients(k), rule.settled(k)
        x, state = step(x.detach(), gradient(loss, x), state, *coefficients)
        loss = loss_of(x.requires_grad_())


def _same(x: torch.Tensor, state: State, other_x: torch.Tensor, other_state: State) -> bool:
    """Whether two points with their states are equal bit for bit."""
    return (
        len(state) == len(other_state)
        and _bits_equal(x, other_x)
        and all(_bits_equal(a, b) for a, b in zip(state, other_state, strict=True))
    )


_INTEGERS = {2: torch.int16, 4: torch.int32, 8: torch.int64}


def _bits_equal(a: torch.Tensor, b: torch.Tensor) -> bool:
    integers = _INTEGERS[a.element_size()]
    return torch.equal(a.detach().view(integers), b.detach().view(integers))
