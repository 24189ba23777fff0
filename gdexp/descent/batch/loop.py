"""The loop of a batch: rows that share a tensor and nothing else.

Row i makes the same operations on the same numbers as `gdexp.descent` would make on it alone.
The loop runs in blocks of iterations and looks at the losses once per block; rows that ended
inside a block are cut back to their own end, so where the blocks lie changes no result.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import torch

from gdexp.core import BadInput
from gdexp.descent.autograd import gradient_like
from gdexp.descent.batch.cycles import Point
from gdexp.descent.batch.ends import Ends
from gdexp.descent.batch.hyperparameters import Hyperparameters
from gdexp.descent.batch.limits import Limits
from gdexp.descent.batch.options import BatchOptions
from gdexp.descent.batch.outcome import Losses, Outcome, Piece
from gdexp.descent.listener import Listeners
from gdexp.descent.minimum import Minimum
from gdexp.problems import Problem, loss_at, unchanged_loss

SHORTEST_BLOCK, LONGEST_BLOCK = 4, 64
"""In iterations, once the descents are long enough for blocks at all."""

KEPT, SMALL_KEPT, SMALL = 7 / 8, 1 / 2, 2**12
"""Rows that ended are taken out when no more than this share of all is left; of a tensor of so
few numbers that fewer would not make an iteration faster, the second."""

PIECE_VALUES, PIECE_PARTS = 2**22, 512
"""Losses are put together into one array when they are so many, or in so many arrays."""


class BatchLoop:
    """One run of the loop over the rows of x.

    Args:
        problem: batchable, on the dtype and device of x.
        minimum: of the problem.
        rules: the hyperparameters of the rows.
        limits: how the rows end; they are left as they are.
        x: the starts, shape (rows, *problem.shape).
        held: bytes that the points of one block should take.
        options: of the batch. With traces `Outcome.pieces` is filled.
        listeners: of the rows; None: nothing ends one early.
    """

    def __init__(
        self,
        problem: Problem,
        minimum: Minimum,
        rules: Hyperparameters,
        limits: Limits,
        x: torch.Tensor,
        held: int,
        options: BatchOptions,
        listeners: Listeners | None = None,
    ) -> None:
        self.problem, self.rules, self.update = problem, rules, rules.update
        self.held, self.options = held, options
        self.k = 0
        self.point = Point(x, ())
        self.ends = Ends(rules, limits, x, minimum, options.cap, listeners)
        self.pending: list[Losses] = []
        self.constant: tuple[Any, ...] | None = None

    def run(self, between: Callable[[], None]) -> Outcome:
        """Descend until every row has ended.

        Args:
            between: called between two blocks.
        """
        ends = self.ends
        if not ends.open:  # all had ended where they were saved
            return ends.outcome
        loss = self._loss() if self.k else first_losses(self.problem, self.point.x.requires_grad_())
        self.gradient = gradient_like(loss.sum())
        if not self.k:
            self._look([loss.detach()], [self.point, self.point])
        while ends.open:
            if self._compact():
                loss = self._loss()
            loss, losses, points = self._advance(loss, self._block())
            self._look(losses, points)
            if ends.open:
                between()
        self.flush()
        return ends.outcome

    def _loss(self) -> torch.Tensor:
        return self.problem.loss(self.point.x.requires_grad_())

    def _look(self, losses: list[torch.Tensor], points: list[Point]) -> None:
        """Find the rows that ended in a block; keep its losses."""
        made = self.ends.look(self.k, losses, points)
        if self.options.keep_traces:
            self._keep(made if isinstance(made, np.ndarray) else made.cpu().numpy())
        if self.options.watch is not None:
            self.options.watch(self.k, self.ends.open)

    def _block(self) -> int:
        """How many iterations are made before the next look.

        Never beyond the next power of two, where the anchor of the cycle search moves, nor
        beyond the last row's limit. A block that is left to choose grows with k, so that rows
        overrun their end by an eighth at most.
        """
        room = min(1 << self.k.bit_length(), self.ends.last_limit) - self.k
        if self.options.block is not None:
            return min(room, self.options.block)
        x, state = self.point
        iteration = x.element_size() * x.numel() * (1 + len(state))
        longest = self.held // max(iteration, 1)
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
        update, problem, gradient = self.update, self.problem, self.gradient
        losses: list[torch.Tensor] = []
        points = [self.point]
        for k, coefficients in enumerate(self._coefficients(block), self.k + 1):
            # The rows do not mix, so the gradient of the sum is each row's own.
            x, state = update(x.detach(), gradient(loss.sum(), x), state, *coefficients)
            x = x.requires_grad_()
            loss = loss_at(problem, x, k)
            losses.append(loss.detach())
            points.append(Point(x, state))
        self.k += block
        self.point = points[-1]
        return loss, losses, points

    def _coefficients(self, block: int) -> list[tuple[Any, ...]]:
        """The coefficients of the next iterations: plain values, or tensors that fit x."""
        if self.constant is None and self.rules.constant_from(self.k + 1) is True:
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
            rows = torch.from_numpy(per_rule.astype(np.float64)[:, self.ends.which])
            tensor = rows.to(device=x.device, dtype=x.dtype)
            tensor = tensor.view(block, -1, *[1] * (x.ndim - 1))
            # On a processor kernels are twice as fast on a tensor of the shape of x as on one to
            # broadcast; a GPU waits for memory, of which that is more.
            dense = dense and x.device.type == "cpu"
            columns.append(tensor.expand(block, *x.shape).contiguous() if dense else tensor)
        return list(zip(*columns, strict=True)) if columns else [()] * block

    def _keep(self, values: Losses) -> None:
        self.pending.append(values)
        if len(self.pending) >= PIECE_PARTS or len(self.pending) * values.size >= PIECE_VALUES:
            self.flush()

    def flush(self) -> None:
        """Put the losses since the last piece into one."""
        if self.pending:
            values = np.concatenate(self.pending)
            piece = Piece(self.ends.rows, self.k + 1 - len(values), values.T)
            self.ends.outcome.pieces.append(piece)
            self.pending = []

    def _compact(self) -> bool:
        """Take the rows that ended out of the tensors, when enough of them have."""
        ends = self.ends
        kept = SMALL_KEPT if self.point.x.numel() <= SMALL else KEPT
        if ends.open > len(ends.rows) * kept:
            return False
        self.flush()
        left = np.flatnonzero(~ends.ended)
        index = torch.from_numpy(left).to(self.point.x.device)
        self.point = self.point.select(index)
        ends.select(left, index)
        self.constant = None
        return True


def first_losses(problem: Problem, x: torch.Tensor) -> torch.Tensor:
    """The losses at the starts, refused unless they are one per row and depend on x.

    Raises:
        BadInput: names the problem and says what its loss returned instead.
    """
    name = problem.name or type(problem).__name__
    loss: object = unchanged_loss(problem, x)
    if not isinstance(loss, torch.Tensor) or tuple(loss.shape) != (x.shape[0],):
        kind = f"shape {tuple(loss.shape)}" if isinstance(loss, torch.Tensor) else type(loss)
        wanted = f"must return one loss per row of a batch, shape ({x.shape[0]},)"
        raise BadInput("problem", name, f"is batchable: its loss {wanted}, not {kind}")
    if not loss.is_floating_point() or not loss.requires_grad:
        raise BadInput("problem", name, "its loss must have a floating dtype and depend on x")
    return loss
