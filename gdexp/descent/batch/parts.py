"""The rows of a batch in the parts that run together, and what comes of them."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import torch

from gdexp.descent.batch.arguments import Given
from gdexp.descent.batch.hyperparameters import Hyperparameters, divided
from gdexp.descent.batch.limits import Limits
from gdexp.descent.batch.loop import BatchLoop
from gdexp.descent.batch.memory import Room, room
from gdexp.descent.batch.outcome import Outcome, joined_traces
from gdexp.descent.batch.result import Integers, Traces, in_order
from gdexp.descent.cap import Cap
from gdexp.descent.device import out_of_memory
from gdexp.descent.loop import torch_descent
from gdexp.descent.minimum import Minimum
from gdexp.problems import Problem


class Parts:
    """The descents of a batch on their way: what is known of the rows so far."""

    def __init__(
        self,
        problem: Problem,
        batch: Given,
        dtype: torch.dtype,
        device: torch.device,
        keep_traces: bool,
        cap: Cap | None,
        watch: Callable[[int, int], None] | None,
    ) -> None:
        self.problem, self.batch, self.dtype, self.device = problem, batch, dtype, device
        self.keep_traces, self.cap, self.watch = keep_traces, cap, watch
        self.limits = Limits.of(*batch.own_stoppings)
        self.outcome = Outcome(len(batch.rules), batch.initial)
        self.parts: list[tuple[Integers, Traces]] = []

    def together(self, at_once: int | None, block: int | None) -> None:
        """All rows as the rows of tensors.

        Args:
            at_once: the most that share one tensor; by default what the device has room for.
            block: iterations between two looks at the losses; chosen for speed by default.
        """
        start, device = self.batch.initial[0], self.device
        moved, held = self._moved(block)
        limit = at_once or held.rows
        for alike, own in divided(*self.batch.own_rules, in_order=self.cap is not None):
            first = 0
            while first < len(alike):
                some = slice(first, first + limit)
                if self._chunk(moved, alike[some], own.part(some), held.points, block):
                    first += limit
                elif len(alike[some]) == 1:
                    raise out_of_memory(device, start.numel())
                else:
                    limit = len(alike[some]) // 2
                    if device.type == "cuda":
                        torch.cuda.empty_cache()

    def _moved(self, block: int | None) -> tuple[Problem, Room]:
        """The problem on the device, and the room that there is for its rows."""
        rule, start = self.batch.rules[0], self.batch.initial[0]
        try:
            moved = self.problem.to(self.dtype, self.device)
            return moved, room(moved, rule, start, self.device, block)
        except torch.OutOfMemoryError:
            raise out_of_memory(self.device, start.numel()) from None

    def _chunk(
        self,
        moved: Problem,
        rows: Integers,
        rules: Hyperparameters,
        held: int,
        block: int | None,
    ) -> bool:
        """Some rows in one tensor; False, and none of them made, where that is too much memory."""
        batch, cap = self.batch, self.cap
        if cap is not None:
            self.limits.lower(batch.stoppings, rows, cap)
        try:
            with torch.enable_grad():
                part = BatchLoop(
                    moved,
                    Minimum(self.problem, self.device),
                    rules,
                    self.limits.part(rows),
                    batch.initial[torch.from_numpy(rows)].to(self.device),
                    keep_traces=self.keep_traces,
                    held=held,
                    block=block,
                    cap=cap,
                    watch=self.watch,
                ).run()
        except torch.OutOfMemoryError:
            return False  # with the error goes what its frames held
        if self.keep_traces:
            traces = joined_traces(part)
            self.parts.append((rows, traces))
            if cap is not None:
                self.limits.settle(batch.stoppings, rows, part, traces, cap)
        self.outcome.put(rows, part)
        return True

    def one_by_one(self) -> None:
        """Each row by itself."""
        batch, outcome, cap = self.batch, self.outcome, self.cap
        for row in range(len(batch.rules)):
            if cap is not None:
                self.limits.lower(batch.stoppings, np.array([row]), cap)
            stopping = batch.stoppings[row]
            rule, start = batch.rules[row], batch.initial[row]
            result = torch_descent(self.problem, rule, stopping, start, self.dtype, self.device)
            outcome.record(row, result)
            if cap is not None and result.converged:
                cap.add(stopping.threshold, [result.iterations])
            if self.watch is not None:
                self.watch(result.iterations, len(batch.rules) - row - 1)
            if self.keep_traces:
                offsets = np.array([0, len(result.trace)])
                self.parts.append((np.array([row]), Traces(result.trace, offsets)))

    def traces(self) -> Traces:
        """The traces of all rows in the order of the rows; the parts are used up."""
        return in_order(self.parts, self.outcome.updates)
