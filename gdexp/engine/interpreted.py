"""Descents computed with torch's single operations, all rows of a batch in step.

It is the oracle of the native way, and the way of a GPU, where the numbers stay during a block.
"""

from __future__ import annotations

import dataclasses
import math
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import torch

from gdexp.engine.gradient_norm import GRADIENT_NORM
from gdexp.engine.interpreter import INTEGERS, Interpreter
from gdexp.engine.plan import Plan
from gdexp.engine.processor_mode import exact_processor
from gdexp.engine.rows import Block, Code, Rows

UNSEEN = 16
"""Iterations between two looks at a GPU."""

KEPT = 0.5
"""Rows that ended are taken out when no more than this share is left."""


@dataclass
class _Work:
    """Some rows as tensors on the device, each of shape (A, …), with the names of `Rows`."""

    x: torch.Tensor
    state: torch.Tensor
    last: torch.Tensor
    anchor: torch.Tensor
    hit_x: torch.Tensor
    k: torch.Tensor
    anchor_k: torch.Tensor
    hit_k: torch.Tensor
    code: torch.Tensor
    checked: torch.Tensor
    period: torch.Tensor
    evaluations: torch.Tensor
    loss: torch.Tensor
    last_loss: torch.Tensor
    anchor_loss: torch.Tensor
    lowest: torch.Tensor
    highest: torch.Tensor
    midway: torch.Tensor
    before: torch.Tensor
    threshold: torch.Tensor
    goal: torch.Tensor
    f_star: torch.Tensor
    limit: torch.Tensor
    max_iterations: torch.Tensor
    midway_at: torch.Tensor
    constant_since: torch.Tensor
    norm: torch.Tensor
    last_norm: torch.Tensor


@dataclass
class _Inputs:
    """A block's coefficients and trace on the device, of the rows at work."""

    until: int
    coefficients: torch.Tensor
    first: int
    trace: torch.Tensor | None
    trace_first: int
    places: torch.Tensor
    norms: torch.Tensor | None


class InterpretedEngine:
    """Computes descents of a plan by torch's elementwise operations.

    Args:
        plan: what a descent computes.
        device: that it is computed on.
    """

    def __init__(self, plan: Plan, device: torch.device | str = "cpu") -> None:
        self.plan = plan
        self.device = torch.device(device)
        self._evaluate = Interpreter(plan.evaluate, device)
        self._first = Interpreter(plan.first, device)
        self._update = Interpreter(plan.update, device)

    def advance(self, rows: Rows, block: Block) -> None:
        """Make a block of iterations; see `Rows`.

        Raises:
            GdexpError: the processor does not round to nearest, or drops subnormal numbers.
        """
        largest = max(node.size for node in self.plan.evaluate.nodes) * len(rows.k)
        with torch.no_grad(), exact_processor(self.device, largest):
            rows.code[(rows.code == Code.BELOW) & (rows.checked != 0)] = Code.RUNNING
            while True:
                running = (rows.code == Code.RUNNING) & (rows.k <= block.until)
                starting = running & (rows.k == 0)
                chosen = np.flatnonzero(starting if starting.any() else running)
                if not chosen.size:
                    return
                work, inputs = self._taken(rows, block, chosen)
                if starting.any():
                    self._step(work, inputs, self._first)
                else:
                    self._run(work, inputs)
                self._put(rows, block, chosen, work, inputs)

    def _run(self, work: _Work, inputs: _Inputs) -> None:
        """Make steps until all rows have come to the block's end, or few are left."""
        every = 1 if self.device.type == "cpu" else UNSEEN
        count = len(work.k)
        while True:
            for _ in range(every):
                self._step(work, inputs, self._update)
            left = int(_goes(work, inputs.until).sum())
            if left <= count * KEPT:
                return

    def _step(self, work: _Work, inputs: _Inputs, rule: Interpreter) -> None:
        """Make one step of every row; the numbers are those in the list of `Rows`."""
        w, goes = work, _goes(work, inputs.until)
        found = self._evaluate({"x": w.x.view(-1, *self.plan.shape)})  # 1
        loss = torch.where(found["loss"] != found["loss"], math.nan, found["loss"])
        next_x, next_state, accepted = self._next(work, inputs, loss, found["gradient"], rule)  # 2
        value = loss.double()
        norm = found[GRADIENT_NORM].double() if GRADIENT_NORM in found else None
        iterate = goes if accepted is None else goes & accepted
        if inputs.trace is not None:  # 3
            _record(inputs, inputs.trace, w.k, value, iterate)
        if inputs.norms is not None and norm is not None:
            _record(inputs, inputs.norms, w.k, norm, iterate)
        compared = value if norm is None else norm
        finite, gap = value.isfinite(), compared - w.f_star
        hit = iterate & finite & (gap <= w.threshold)
        waits = hit & (w.hit_k < 0) & (value < w.f_star) & (w.checked == 0)
        w.code.masked_fill_(waits, Code.BELOW)
        iterate = iterate & ~waits
        w.evaluations += goes & ~waits
        _note(work, value, compared, iterate, finite)
        if norm is not None:
            w.norm = torch.where(iterate, norm, w.norm)
        w.code.masked_fill_(iterate & ~finite, Code.DIVERGED)  # 4
        self._hit(work, hit & ~waits, gap)  # 5
        self._stall(work, value, iterate & (w.code == Code.RUNNING))  # 6
        w.code.masked_fill_(  # 7
            iterate & (w.code == Code.RUNNING) & (w.k >= w.limit), Code.LIMIT
        )
        on = iterate & (w.code == Code.RUNNING)  # 8
        wide = on.unsqueeze(1)
        w.last = torch.where(wide, torch.cat((w.x, w.state), 1), w.last)
        w.last_loss = torch.where(on, value, w.last_loss)
        if norm is not None:
            w.last_norm = torch.where(on, norm, w.last_norm)
        w.k = w.k + on
        moves = wide if accepted is None else (on | goes & ~accepted).unsqueeze(1)
        w.x = torch.where(moves, next_x, w.x)
        w.state = torch.where(moves, next_state, w.state)

    def _next(
        self,
        work: _Work,
        inputs: _Inputs,
        loss: torch.Tensor,
        gradient: torch.Tensor,
        rule: Interpreter,
    ) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor | None]:
        """Return the next x and state, flat, and which points are iterates; None: all are."""
        count, table = len(loss), inputs.coefficients
        rows, iterations, _ = table.shape
        there = torch.zeros_like(work.k) if rows == 1 else inputs.places
        when = (work.k + (1 - inputs.first)).clamp(0, iterations - 1)
        coefficients = table[there, when if iterations > 1 else torch.zeros_like(when)]
        given = {"x": work.x.view(-1, *self.plan.shape), "loss": loss, "gradient": gradient}
        for i in range(self.plan.coefficients):
            given[f"coefficient{i}"] = coefficients[:, i]
        at = 0
        for i, shape in enumerate(self.plan.state_shapes):
            size = math.prod(shape)
            given[f"state{i}"] = work.state[:, at : at + size].reshape(count, *shape)
            at += size
        found = rule(given)
        states = [found[f"state{i}"].reshape(count, -1) for i in range(len(self.plan.state_shapes))]
        state = torch.cat(states, 1) if states else work.state
        return found["x"].reshape(count, -1), state, found.get("accepted")

    def _hit(self, work: _Work, hit: torch.Tensor, gap: torch.Tensor) -> None:
        """Note the rows that meet their threshold, end them at their goal, or let them go on."""
        w = work
        first, ends = hit & (w.hit_k < 0), hit & (gap <= w.goal)
        w.hit_k = torch.where(first, w.k, w.hit_k)
        w.before = torch.where(first, w.last_norm if self.plan.has_norms else w.last_loss, w.before)
        w.code.masked_fill_(ends, Code.CONVERGED)
        on = hit & ~ends
        w.hit_x = torch.where((first & on).unsqueeze(1), w.x, w.hit_x)
        w.threshold = torch.where(on, w.goal, w.threshold)
        w.limit = torch.where(on, w.max_iterations, w.limit)

    def _stall(self, work: _Work, value: torch.Tensor, runs: torch.Tensor) -> None:
        """End the rows whose state repeats, and move the anchor of the others."""
        w = work
        settled = runs & (w.k >= w.constant_since)
        like_last = settled & (value == w.last_loss)
        like_anchor = settled & (value == w.anchor_loss)
        look = self.device.type != "cpu"
        if look or bool((like_last | like_anchor).any()):
            here = torch.cat((w.x, w.state), 1)
            like_last &= _same(here, w.last)
            like_anchor &= _same(here, w.anchor) & ~like_last
            w.period = torch.where(like_last, 1, w.period)
            w.period = torch.where(like_anchor, w.k - w.anchor_k, w.period)
            w.code.masked_fill_(like_last | like_anchor, Code.STALLED)
        moves = settled & (w.code == Code.RUNNING) & ((w.k & (w.k - 1)) == 0)
        if look or bool(moves.any()):
            w.anchor = torch.where(moves.unsqueeze(1), torch.cat((w.x, w.state), 1), w.anchor)
            w.anchor_loss = torch.where(moves, value, w.anchor_loss)
            w.anchor_k = torch.where(moves, w.k, w.anchor_k)

    def _taken(
        self, rows: Rows, block: Block, chosen: npt.NDArray[np.int64]
    ) -> tuple[_Work, _Inputs]:
        def there(array: npt.NDArray[Any]) -> torch.Tensor:
            return torch.from_numpy(array).to(self.device)

        work = _Work(*(there(getattr(rows, f.name)[chosen]) for f in dataclasses.fields(_Work)))
        table = block.coefficients if len(block.coefficients) == 1 else block.coefficients[chosen]
        trace = None if block.trace is None else there(block.trace[chosen])
        norms = None if block.norms is None else there(block.norms[chosen])
        places = torch.arange(len(chosen), device=self.device)
        return work, _Inputs(
            block.until,
            there(np.ascontiguousarray(table)),
            block.first,
            trace,
            block.trace_first,
            places,
            norms,
        )

    def _put(
        self,
        rows: Rows,
        block: Block,
        chosen: npt.NDArray[np.int64],
        work: _Work,
        inputs: _Inputs,
    ) -> None:
        for name, tensor in vars(work).items():
            getattr(rows, name)[chosen] = tensor.cpu().numpy()
        if block.trace is not None and inputs.trace is not None:
            block.trace[chosen] = inputs.trace.cpu().numpy()
        if block.norms is not None and inputs.norms is not None:
            block.norms[chosen] = inputs.norms.cpu().numpy()


def _goes(work: _Work, until: int) -> torch.Tensor:
    return (work.code == Code.RUNNING) & (work.k <= until)


def _record(
    inputs: _Inputs,
    trace: torch.Tensor,
    k: torch.Tensor,
    value: torch.Tensor,
    rows: torch.Tensor,
) -> None:
    """Write the values of some rows into a trace, the others back as they are."""
    column = (k - inputs.trace_first).clamp(0, trace.shape[1] - 1)
    trace[inputs.places, column] = torch.where(rows, value, trace[inputs.places, column])


def _note(
    work: _Work,
    value: torch.Tensor,
    compared: torch.Tensor,
    rows: torch.Tensor,
    finite: torch.Tensor,
) -> None:
    """Note the losses of some rows in their records."""
    w = work
    w.loss = torch.where(rows, value, w.loss)
    w.lowest = torch.where(rows & finite & ~(value >= w.lowest), value, w.lowest)
    number = value == value
    w.highest = torch.where(rows & number & ~(value <= w.highest), value, w.highest)
    w.midway = torch.where(rows & (w.k == w.midway_at), compared, w.midway)


def _same(a: torch.Tensor, b: torch.Tensor) -> torch.Tensor:
    """Return which rows have the same bits."""
    integers = INTEGERS[a.dtype]
    return (a.view(integers) == b.view(integers)).all(1)
