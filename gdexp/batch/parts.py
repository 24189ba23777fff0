"""The rows of a batch in the parts that run together, and what comes of them."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import torch

from gdexp.batch.given import Given
from gdexp.batch.limits import Limits
from gdexp.batch.loop import BatchLoop
from gdexp.batch.outcome import Outcome, joined_traces
from gdexp.batch.result import Integers, Traces
from gdexp.batch.rules import Hyperparameters, divided
from gdexp.cap import Cap
from gdexp.descent import descend
from gdexp.problems.base import Problem


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
        self.limits = Limits.of(batch.stoppings)
        self.outcome = Outcome(len(batch.rules), batch.initial)
        self.parts: list[tuple[Integers, Traces]] = []

    def together(self, at_once: int, block: int | None) -> None:
        """All rows, so many at once, as the rows of one tensor."""
        moved = self.problem.to(self.dtype, self.device)
        for alike, rules in divided(self.batch.rules, in_order=self.cap is not None):
            for first in range(0, len(alike), at_once):
                some = slice(first, first + at_once)
                self._chunk(moved, alike[some], rules.part(some), block)

    def _chunk(
        self, moved: Problem, rows: Integers, rules: Hyperparameters, block: int | None
    ) -> None:
        """Some rows in one tensor."""
        batch, cap = self.batch, self.cap
        if cap is not None:
            self.limits.lower(batch.stoppings, rows, cap)
        with torch.enable_grad():
            part = BatchLoop(
                moved,
                rules,
                self.limits.part(rows),
                batch.initial[torch.from_numpy(rows)].to(self.device),
                keep_traces=self.keep_traces,
                block=block,
                cap=cap,
                watch=self.watch,
            ).run()
        if self.keep_traces:
            traces = joined_traces(part)
            self.parts.append((rows, traces))
            if cap is not None:
                self.limits.settle(batch.stoppings, rows, part, traces, cap)
        self.outcome.put(rows, part)

    def one_by_one(self) -> None:
        """Each row by itself."""
        batch, outcome, cap = self.batch, self.outcome, self.cap
        for row in range(len(batch.rules)):
            if cap is not None:
                self.limits.lower(batch.stoppings, np.array([row]), cap)
            stopping = batch.stoppings[row]
            result = descend(
                self.problem,
                batch.rules[row],
                stopping,
                x0=batch.initial[row],
                dtype=self.dtype,
                device=self.device,
            )
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
        if len(self.parts) == 1:
            return self.parts[0][1]
        offsets = np.concatenate(([0], np.cumsum(self.outcome.iterations + 1)))
        values = np.empty(offsets[-1], dtype=self.parts[0][1].values.dtype)
        while self.parts:
            rows, traces = self.parts.pop()
            if rows[-1] - rows[0] + 1 == len(rows):
                values[offsets[rows[0]] : offsets[rows[-1] + 1]] = traces.values
            else:
                for i, row in enumerate(rows.tolist()):
                    start, stop = traces.offsets[i : i + 2]
                    values[offsets[row] : offsets[row + 1]] = traces.values[start:stop]
        return Traces(values, offsets)
