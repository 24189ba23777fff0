"""The inside of a loop: the value of a node at one place of the loop nest."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np

from gdexp.engine.native.frame import Frame, Index
from gdexp.engine.native.nests import Affine, units
from gdexp.engine.native.prepared import Graph
from gdexp.engine.operations import Kind
from gdexp.engine.program import Array


@dataclass
class Body:
    """Writes the values of nodes at one place.

    Attributes:
        frame: of the function that is written.
        dims: of the loop nest.
        index: the place: one entry for each dimension.
        order: the dimensions from the outermost loop to the innermost one.
        known: the registers of values that have been written.
    """

    frame: Frame
    dims: tuple[int, ...]
    index: list[Index]
    order: tuple[int, ...]
    known: dict[int, str] = field(default_factory=dict)

    def value(self, i: int) -> str:
        """Return the value of a node here."""
        if i in self.frame.scalars:
            return self.frame.scalars[i]
        if i not in self.known:
            self.known[i] = self._value(i)
        return self.known[i]

    def compute(self, i: int) -> str:
        """Return the result of an elementwise node here, although it may also be in memory."""
        graph = self.frame.graph
        given = [self.value(j) for j in graph.operands(i)]
        self.known[i] = self.frame.w.operate(graph.nodes[i].operation, given)
        return self.known[i]

    def flat(self) -> str:
        """Return the position of this place in C order."""
        return self._linear(self._units(), 0)

    def store(self, i: int, value: str) -> None:
        """Write the value of a stored node here to memory."""
        self.frame.store(self.frame.places[i], self.flat(), value)

    def _value(self, i: int) -> str:
        graph = self.frame.graph
        node = graph.nodes[i]
        if i in self.frame.places:
            return self.frame.load(self.frame.places[i], self.flat())
        if node.operation == "constant":
            return self._constant(i)
        if node.operation == "view":
            source = graph.operands(i)[0]
            if graph.nodes[source].size == 1:
                return self.value(source)
            return self._read(source, self._through(Affine.of(node)))
        if node.operation == "take":
            return self._take(i)
        return self.compute(i)

    def _read(self, source: int, position: str) -> str:
        """Return a number of an array in memory."""
        if source in self.frame.places:
            return self.frame.load(self.frame.places[source], position)
        graph = self.frame.graph
        detail = graph.nodes[source].detail
        assert not isinstance(detail, str)
        place = self.frame.pooled(graph.constants[detail[0]], graph.nodes[source].kind)
        return self.frame.load(place, position)

    def _take(self, i: int) -> str:
        graph = self.frame.graph
        node = graph.nodes[i]
        source = graph.operands(i)[0]
        if graph.nodes[source].size == 1:
            return self.value(source)
        assert not isinstance(node.detail, str)
        return self._read(source, self.position(graph.constants[node.detail[0]]))

    def position(self, index: Array) -> str:
        """Return the entry of a constant with positions here."""
        place = self.frame.pooled(index, Kind.INTEGER)
        found = self.frame.load(place, self.flat())
        if self.frame.w.types.bits == 64:
            return found
        return self.frame.w.set(f"sext i32 {found} to i64")

    def _constant(self, i: int) -> str:
        """Return a constant's number; the loop's order decides how it lies in memory."""
        node = self.frame.graph.nodes[i]
        assert not isinstance(node.detail, str)
        array = self.frame.graph.constants[node.detail[0]]
        array = array.reshape(self.dims if array.size > 1 else 1)
        for axis in range(array.ndim):
            if _repeats(array, axis):
                array = array.take([0], axis)
        if array.size == 1:
            return self.frame.w.types.literal(array.reshape(-1)[0], node.kind)
        shape = tuple(array.shape[axis] for axis in self.order)
        steps = dict(zip(self.order, units(shape), strict=True))
        strides = [steps[axis] if array.shape[axis] > 1 else 0 for axis in range(array.ndim)]
        place = self.frame.pooled(array.transpose(self.order), node.kind)
        return self.frame.load(place, self._linear(strides, 0))

    def _through(self, view: Affine) -> str:
        """Return the position in its source that a view reads here."""
        strides = view.along(self.dims)
        if strides is not None:
            return self._linear(strides, view.offset)
        w = self.frame.w
        rest = self.flat()
        position = str(view.offset)
        for n, stride in zip(reversed(view.shape), reversed(view.strides), strict=True):
            step = w.set(f"mul nsw i64 {w.set(f'urem i64 {rest}, {n}')}, {stride}")
            position = w.set(f"add nsw i64 {position}, {step}")
            rest = w.set(f"udiv i64 {rest}, {n}")
        return position

    def _units(self) -> list[int]:
        return units(self.dims)

    def _linear(self, strides: list[int], offset: int) -> str:
        """Write `offset + Σ index * stride`."""
        w = self.frame.w
        total: str | None = None
        for (name, constant), stride in zip(self.index, strides, strict=True):
            offset += constant * stride
            if name is None or stride == 0:
                continue
            term = name if stride == 1 else w.set(f"mul nsw i64 {name}, {stride}")
            total = term if total is None else w.set(f"add nsw i64 {total}, {term}")
        if total is None:
            return str(offset)
        return w.set(f"add nsw i64 {total}, {offset}") if offset else total


def _repeats(array: Array, axis: int) -> bool:
    """Return whether an array has the same bits all along a dimension."""
    if array.shape[axis] == 1:
        return False
    bits = array.view(np.dtype(f"i{array.dtype.itemsize}"))
    return bool((bits == bits.take([0], axis)).all())


def read_views(graph: Graph, members: list[int], only: int | None = None) -> list[Affine]:
    """Return the views of arrays that the nodes of a loop read.

    Args:
        graph: the nodes.
        members: the nodes of the loop.
        only: the one operand that is asked for; None: all.
    """
    found = []
    for j in (j for i in members for j in graph.operands(i)):
        node = graph.nodes[j]
        if node.operation != "view" or node.size <= 1 or only not in (None, j):
            continue
        if graph.nodes[graph.operands(j)[0]].size > 1:
            found.append(Affine.of(node))
    return found
