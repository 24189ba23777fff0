"""How many rows run at once: on a processor by its cache, on a GPU by its memory."""

from __future__ import annotations

from typing import NamedTuple

import torch

from gdexp.descent.autograd import gradient_like
from gdexp.descent.batch.loop import SHORTEST_BLOCK, first_losses
from gdexp.optimizers import UpdateRule
from gdexp.problems import Problem

CACHED_NUMBERS, CACHED_POINTS = 2**19, 2**22
"""On a processor: numbers in the x of the rows that run at once, and bytes of a block's points."""

SHARE = 0.5
"""Of the free memory of a GPU, what a batch is planned to take."""

MOST_POINTS = 2**28
"""Bytes that the points of one block take on a GPU at most, where rows leave a choice: enough
for the host's work between two blocks to be small beside theirs."""


class Room(NamedTuple):
    """What may be held at once.

    Attributes:
        rows: that run at once.
        points: bytes that the points of one block should take.
    """

    rows: int
    points: int


class Need(NamedTuple):
    """Bytes that a row takes while it descends.

    Attributes:
        point: x and the state of its rule.
        iteration: what one more iteration of a block adds: a point, losses and coefficients.
        rest: whatever else there is at the same time.
    """

    point: int
    iteration: int
    rest: int


def room(
    problem: Problem, rule: UpdateRule, start: torch.Tensor, device: torch.device, block: int | None
) -> Room:
    """How many rows of a problem run at once on a device.

    Args:
        problem: on the device.
        rule: one of those of the rows.
        start: one start, in the dtype of the descent.
        device: that they run on.
        block: iterations between two looks at the losses, where that is given.
    """
    if device.type == "cpu":
        return Room(max(1, CACHED_NUMBERS // start.numel()), CACHED_POINTS)
    return room_in(free_bytes(device), need(problem, rule, start.to(device)), block)


def room_in(free: int, each: Need, block: int | None = None) -> Room:
    """The rows that a share of the free memory holds.

    Args:
        free: bytes.
        each: bytes of a row.
        block: as for `room`.
    """
    budget = int(free * SHARE)
    # A block takes its points and, in proportion, its losses; or else the shortest one does.
    points = min(MOST_POINTS, budget // 4 * each.point // each.iteration)
    left = budget - points * each.iteration // each.point
    row = (block or SHORTEST_BLOCK) * each.iteration + each.rest
    return Room(max(1, left // row), points)


def free_bytes(device: torch.device) -> int:
    """What a GPU has left for tensors: free, or held by torch and not in use."""
    free, _ = torch.cuda.mem_get_info(device)
    return free + torch.cuda.memory_reserved(device) - torch.cuda.memory_allocated(device)


def need(problem: Problem, rule: UpdateRule, start: torch.Tensor) -> Need:
    """Bytes that a row takes, judged by the first iteration of two rows.

    What autograd keeps for the gradient is counted; what operations take for a moment is not
    seen and is taken to be as much again, and some copies of x.
    """
    kept: dict[int, int] = {}

    def keep(tensor: torch.Tensor) -> torch.Tensor:
        storage = tensor.untyped_storage()
        kept[storage.data_ptr()] = storage.nbytes()
        return tensor

    with torch.enable_grad():
        x = start.expand(2, *start.shape).clone().requires_grad_()
        with torch.autograd.graph.saved_tensors_hooks(keep, lambda tensor: tensor):
            loss = first_losses(problem, x)
        total = loss.sum()
        gradient = gradient_like(total)(total, x)
        coefficients = rule.coefficients(1)
        _, state = rule.update(x.detach(), gradient, (), *coefficients)
    graph = sum(kept.values()) // 2
    numbers = start.numel() * start.element_size()
    point = (1 + len(state)) * numbers
    # A loss is held in the block, in the list that the block is made of, and where it is looked
    # at; a coefficient is made in double precision.
    iteration = point + 4 * loss.element_size() + 2 * 8 * len(coefficients)
    # The point before the block, the anchor, and copies of three when rows are taken out.
    points = 5 * point
    momentary = 2 * graph + 10 * numbers
    looked_at = 96 + 8 * loss.element_size()
    return Need(point, iteration, points + momentary + looked_at)
