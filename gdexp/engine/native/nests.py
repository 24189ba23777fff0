"""The dimensions that a loop nest has, and how views move through memory along them."""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass
from itertools import pairwise

from gdexp.engine.program import Node


@dataclass(frozen=True)
class Affine:
    """A view: where its number i, j, … lies in its source.

    Attributes:
        shape: no dimension has one number; none could be joined with the next one.
        offset: of the first number.
        strides: one for each dimension.
    """

    shape: tuple[int, ...]
    offset: int
    strides: tuple[int, ...]

    @classmethod
    def of(cls, node: Node) -> Affine:
        """Return a view's node in as few dimensions as it needs."""
        assert not isinstance(node.detail, str)
        shape: list[int] = []
        strides: list[int] = []
        for n, stride in zip(node.shape, node.detail[1:], strict=True):
            if n == 1:
                continue
            if shape and strides[-1] == stride * n:
                shape[-1] *= n
                strides[-1] = stride
            else:
                shape.append(n)
                strides.append(stride)
        return cls(tuple(shape), node.detail[0], tuple(strides))

    def along(self, dims: tuple[int, ...]) -> list[int] | None:
        """Return the stride along each dimension of a nest; None where one crosses two of ours."""
        found = []
        ours = list(zip(self.shape, units(self.shape), self.strides, strict=True))
        for n, unit in zip(dims, units(dims), strict=True):
            holds = [
                stride * (unit // step)
                for size, step, stride in ours
                if unit % step == 0 and unit * n <= step * size
            ]
            if n > 1 and not holds:
                return None
            found.append(holds[-1] if holds and n > 1 else 0)
        return found


def units(dims: tuple[int, ...]) -> list[int]:
    """Return how many numbers one step along each dimension passes, in C order."""
    return [math.prod(dims[i + 1 :]) for i in range(len(dims))]


def dimensions(size: int, views: Iterable[Affine], forced: tuple[int, ...] = ()) -> tuple[int, ...]:
    """Return the dimensions of a nest over `size` numbers in which the views have strides.

    Args:
        size: of the nest.
        views: one that does not fit the others is left out.
        forced: a step of this many numbers begins a new dimension; no view divides a smaller one.
    """
    cuts = {1, size, *forced}
    smallest = min(forced, default=1)
    for view in views:
        more = cuts | {unit for unit in units(view.shape) if unit >= smallest}
        chain = sorted(more)
        if all(b % a == 0 for a, b in pairwise(chain)):
            cuts = more
    chain = sorted(cuts, reverse=True)
    return tuple(a // b for a, b in pairwise(chain))
