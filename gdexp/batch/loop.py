"""The loop of a batch: rows that share a tensor and nothing else.

Row i makes the same operations on the same numbers as `gdexp.descent` would make on it alone.
The loop runs in blocks of iterations and looks at the losses once per block; rows that ended
inside a block are cut back to their own end, so where the blocks lie changes no result.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import numpy.typing as npt
import torch

from gdexp.batch.limits import Limits
from gdexp.batch.outcome import CODES, Losses, Outcome, Piece
from gdexp.batch.repeats import Point, Repeats
from gdexp.batch.result import Floats, Integers
from gdexp.batch.rules import Hyperparameters
from gdexp.cap import Cap
from gdexp.errors import BadInput
from gdexp.gradient import gradient_like
from gdexp.problems.base import Problem
from gdexp.stopping import Status

SHORTEST_BLOCK, LONGEST_BLOCK = 4, 64
"""In iterations, once the descents are long enough for blocks at all."""

HELD_BYTES = {"cpu": 2**22, "cuda": 2**28}
"""What the points of one block should take: on a processor they should stay in its cache."""

PIECE_VALUES, PIECE_PARTS = 2**22, 512
"""Losses are put together into one array when they are so many, or in so many arrays."""


class BatchLoop:
    """One run of the loop over the rows of x.

    Args:
        problem: batchable, on the dtype and device of x.
        rules: the hyperparameters of the rows.
        limits: how the rows end; they are left as they are.
        x: the starts, shape (rows, *problem.shape).
        keep_traces: whether `Outcome.pieces` is filled.
        block: iterations between two looks at the losses; chosen as it goes when None.
        cap: lowers the limits of the rows after one that converged.
        watch: called at every look with the iteration and the number of rows still going.
    """

    def __init__(
        self,
        problem: Problem,
        rules: Hyperparameters,
        limits: Limits,
        x: torch.Tensor,
        *,
        keep_traces: bool,
        block: int | None,
        cap: Cap | None = None,
        watch: Callable[[int, int], None] | None = None,
    ) -> None:
        count = x.shape[0]
        self.cap = None if cap is None or cap.factor is None else cap
        self.watch = watch
        self.problem, self.rules, self.f_star = problem, rules, problem.reference
        self.update = rules.update
        self.keep_traces, self.block = keep_traces, block
        self.outcome = Outcome(count, x)
        self.k = 0
        self.point = Point(x, ())
        self.repeats = Repeats(rules)
        # What follows has one entry for each row that is still in the tensor.
        self.rows = np.arange(count)
        self.which = rules.which
        self.ended = np.zeros(count, dtype=bool)
        self.open = count
        self.thresholds, self.limits = limits.thresholds, limits.limits
        self.limit_codes = limits.codes
        self.last: Losses = np.full(count, np.nan)
        self.lowest = np.full(count, np.inf)
        self.highest = np.full(count, -np.inf)
        self.next_limit, self.last_limit = int(self.limits.min()), int(self.limits.max())
        self.midways = np.unique(self.limits // 2)
        self.pending: list[Losses] = []
        self.constant: tuple[Any, ...] | None = None

    def run(self) -> Outcome:
        """Descend until every row has ended."""
        points = [self.point, self.point]
        loss = first_losses(self.problem, self.point.x.requires_grad_())
        self.gradient = gradient_like(loss.sum())
        losses = [loss.detach()]
        while True:
            self._look(losses, points)
            if self.watch is not None:
                self.watch(self.k, self.open)
            if not self.open:
                self._flush()
                return self.outcome
            if self._compact():
                loss = self.problem.loss(self.point.x.requires_grad_())
            loss, losses, points = self._advance(loss, self._block())

    def _block(self) -> int:
        """How many iterations are made before the next look.

        Never beyond the next power of two, where the anchor of the cycle search moves, nor
        beyond the last row's limit. A block that is left to choose grows with k, so that rows
        overrun their end by an eighth at most.
        """
        room = min(1 << self.k.bit_length(), self.last_limit) - self.k
        if self.block is not None:
            return min(room, self.block)
        x, state = self.point
        held = x.element_size() * x.numel() * (1 + len(state))
        longest = HELD_BYTES["cpu" if x.device.type == "cpu" else "cuda"] // max(held, 1)
        longest = min(max(longest, SHORTEST_BLOCK), LONGEST_BLOCK)
        return min(room, self.k // 8 + 1, longest)

    def _advance(
        self, loss: torch.Tensor, block: int
    ) -> tuple[torch.Tensor, list[torch.Tensor], list[Point]]:
        """Make some iterations.

        Returns:
            the last loss with its graph; the losses of the iterations made; the points from the
            one before the first of them.
        """
        x, state = self.point
        update, loss_of, gradient = self.update, self.problem.loss, self.gradient
        losses: list[torch.Tensor] = []
        points = [self.point]
        for coefficients in self._coefficients(block):
            # The rows do not mix, so the gradient of the sum is each row's own.
            x, state = update(x.detach(), gradient(loss.sum(), x), state, *coefficients)
            loss = loss_of(x.requires_grad_())
            losses.append(loss.detach())
            points.append(Point(x, state))
        self.k += block
        self.point = points[-1]
        return loss, losses, points

    def _coefficients(self, block: int) -> list[tuple[Any, ...]]:
        """The coefficients of the next iterations: plain values, or tensors that fit x."""
        if self.constant is None and self.rules.settled(self.k + 1) is True:
            (self.constant,) = self._tensors(self.k + 1, 1, dense=True)
        if self.constant is not None:
            return [self.constant] * block
        return self._tensors(self.k + 1, block, dense=False)

    def _tensors(self, first: int, block: int, *, dense: bool) -> list[tuple[Any, ...]]:
        x = self.point.x
        told = [self.rules.coefficients(first + j) for j in range(block)]
        columns: list[Any] = []
        for values in zip(*told, strict=True):
            if not any(isinstance(value, np.ndarray) for value in values):
                columns.append(values)
                continue
            per_rule = np.stack([np.broadcast_to(v, len(self.rules)) for v in values])
            rows = torch.from_numpy(per_rule.astype(np.float64)[:, self.which])
            tensor = rows.to(device=x.device, dtype=x.dtype)
            tensor = tensor.view(block, -1, *[1] * (x.ndim - 1))
            # Kernels are twice as fast on a tensor of the shape of x as on one to broadcast.
            columns.append(tensor.expand(block, *x.shape).contiguous() if dense else tensor)
        return list(zip(*columns, strict=True)) if columns else [()] * block

    def _look(self, losses: list[torch.Tensor], points: list[Point]) -> None:
        """Find the rows that ended in the block of iterations that ends at k, and record."""
        values = _to_host(losses)
        first = self.k - len(losses) + 1
        if self.keep_traces:
            self._keep(values)
        self._note_midway(first, values)

        # Most blocks end no row: then the smallest and largest loss of each row tell so.
        low, high = _reduced(np.minimum, values), _reduced(np.maximum, values)
        calm = (low - self.f_star > self.thresholds) & (high < np.inf)
        goes_on = (calm | self.ended)[None]
        quiet = bool(goes_on.all())
        if quiet:
            goes_on = np.broadcast_to(goes_on, values.shape)
        else:
            wide = values.astype(np.float64)
            goes_on = (wide - self.f_star > self.thresholds) & (wide < np.inf) | self.ended
        repeats = self.repeats.find(
            first, values, points, lambda: self._running(first, goes_on), self.which
        )
        if repeats is not None or self.k >= self.next_limit or not quiet:
            self._end(goes_on, repeats, first, values, points)
        np.minimum(self.lowest, low, out=self.lowest)
        np.maximum(self.highest, high, out=self.highest)
        self.last = values[-1]
        self.repeats.note(self.k, values[-1], self.point, self.which)

    def _end(
        self,
        goes_on: npt.NDArray[np.bool_],
        repeats: tuple[Integers, Integers] | None,
        first: int,
        values: Losses,
        points: list[Point],
    ) -> None:
        """Record the rows that ended in the block, and take them out of it."""
        block = len(values)
        by_loss = _first_false(goes_on)
        if self.cap is not None:
            self._lower_limits(self.cap, by_loss, repeats, first, values)
        at = np.minimum(by_loss, np.clip(self.limits - first, 0, block))
        if repeats is not None:
            at = np.minimum(at, repeats[0])
        ended = np.flatnonzero(~self.ended & (at < block))
        at, rows, own = at[ended], self.rows[ended], values[:, ended].astype(np.float64)
        final = own[at, np.arange(ended.size)]
        outcome = self.outcome

        met = np.where(np.isfinite(final), CODES[Status.CONVERGED], CODES[Status.DIVERGED])
        codes = np.where(at == by_loss[ended], met, self.limit_codes[ended])
        if repeats is not None:
            by_state, periods = repeats[0][ended], repeats[1][ended]
            stalled = (at == by_state) & (at < by_loss[ended])
            codes[stalled] = CODES[Status.STALLED]
            outcome.periods[rows[stalled]] = periods[stalled]
        outcome.codes[rows] = codes
        outcome.iterations[rows] = first + at
        outcome.final_loss[rows] = final
        history = np.concatenate((self.last[None, ended], own))
        outcome.loss_before[rows] = history[at, np.arange(ended.size)]
        known = (np.arange(block)[:, None] <= at) & np.isfinite(own)
        low = np.minimum(self.lowest[ended], np.where(known, own, np.inf).min(0))
        high = np.maximum(self.highest[ended], np.where(known, own, -np.inf).max(0))
        none = low == np.inf  # not one finite loss
        outcome.min_loss[rows] = np.where(none, final, low)
        outcome.max_loss[rows] = np.where(none | (final == np.inf), final, high)
        for offset in np.unique(at).tolist():
            here = at == offset
            x = points[offset + 1].x.detach()
            chosen, target = _index(ended[here], x.device), _index(rows[here], x.device)
            outcome.final.index_copy_(0, target, x.index_select(0, chosen))
        self.ended[ended] = True
        self.open -= ended.size

    def _lower_limits(
        self,
        cap: Cap,
        by_loss: Integers,
        repeats: tuple[Integers, Integers] | None,
        first: int,
        values: Losses,
    ) -> None:
        """Let every row that converges in the block limit those after it.

        Only those after it, so that each row gets the limit that it would have if the rows ran
        one after the other. A row's limit is known in time: it is set at iteration k by a row
        that converges then, and is not below k.
        """
        met = ~self.ended & (by_loss < len(values))
        if repeats is not None:
            met &= by_loss <= repeats[0]
        events = np.flatnonzero(met)
        events = events[np.isfinite(values[by_loss[events], events])]
        for row in sorted(events.tolist(), key=lambda row: int(by_loss[row])):
            k = first + int(by_loss[row])
            if k > self.limits[row]:
                continue
            limit = cap.after(k)
            later = (self.rows > self.rows[row]) & (self.thresholds >= self.thresholds[row])
            lowered = later & (self.limits > limit)
            self.limits[lowered] = limit
            self.limit_codes[lowered] = CODES[Status.CAPPED]
        going = self.limits[~self.ended]
        self.next_limit, self.last_limit = int(going.min()), int(going.max())

    def _running(self, first: int, goes_on: npt.NDArray[np.bool_]) -> npt.NDArray[np.bool_]:
        """Which rows have not ended at an iteration of the block; (block, rows)."""
        offsets = np.arange(len(goes_on))[:, None]
        running = ~self.ended & (offsets < _first_false(goes_on))
        in_time: npt.NDArray[np.bool_] = running & (offsets <= self.limits - first)
        return in_time

    def _note_midway(self, first: int, values: Losses) -> None:
        """Keep the loss in the middle of each row's allowance, for the projected hitting time."""
        low, high = np.searchsorted(self.midways, [first, self.k + 1])
        for middle in self.midways[low:high]:
            here = np.flatnonzero(self.limits // 2 == middle)
            self.outcome.loss_midway[self.rows[here]] = values[middle - first, here]

    def _keep(self, values: Losses) -> None:
        self.pending.append(values)
        if len(self.pending) >= PIECE_PARTS or len(self.pending) * values.size >= PIECE_VALUES:
            self._flush()

    def _flush(self) -> None:
        if self.pending:
            values = np.concatenate(self.pending)
            self.outcome.pieces.append(Piece(self.rows, self.k + 1 - len(values), values))
            self.pending = []

    def _compact(self) -> bool:
        """Take the rows that ended out of the tensors, when an eighth has."""
        if self.open * 8 > len(self.rows) * 7:
            return False
        left = np.flatnonzero(~self.ended)
        self._flush()
        index = _index(left, self.point.x.device)
        self.point = self.point.select(index)
        self.repeats.select(left, index)
        self.rows, self.which, self.ended = self.rows[left], self.which[left], self.ended[left]
        self.thresholds, self.limits = self.thresholds[left], self.limits[left]
        self.limit_codes = self.limit_codes[left]
        self.last, self.lowest, self.highest = (
            self.last[left],
            self.lowest[left],
            self.highest[left],
        )
        self.next_limit, self.last_limit = int(self.limits.min()), int(self.limits.max())
        self.constant = None
        return True


def first_losses(problem: Problem, x: torch.Tensor) -> torch.Tensor:
    """The losses at the starts, refused unless they are one per row and depend on x.

    Raises:
        BadInput: names the problem and says what its loss returned instead.
    """
    name = problem.name or type(problem).__name__
    loss: object = problem.loss(x)
    if not isinstance(loss, torch.Tensor) or tuple(loss.shape) != (x.shape[0],):
        kind = f"shape {tuple(loss.shape)}" if isinstance(loss, torch.Tensor) else type(loss)
        wanted = f"must return one loss per row of a batch, shape ({x.shape[0]},)"
        raise BadInput("problem", name, f"is batchable: its loss {wanted}, not {kind}")
    if not loss.is_floating_point() or not loss.requires_grad:
        raise BadInput("problem", name, "its loss must have a floating dtype and depend on x")
    return loss


def _to_host(losses: list[torch.Tensor]) -> Losses:
    """The losses of a block, shape (block, rows), in the dtype in which they were computed."""
    stacked = losses[0].unsqueeze(0) if len(losses) == 1 else torch.stack(losses)
    return stacked.cpu().numpy()


def _first_false(values: npt.NDArray[np.bool_]) -> Integers:
    """For each column the first row that is False; the number of rows where none is."""
    return np.where(values.all(0), len(values), values.argmin(0))


def _reduced(function: np.ufunc, values: Losses) -> Floats:
    """Over the iterations of a block; not a number where one is not."""
    reduced: Losses = values[0] if len(values) == 1 else function.reduce(values)
    return reduced.astype(np.float64)


def _index(positions: Integers, device: torch.device) -> torch.Tensor:
    return torch.from_numpy(positions).to(device)
