"""Sums over the last dimension, as trees over memory that fuse what they add up."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import ExitStack

from gdexp.engine.native.body import Body, read_views
from gdexp.engine.native.frame import Frame, Index
from gdexp.engine.native.memory import Place
from gdexp.engine.native.nests import dimensions
from gdexp.engine.native.writer import hexadecimal, tree_sizes

LARGEST_LINE = 32
"""The most numbers whose tree is written without a loop over them."""

LONGEST_LINE = 512
"""The most instructions of such a tree, with what the numbers are computed from."""

Leaf = Callable[[Index], str]


class Sum:
    """Writes one sum.

    A pass over n numbers adds up groups of up to eight at once, the way that the levels of the
    tree say, and leaves about n / 8 in memory. The last pass is written as one expression.

    Args:
        frame: of the function that is written.
        members: the elementwise nodes that are computed on the way, then the sum itself.
    """

    def __init__(self, frame: Frame, members: list[int]) -> None:
        self.frame, self.w = frame, frame.w
        self.members = members
        self.node, self.operations = members[-1], len(members) - 1
        graph = frame.graph
        self.source = graph.operands(self.node)[0]
        self.width = graph.nodes[graph.nodes[self.node].inputs[0]].shape[-1]
        self.count = graph.nodes[self.node].size
        self.views = read_views(frame.graph, members)
        size = self.count * self.width
        dims = dimensions(size, self.views, (self.width,)) if size else ()
        self.outer = dims if self.width == 1 else dims[:-1]
        self.dims = (*self.outer, self.width)
        self._inner: Index = (None, 0)

    def write(self) -> None:
        """Write the loops of the sum."""
        if self.count == 0:
            return
        if self.width == 0:
            self._zeros()
            return
        passes = self._passes()
        if not passes:
            self._in_lines()
        elif self._across():
            self._levels_across(passes)
        else:
            self._levels_along(passes)

    def _zeros(self) -> None:
        if self.count == 1:
            self.frame.scalars[self.node] = hexadecimal(0.0)
            return
        with ExitStack() as stack:
            self.outer = (self.count,)
            (index,) = self.frame.nest(stack, self.outer)
            self._keep([index], hexadecimal(0.0))

    def _passes(self) -> list[int]:
        """Return how many levels of the tree each pass before the last one does."""
        expression = self.operations + 1
        if self.width == 1:
            return []
        if self.width <= LARGEST_LINE and self.width * expression <= LONGEST_LINE:
            return []
        levels = [3 if expression <= 4 else 2 if expression <= 16 else 1]
        left = tree_sizes(self.width)[levels[0] :]
        while left and left[0] > LARGEST_LINE:
            levels.append(3)
            left = left[3:]
        return levels

    def _across(self) -> bool:
        """Return whether the inner loop goes over results, not over the numbers of one."""
        if not self.outer:
            return False
        strides = [view.along(self.dims) for view in self.views]
        along = sum(each is None or each[-1] not in (0, 1) for each in strides)
        across = sum(each is None or each[-2] not in (0, 1) for each in strides)
        across += self._read_in_order()
        return across < along or (across == along and self.outer[-1] >= 8)

    def _read_in_order(self) -> int:
        """Return how many arrays are read in their own order, which runs along the sum."""
        graph = self.frame.graph
        read = {j for i in self.members for j in graph.operands(i)}
        return sum(j in self.frame.places for j in read)

    def _in_lines(self) -> None:
        """Write the whole tree of each result as one expression."""
        axes = len(self.outer)
        with ExitStack() as stack:
            index = self.frame.nest(stack, self.outer)
            leaf = self._leaf(index, (axes, *range(axes)))
            self._keep(index, self._group(tree_sizes(self.width), leaf, (None, 0)))

    def _levels_along(self, passes: list[int]) -> None:
        """Write, for each result, loops over its numbers."""
        order = tuple(range(len(self.dims)))
        size = tree_sizes(self.width)[passes[0]]
        with self.frame.buffer(size) as buffer, ExitStack() as stack:
            index = self.frame.nest(stack, self.outer)
            value = self._run(passes, lambda _: self._leaf(index, order), buffer, None, stack)
            self._keep(index, value)

    def _levels_across(self, passes: list[int]) -> None:
        """Write, for each group of neighbouring results, loops over numbers around them."""
        inner, axes = self.outer[-1], len(self.outer)
        order = (*range(axes - 1), axes, axes - 1)
        size = tree_sizes(self.width)[passes[0]] * inner
        with self.frame.buffer(size) as buffer, ExitStack() as stack:
            index = self.frame.nest(stack, self.outer[:-1])
            value = self._run(
                passes, lambda j: self._leaf([*index, j], order), buffer, inner, stack
            )
            self._keep([*index, self._inner], value)

    def _run(
        self,
        passes: list[int],
        leaf: Callable[[Index], Leaf],
        buffer: Place,
        inner: int | None,
        stack: ExitStack,
    ) -> str:
        """Write the passes and return the sum, inside of a loop over `inner` where there is one.

        Args:
            passes: the levels of each but the last one.
            leaf: from a place of the inner loop to the numbers that are added up.
            buffer: takes what a pass leaves.
            inner: how many results are computed side by side.
            stack: of the loops that stay open.
        """
        wide = inner or 1
        n = self.width
        for levels in passes:
            sizes = tree_sizes(n)[: levels + 1]
            even = min(sizes[i - 1] - sizes[i] - sum(sizes[i + 1 :]) for i in range(1, levels + 1))
            if even > 0:
                with ExitStack() as loops:
                    (i,) = self.frame.nest(loops, (even,))
                    self._one(sizes, leaf, buffer, wide, i)
            for k in range(max(even, 0), sizes[-1]):
                self._one(sizes, leaf, buffer, wide, (None, k))
            n, leaf = sizes[-1], self._memory(buffer, wide)
        (self._inner,) = self.frame.nest(stack, (wide,))
        return self._group(tree_sizes(n), leaf(self._inner), (None, 0))

    def _one(
        self, sizes: list[int], leaf: Callable[[Index], Leaf], buffer: Place, wide: int, i: Index
    ) -> None:
        """Write what a pass leaves at one place, for all results side by side."""
        with ExitStack() as loops:
            (j,) = self.frame.nest(loops, (wide,))
            value = self._group(sizes, leaf(j), i)
            self.frame.store(buffer, self._position(i, wide, j), value)

    def _group(self, sizes: list[int], leaf: Leaf, i: Index) -> str:
        """Write the sum of the group of numbers that the tree's levels join at place i."""
        name, start = i

        def part(level: int, k: int) -> str:
            if level == 0:
                return leaf((name, k))
            first = part(level - 1, k)
            if name is None and k + sizes[level] >= sizes[level - 1]:
                return first
            return self.w.operate("add", [first, part(level - 1, k + sizes[level])])

        return part(len(sizes) - 1, start)

    def _leaf(self, index: list[Index], order: tuple[int, ...]) -> Leaf:
        """Return the numbers that are added up, as a function of their place in the sum."""
        return lambda k: Body(self.frame, self.dims, [*index, k], order).value(self.source)

    def _memory(self, buffer: Place, wide: int) -> Callable[[Index], Leaf]:
        return lambda j: lambda k: self.frame.load(buffer, self._position(k, wide, j))

    def _position(self, k: Index, wide: int, j: Index) -> str:
        """Write `k * wide + j`."""
        return Body(self.frame, (1, wide), [k, j], ()).flat()

    def _keep(self, index: list[Index], value: str) -> None:
        """Keep one result."""
        if self.count == 1:
            self.frame.scalars[self.node] = value
        else:
            place = Body(self.frame, self.outer, index, ()).flat()
            self.frame.store(self.frame.places[self.node], place, value)
