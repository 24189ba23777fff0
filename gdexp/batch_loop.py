"""The loop of a batch: rows that share a tensor and nothing else.

Row i makes the same operations on the same numbers as `gdexp.descent` would make on it alone.
The loop runs in blocks of iterations and looks at the losses once per block; rows that ended
inside a block are cut back to their own end, so where the blocks lie changes no result.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt
import torch

from gdexp.batch_result import STATUSES, Floats, Integers, Traces
from gdexp.batch_rules import Hyperparameters
from gdexp.errors import BadInput
from gdexp.optimizers import State
from gdexp.problems.base import Problem
from gdexp.stopping import Status

Losses = npt.NDArray[Any]

CODES = {status: np.int8(code) for code, status in enumerate(STATUSES)}
LONGEST_BLOCK = 64
HELD_BYTES = {"cpu": 2**22, "cuda": 2**28}
"""About what the points of one block may take: on a processor they should stay in its cache."""
SHORTEST_BLOCK = 4
PIECE_VALUES, PIECE_PARTS = 2**22, 512
WORTH_A_COPY = 24
"""From so many losses on, one slice per row is faster than one index per loss."""

_INTEGERS = {2: torch.int16, 4: torch.int32, 8: torch.int64}


class Piece(NamedTuple):
    """Losses of consecutive iterations: `values[j, i]` is row `rows[i]` at `first + j`."""

    rows: Integers
    first: int
    values: Losses


@dataclass(frozen=True)
class Rows:
    """How each row ends: arrays of shape (rows,)."""

    thresholds: Floats
    limits: Integers
    limit_codes: npt.NDArray[np.int8]


class Outcome:
    """What is known of each row once it has ended; every array has shape (rows,)."""

    def __init__(self, rows: int, x: torch.Tensor) -> None:
        self.codes = np.zeros(rows, dtype=np.int8)
        self.iterations = np.zeros(rows, dtype=np.int64)
        self.periods = np.zeros(rows, dtype=np.int64)
        self.final_loss = np.full(rows, np.nan)
        self.loss_before = np.full(rows, np.nan)
        self.loss_midway = np.full(rows, np.nan)
        self.min_loss = np.full(rows, np.nan)
        self.max_loss = np.full(rows, np.nan)
        self.final = torch.empty_like(x)
        self.pieces: list[Piece] = []

    def put(self, rows: Integers, part: Outcome) -> None:
        """Take over what is known of some rows, all but their pieces."""
        for name, values in vars(part).items():
            if isinstance(values, np.ndarray):
                vars(self)[name][rows] = values
        self.final[torch.from_numpy(rows)] = part.final.cpu()


class BatchLoop:
    """One run of the loop over the rows of x.

    Args:
        problem: batchable, on the dtype and device of x.
        rules: the hyperparameters of the rows.
        rows: the stopping rules of the rows.
        x: the starts, shape (rows, *problem.shape).
        keep_traces: whether `Outcome.pieces` is filled.
        block: iterations between two looks at the losses; chosen as it goes when None.
    """

    def __init__(
        self,
        problem: Problem,
        rules: Hyperparameters,
        rows: Rows,
        x: torch.Tensor,
        *,
        keep_traces: bool,
        block: int | None,
    ) -> None:
        count = x.shape[0]
        self.problem, self.rules, self.f_star = problem, rules, problem.reference
        self.update = rules.update
        self.keep_traces, self.block = keep_traces, block
        self.outcome = Outcome(count, x)
        self.k = 0
        self.x = self.anchor_x = x
        self.state: State = ()
        self.anchor_state: State = ()
        self.anchor_k = 0
        self.anchor: Losses | None = None
        self.last: Losses | None = None
        # What follows has one entry for each row that is still in the tensor.
        self.rows = np.arange(count)
        self.which = rules.which
        self.ended = np.zeros(count, dtype=bool)
        self.open = count
        self.thresholds, self.limits = rows.thresholds, rows.limits
        self.limit_codes = rows.limit_codes
        self.lowest = np.full(count, np.inf)
        self.highest = np.full(count, -np.inf)
        self.next_limit, self.last_limit = int(rows.limits.min()), int(rows.limits.max())
        self.midways = np.unique(rows.limits // 2)
        self.pending: list[Losses] = []
        self.constant: tuple[Any, ...] | None = None

    def run(self) -> Outcome:
        """Descend until every row has ended."""
        xs, states = [self.x, self.x], [self.state, self.state]
        loss = first_losses(self.problem, self.x.requires_grad_())
        losses = [loss.detach()]
        while True:
            self._look(losses, xs, states)
            if not self.open:
                self._flush()
                return self.outcome
            if self._compact():
                loss = self.problem.loss(self.x.requires_grad_())
            loss, losses, xs, states = self._advance(loss, self._block())

    def _block(self) -> int:
        """How many iterations are made before the next look.

        Never beyond the next power of two, where the anchor of the cycle search moves, nor
        beyond the last row's limit. A block that is left to choose grows with k, so that rows
        overrun their end by an eighth at most.
        """
        room = min(1 << self.k.bit_length(), self.last_limit) - self.k
        if self.block is not None:
            return min(room, self.block)
        held = self.x.element_size() * self.x.numel() * (1 + len(self.state))
        longest = HELD_BYTES["cpu" if self.x.device.type == "cpu" else "cuda"] // max(held, 1)
        longest = min(max(longest, SHORTEST_BLOCK), LONGEST_BLOCK)
        return min(room, self.k // 8 + 1, longest)

    def _advance(
        self, loss: torch.Tensor, block: int
    ) -> tuple[torch.Tensor, list[torch.Tensor], list[torch.Tensor], list[State]]:
        """Make some iterations.

        Returns:
            the last loss with its graph; the losses of the iterations made; the points and the
            states from the one before the first of them.
        """
        x, state, update, loss_of = self.x, self.state, self.update, self.problem.loss
        losses: list[torch.Tensor] = []
        xs, states = [x], [state]
        for coefficients in self._coefficients(block):
            # The rows do not mix, so the gradient of the sum is each row's own.
            (gradient,) = torch.autograd.grad(loss.sum(), (x,))
            x, state = update(x.detach(), gradient, state, *coefficients)
            loss = loss_of(x.requires_grad_())
            losses.append(loss.detach())
            xs.append(x)
            states.append(state)
        self.k += block
        self.x, self.state = x, state
        return loss, losses, xs, states

    def _coefficients(self, block: int) -> list[tuple[Any, ...]]:
        """The coefficients of the next iterations: plain values, or tensors that fit x."""
        if self.constant is None and self.rules.settled(self.k + 1) is True:
            (self.constant,) = self._tensors(self.k + 1, 1, dense=True)
        if self.constant is not None:
            return [self.constant] * block
        return self._tensors(self.k + 1, block, dense=False)

    def _tensors(self, first: int, block: int, *, dense: bool) -> list[tuple[Any, ...]]:
        told = [self.rules.coefficients(first + j) for j in range(block)]
        columns: list[Any] = []
        for values in zip(*told, strict=True):
            if not any(isinstance(value, np.ndarray) for value in values):
                columns.append(values)
                continue
            per_rule = np.stack([np.broadcast_to(v, len(self.rules)) for v in values])
            rows = torch.from_numpy(per_rule.astype(np.float64)[:, self.which])
            tensor = rows.to(device=self.x.device, dtype=self.x.dtype)
            tensor = tensor.view(block, -1, *[1] * (self.x.ndim - 1))
            # Kernels are twice as fast on a tensor of the shape of x as on one to broadcast.
            columns.append(tensor.expand(block, *self.x.shape).contiguous() if dense else tensor)
        return list(zip(*columns, strict=True)) if columns else [()] * block

    def _look(
        self, losses: list[torch.Tensor], xs: list[torch.Tensor], states: list[State]
    ) -> None:
        """Find the rows that ended in the block of iterations that ends at k, and record."""
        values = _to_host(losses)
        block = len(losses)
        first = self.k - block + 1
        if self.keep_traces:
            self._keep(values)
        wide = values.astype(np.float64, copy=False)
        self._note_midway(first, wide)

        # In the order in which a descent alone looks: the loss, the state, the limit. A row
        # whose offset is `block` goes on.
        gaps = wide - self.f_star if self.f_star else wide
        goes_on = (gaps > self.thresholds) & (wide < np.inf)
        goes_on |= self.ended
        repeats = self._stalls(values, xs, states, goes_on)
        if repeats is not None or self.k >= self.next_limit or not goes_on.all():
            self._end(goes_on, repeats, first, wide, xs)
        np.minimum(self.lowest, _reduced(np.minimum, wide), out=self.lowest)
        np.maximum(self.highest, _reduced(np.maximum, wide), out=self.highest)
        self.last = values[-1]
        self._move_anchor()

    def _end(
        self,
        goes_on: npt.NDArray[np.bool_],
        repeats: tuple[Integers, Integers] | None,
        first: int,
        wide: Floats,
        xs: list[torch.Tensor],
    ) -> None:
        """Record the rows that ended in the block, and take them out of it."""
        block = len(wide)
        by_loss = _first_false(goes_on)
        at = np.minimum(by_loss, np.clip(self.limits - first, 0, block))
        if repeats is not None:
            at = np.minimum(at, repeats[0])
        ended = np.flatnonzero(~self.ended & (at < block))
        at, rows, own = at[ended], self.rows[ended], wide[:, ended]
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
        if self.last is not None:
            history = np.concatenate((self.last[None, ended].astype(np.float64), own))
            outcome.loss_before[rows] = history[at, np.arange(ended.size)]
        known = (np.arange(block)[:, None] <= at) & np.isfinite(own)
        low = np.minimum(self.lowest[ended], np.where(known, own, np.inf).min(0))
        high = np.maximum(self.highest[ended], np.where(known, own, -np.inf).max(0))
        none = low == np.inf  # not one finite loss
        outcome.min_loss[rows] = np.where(none, final, low)
        outcome.max_loss[rows] = np.where(none | (final == np.inf), final, high)
        for offset in np.unique(at).tolist():
            here = at == offset
            chosen = _index(ended[here], self.x.device)
            target = _index(rows[here], self.x.device)
            outcome.final.index_copy_(0, target, xs[offset + 1].detach().index_select(0, chosen))
        self.ended[ended] = True
        self.open -= ended.size

    def _stalls(
        self,
        values: Losses,
        xs: list[torch.Tensor],
        states: list[State],
        goes_on: npt.NDArray[np.bool_],
    ) -> tuple[Integers, Integers] | None:
        """Where in the block rows' states repeat, and after how many iterations; None for none.

        As `gdexp.descent` does it; tensors are compared for rows with equal losses only.
        """
        if self.last is None or self.rules.settled(self.k) is False:
            return None
        like_last = np.empty(values.shape, dtype=bool)
        np.equal(values[0], self.last, out=like_last[0])
        np.equal(values[1:], values[:-1], out=like_last[1:])
        like_anchor = values == (np.nan if self.anchor is None else self.anchor)
        if not (like_last.any() or like_anchor.any()):
            return None
        block, count = values.shape
        offsets = np.arange(block)[:, None]
        first = self.k - block + 1
        running = ~self.ended & (offsets < _first_false(goes_on))
        running &= (offsets <= self.limits - first) & self._settled(first, block)
        like_last &= running
        like_anchor &= running
        at, periods = np.full(count, block), np.zeros(count, dtype=np.int64)
        for j in np.flatnonzero((like_last | like_anchor).any(1)).tolist():
            here = xs[j + 1], states[j + 1]
            for like, there, period in (
                (like_last, (xs[j], states[j]), 1),
                (like_anchor, (self.anchor_x, self.anchor_state), first + j - self.anchor_k),
            ):
                rows = np.flatnonzero(like[j] & (at == block))
                same = rows[_same(here, there, rows)] if rows.size else rows
                at[same], periods[same] = j, period
        return at, periods

    def _settled(self, first: int, block: int) -> npt.NDArray[np.bool_]:
        """Whether a repeated state ends a row, at each iteration of the block."""
        if self.rules.settled(first) is True:
            return np.ones((block, len(self.rows)), dtype=bool)
        told = [self.rules.settled(first + j) for j in range(block)]
        per_rule = np.stack([np.broadcast_to(value, len(self.rules)) for value in told])
        return per_rule[:, self.which]

    def _move_anchor(self) -> None:
        if self.k == 0 or self.k & (self.k - 1) or self.last is None:
            return
        settled = self.rules.settled(self.k)
        if settled is not False:
            # The losses of rows whose rates still change must equal nothing.
            known = np.broadcast_to(settled, len(self.rules))[self.which]
            self.anchor = np.where(known, self.last, self.last.dtype.type(np.nan))
            self.anchor_x, self.anchor_state, self.anchor_k = self.x, self.state, self.k

    def _note_midway(self, first: int, wide: Floats) -> None:
        """Keep the loss in the middle of each row's allowance, for the projected hitting time."""
        low, high = np.searchsorted(self.midways, [first, self.k + 1])
        for middle in self.midways[low:high]:
            here = np.flatnonzero(self.limits // 2 == middle)
            self.outcome.loss_midway[self.rows[here]] = wide[middle - first, here]

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
        index = _index(left, self.x.device)
        self.x = self.x.detach().index_select(0, index)
        self.state = tuple(part.index_select(0, index) for part in self.state)
        self.anchor_x = self.anchor_x.detach().index_select(0, index)
        self.anchor_state = tuple(part.index_select(0, index) for part in self.anchor_state)
        self.last = None if self.last is None else self.last[left]
        self.anchor = None if self.anchor is None else self.anchor[left]
        self.rows, self.which, self.ended = self.rows[left], self.which[left], self.ended[left]
        self.thresholds, self.limits = self.thresholds[left], self.limits[left]
        self.limit_codes = self.limit_codes[left]
        self.lowest, self.highest = self.lowest[left], self.highest[left]
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


def _reduced(function: np.ufunc, values: Floats) -> Floats:
    reduced: Floats = values[0] if len(values) == 1 else function.reduce(values)
    return reduced


def _index(positions: Integers, device: torch.device) -> torch.Tensor:
    return torch.from_numpy(positions).to(device)


def _same(
    here: tuple[torch.Tensor, State], there: tuple[torch.Tensor, State], rows: Integers
) -> npt.NDArray[np.bool_]:
    """For each of some rows, whether two points with their states are equal bit for bit."""
    (x, state), (other_x, other_state) = here, there
    if len(state) != len(other_state):
        return np.zeros(rows.size, dtype=bool)
    index = _index(rows, x.device)
    equal = torch.ones(rows.size, dtype=torch.bool, device=x.device)
    for a, b in zip((x, *state), (other_x, *other_state), strict=True):
        equal &= _bits(a, index).eq(_bits(b, index)).all(1)
    return equal.cpu().numpy()


def _bits(tensor: torch.Tensor, index: torch.Tensor) -> torch.Tensor:
    rows = tensor.detach().index_select(0, index).reshape(len(index), -1)
    return rows.view(_INTEGERS[rows.element_size()])


def joined_traces(outcome: Outcome) -> Traces:
    """The pieces of a run put together row by row; the pieces are used up."""
    lengths = outcome.iterations + 1
    offsets = np.concatenate(([0], np.cumsum(lengths)))
    values = np.empty(offsets[-1], dtype=outcome.pieces[0].values.dtype)
    while outcome.pieces:
        rows, first, block = outcome.pieces.pop()
        by_row = np.ascontiguousarray(block.T)
        # A row that ended inside the piece, or before it, is cut back to its own end.
        counts = np.clip(lengths[rows] - first, 0, len(block))
        starts = offsets[rows] + first
        if len(block) >= WORTH_A_COPY:
            for own, start, count in zip(by_row, starts.tolist(), counts.tolist(), strict=True):
                values[start : start + count] = own[:count]
        else:
            ahead = np.concatenate(([0], np.cumsum(counts)[:-1]))
            places = np.repeat(starts - ahead, counts) + np.arange(counts.sum())
            values[places] = by_row[np.arange(len(block)) < counts[:, None]]
    return Traces(values, offsets)
