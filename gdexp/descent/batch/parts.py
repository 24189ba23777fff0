"""The rows of a batch in the parts that run together, and what comes of them."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import torch

from gdexp.descent.batch.arguments import Given
from gdexp.descent.batch.hyperparameters import Hyperparameters, divided
from gdexp.descent.batch.limits import Limits, note_midways
from gdexp.descent.batch.loop import BatchLoop
from gdexp.descent.batch.memory import Room, room
from gdexp.descent.batch.options import BatchOptions
from gdexp.descent.batch.outcome import Outcome, joined_traces
from gdexp.descent.batch.result import Integers, Traces, in_order
from gdexp.descent.batch.saved_limits import lower_as_before, rows_going_on
from gdexp.descent.batch.saved_rows import go_on, reached, saved_part, traces_so_far
from gdexp.descent.batch.saving import Part, SavedPart, hear_again, heard_by
from gdexp.descent.cap import Cap
from gdexp.descent.device import out_of_memory
from gdexp.descent.loop import torch_descent
from gdexp.descent.minimum import Minimum
from gdexp.problems import Problem


class Parts:
    """The descents of a batch on their way: what is known of the rows so far.

    Args:
        problem: the problem.
        batch: its rows; the stopping rules are replaced where the cap lowers a limit.
        device: that they are computed on.
        options: of the batch.
    """

    def __init__(
        self, problem: Problem, batch: Given, device: torch.device, options: BatchOptions
    ) -> None:
        self.problem, self.batch, self.device, self.options = problem, batch, device, options
        self.dtype = batch.initial.dtype
        self.limits = Limits.of(*batch.own_stoppings)
        self.outcome = Outcome(len(batch.rules), batch.initial)
        self.parts: list[tuple[Integers, Traces]] = []
        self.counts: list[tuple[Integers, Traces]] = []
        self.norms: list[tuple[Integers, Traces]] = []
        self.saving = options.saving if options.keep_traces else None
        self.saved: list[Part] = []

    def together(self) -> float:
        """Descend with all rows as the rows of tensors; return the seconds before a kill."""
        if self.saving is None:
            self._together()
            return 0.0
        before = self.saving.begin(self.batch.initial)
        with self.saving.shielded():
            self._together()
        return before

    def _together(self) -> None:
        start, device, options = self.batch.initial[0], self.device, self.options
        moved, held = self._moved()
        limit = options.chunk or held.rows
        for alike, own in divided(*self.batch.own_rules, in_order=options.cap is not None):
            left = np.arange(len(alike))
            for saved in self._found(alike):
                some = saved.own
                if self._chunk(moved, alike[some], own.part(some), held.points, saved):
                    left = np.setdiff1d(left, some)
                elif options.cap is not None:
                    break  # else rows would run before those that limit them
            first = 0
            while first < len(left):
                some = left[first : first + limit]
                if self._chunk(moved, alike[some], own.part(some), held.points):
                    first += limit
                elif len(some) == 1:
                    raise out_of_memory(device, start.numel())
                else:
                    limit = len(some) // 2
                    if device.type == "cuda":
                        torch.cuda.empty_cache()

    def _moved(self) -> tuple[Problem, Room]:
        """The problem on the device, and the room that there is for its rows."""
        rule, start = self.batch.rules[0], self.batch.initial[0]
        try:
            moved = self.problem.to(self.dtype, self.device)
            return moved, room(moved, rule, start, self.device, self.options.block)
        except torch.OutOfMemoryError:
            raise out_of_memory(self.device, start.numel()) from None

    def _found(self, rows: Integers) -> Iterator[SavedPart]:
        """Return the parts of those rows that go on from where they were saved."""
        if self.saving is None:
            return iter(())
        found, stoppings = self.saving.found(rows, "torch"), self.batch.stoppings
        cap = self.options.cap
        return rows_going_on(self.saving, found, rows, self.limits, stoppings, cap, reached)

    def _chunk(
        self,
        moved: Problem,
        rows: Integers,
        rules: Hyperparameters,
        held: int,
        saved: SavedPart | None = None,
    ) -> bool:
        """Descend with some rows in one tensor, from their starts or from where they were saved.

        Returns:
            False, and none of them made, where that is too much memory.
        """
        batch, cap, listeners = self.batch, self.options.cap, self.options.listeners
        if cap is not None:
            self.limits.lower(batch.stoppings, rows, cap)
        own = None if listeners is None else [listeners[row] for row in rows.tolist()]
        try:
            with torch.enable_grad():
                loop = BatchLoop(
                    moved,
                    Minimum(self.problem, self.device),
                    rules,
                    self.limits.part(rows),
                    batch.initial[torch.from_numpy(rows)].to(self.device),
                    held,
                    self.options,
                    own,
                )
                if saved is not None:
                    limits = None if cap is None else self._lowered(rows, saved, cap)
                    go_on(loop, saved.part, saved.there, limits)
                    if own is not None:
                        hear_again(own, saved.part, saved.there)
                part = loop.run(lambda: self._save_if_due(rows, loop))
        except torch.OutOfMemoryError:
            return False  # with the error goes what its frames held
        if self.options.keep_traces:
            traces = joined_traces(part.updates, part.pieces)
            self.parts.append((rows, traces))
            if self.saving is not None:
                self.saved.append(self._as_data(rows, loop, traces))
            if cap is not None:
                self.limits.settle(batch.stoppings, rows, part, cap)
            note_midways(part, traces)
        self.outcome.put(rows, part)
        return True

    def _lowered(self, rows: Integers, saved: SavedPart, cap: Cap) -> Limits:
        """Return the limits of rows that go on, lowered as they were when they were saved."""
        limits = self.limits.part(rows)
        lower_as_before(reached(saved.part).of(saved.there), limits, cap)
        return limits

    def _save_if_due(self, rows: Integers, loop: BatchLoop) -> None:
        """Save the rows that began, between two blocks of some of them."""
        if self.saving is not None and self.saving.is_due():
            self.saving.save([*self.saved, self._as_data(rows, loop, traces_so_far(loop))])

    def _as_data(self, rows: Integers, loop: BatchLoop, traces: Traces) -> Part:
        part, listeners = saved_part(rows, loop, traces), self.options.listeners
        if listeners is not None:
            part["heard"] = heard_by([listeners[row] for row in rows.tolist()])
        return part

    def one_by_one(self) -> None:
        """Each row by itself."""
        batch, outcome, options = self.batch, self.outcome, self.options
        cap, watch = options.cap, options.watch
        for row in range(len(batch.rules)):
            if cap is not None:
                self.limits.lower(batch.stoppings, np.array([row]), cap)
            stopping = batch.stoppings[row]
            rule, start = batch.rules[row], batch.initial[row]
            listener = None if options.listeners is None else options.listeners[row]
            result = torch_descent(
                self.problem, rule, stopping, start, self.dtype, self.device, listener=listener
            )
            outcome.record(row, result)
            if cap is not None and result.converged:
                cap.add(stopping.threshold, [result.iterations])
            if watch is not None:
                watch(result.iterations, len(batch.rules) - row - 1)
            if options.keep_traces:
                offsets = np.array([0, len(result.trace)])
                self.parts.append((np.array([row]), Traces(result.trace, offsets)))
                made = result.evaluations
                made = np.arange(1, len(result.trace) + 1) if made is None else made
                self.counts.append((np.array([row]), Traces(made, offsets)))
                if result.gradient_norms is not None:
                    self.norms.append((np.array([row]), Traces(result.gradient_norms, offsets)))

    def traces(self) -> Traces:
        """The traces of all rows in the order of the rows; the parts are used up."""
        return in_order(self.parts, self.outcome.updates)

    def evaluations(self) -> Traces | None:
        """The evaluations of all rows of a rule that searches; the parts are used up."""
        return in_order(self.counts, self.outcome.updates) if self.counts else None

    def gradient_norms(self) -> Traces | None:
        """The gradient norms of all rows, where they are computed; the parts are used up."""
        return in_order(self.norms, self.outcome.updates) if self.norms else None
