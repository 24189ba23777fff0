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
from gdexp.descent.listener import Listener
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


_Point = tuple[torch.Tensor, State, float, int]
"""Where a descent was: x, the rule's state, the loss there, the iteration."""


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
            descent = _Descent(converted, minimum, rule, stopping, initial, listener, saving)
            end = descent.run(watch)
    except torch.OutOfMemoryError:
        raise out_of_memory(device, start.numel()) from None
    seconds = time.perf_counter() - began + (0.0 if saving is None else saving.seconds)
    return Result(
        status=end.status,
        trace=np.frombuffer(descent.trace, dtype=np.float64),
        initial=initial.detach().cpu(),
        final=end.x.detach().cpu(),
        rule=rule,
        stopping=stopping,
        f_star=problem.reference,
        problem=problem.name,
        period=end.period,
        seconds=seconds,
        evaluations=beyond_one_each(descent.counts),
        gradient_norms=np.frombuffer(descent.norms) if stopping.of_norm else None,
    )


class _Descent:
    """A descent on its way: where it is, what it recorded, and how it ended.

    With `continue_to` it goes on after it converged, until it ends for any reason. Then only the
    trace grows, and the listener hears nothing more.

    Attributes:
        trace: the losses.
        norms: of the gradients, if thresholds are of them.
        counts: the evaluations until each iterate, if they are counted.
        k: the iteration.
        last: the iterate before; `anchor` is the one at the last power of two.
        end: how it ended; None as long as it goes on.
        met_at: where it converged; None as long as it has not.
    """

    def __init__(
        self,
        problem: Problem,
        minimum: Minimum,
        rule: UpdateRule,
        stopping: Stopping,
        x: torch.Tensor,
        listener: Listener | None,
        saving: Saving | None,
    ) -> None:
        self.problem, self.minimum, self.rule, self.stopping = problem, minimum, rule, stopping
        self.listener, self.saving = listener, saving
        self.threshold, self.limit = stopping.threshold, stopping.limit
        self.f_star = 0.0 if stopping.of_norm else problem.reference
        self.step = rule.stepper(problem)
        self.coefficients, self.constant = rule.coefficients(1), rule.constant
        self.trace, self.norms, self.counts = array("d"), array("d"), array("q")
        self.k, self.x = 0, x
        self.state: State = ()
        self.last: _Point = (x, (), math.nan, 0)
        self.anchor: _Point = self.last
        self.end: _End | None = None
        self.met_at: int | None = None

    def run(self, watch: Watch | None) -> _End:
        """Descend to the end; return how it ended."""
        loss = self._first_loss()
        call_at = 0 if watch is None or self.k == 0 else watch(self.k - 1, self.trace)
        trace, norms, of_norm, step = self.trace, self.norms, self.stopping.of_norm, self.step
        gradient = gradient_like(loss)
        trials: Trials | None = None
        if isinstance(self.rule, SearchingRule):
            trials = Trials(self.problem, self.rule, gradient)
            trials.counts.extend(self.counts)
            self.counts = trials.counts
        slope: torch.Tensor | None = None
        while True:
            if trials is not None:
                self.x, loss, self.state, following = trials.iterate(
                    self.x, loss, self.state, self.k
                )
            elif isinstance(step, StatefulStep):
                self.counts.append(self.k + 1 + step.evaluations)
            compared = value = loss.item()
            trace.append(value)
            if of_norm:
                slope = gradient(loss, self.x) if trials is None else trials.last_gradient
                compared = gradient_norm(slope)
                norms.append(compared)
            if self.k == call_at and watch is not None:
                call_at = watch(self.k, trace)
            if (final := self._judge(value, compared)) is not None:
                return final
            self.last = self.x, self.state, value, self.k
            self.k += 1
            if not self.constant:
                self.coefficients = self.rule.coefficients(self.k)
                self.constant = self.rule.constant_from(self.k)
            if trials is None:
                slope = slope if of_norm else gradient(loss, self.x)
                following = step(self.x.detach(), slope, self.state, *self.coefficients)
            self.x, self.state = following
            if self.saving is not None and self.saving.is_due():
                self._save(self.saving)
            self.x = self.x.requires_grad_()
            loss = loss_at(self.problem, self.x, self.k)

    def _judge(self, value: float, compared: float) -> _End | None:
        """Return how the descent ends at this iterate; None: it goes on.

        Args:
            value: the loss.
            compared: the loss or the gradient's norm, whatever thresholds are of.
        """
        x, stopping = self.x, self.stopping
        said = None if self.listener is None else self.listener.hear(self.k, (value,))
        if not math.isfinite(value):
            return self.end or _End(Status.DIVERGED, x)
        gap = compared - self.f_star
        if gap <= self.threshold:
            known = stopping.of_norm or self.end is not None
            if not known and not self.minimum.is_above(value, x):
                return _End(Status.BELOW_MINIMUM, x)
            self._go_on_from(self.end or _End(Status.CONVERGED, x), self.k)
            said = None
            if gap <= stopping.goal:
                return self.end
        if self.constant and (period := self._period(value)) is not None:
            return self.end or _End(Status.STALLED, x, period)
        if self.k >= self.limit:
            return self.end or _End(stopping.limit_status, x)
        if said is not None:
            return _End(said.status, x)
        if self.listener is not None and self.listener.is_late():
            return _End(Status.OUT_OF_TIME, x)
        return None

    def _period(self, value: float) -> int | None:
        """Return after how many iterations the state is the same again; None: it is not."""
        for x, state, loss, k in (self.last, self.anchor):
            if value == loss and _same(self.x, self.state, x, state):
                return self.k - k
        if self.k & (self.k - 1) == 0:
            self.anchor = self.x, self.state, value, self.k
        return None

    def _go_on_from(self, end: _End, met_at: int | None) -> None:
        """Keep how and where the descent ended; what follows is for `continue_to`."""
        self.end, self.listener = end, None
        self.met_at = met_at if self.met_at is None else self.met_at
        self.threshold, self.limit = self.stopping.goal, self.stopping.max_iterations

    def _first_loss(self) -> torch.Tensor:
        """Return the loss at the start, or where the descent was saved."""
        if self.listener is not None:
            self.listener.begin()
        saved = None if self.saving is None else self.saving.resume(self.trace, self.listener)
        if saved is None:
            return first_loss(self.problem, self.x.requires_grad_())
        self.k = len(self.trace)
        self.x, self.state = saved["x"].requires_grad_(), saved["state"]
        self.last, self.anchor = saved["last"], saved["anchor"]
        self.coefficients = self.rule.coefficients(self.k)
        self.constant = self.rule.constant_from(self.k)
        if isinstance(self.step, StatefulStep):
            self.step.load_state_dict(self.x, saved["optimizer"])
        self.counts.extend(saved["counts"].tolist())
        self.norms.extend(saved["norms"].tolist() if self.stopping.of_norm else ())
        if saved["end"] is not None:
            end, met_at = _End(Status(saved["end"][0]), saved["end"][1]), saved.get("met_at", 0)
            self._go_on_from(end, met_at)
        return loss_at(self.problem, self.x, self.k)

    def _save(self, saving: Saving) -> None:
        """Save the descent before the loss of this iteration."""
        step = self.step
        saved = {
            "x": self.x,
            "state": self.state,
            "last": (self.last[0].detach(), *self.last[1:]),
            "anchor": (self.anchor[0].detach(), *self.anchor[1:]),
            "optimizer": step.state_dict() if isinstance(step, StatefulStep) else None,
            "counts": np.array(self.counts, dtype=np.int64),
            **({"norms": np.array(self.norms)} if self.stopping.of_norm else {}),
            "end": self.end,
            "met_at": self.met_at,
        }
        saving.save("torch", self.k, self.trace, self.listener, saved, self.met_at)


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
