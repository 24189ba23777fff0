"""Building a program, node by node."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import numpy.typing as npt

from gdexp.engine.operations import ELEMENTWISE, Kind
from gdexp.engine.program import DTYPES, Array, Node, Program

Positions = npt.NDArray[np.int64]

LARGEST_JOINED = 1 << 20
"""The most numbers of a view for which joining it with another one is tried."""


@dataclass(frozen=True)
class Value:
    """The result of a node in a program that is being built.

    Attributes:
        position: of the node.
        shape: of the result.
        kind: of the result.
    """

    position: int
    shape: tuple[int, ...]
    kind: Kind

    @property
    def size(self) -> int:
        """The number of values."""
        return math.prod(self.shape)


@dataclass
class Builder:
    """Collects the nodes of a program; equal nodes are made once.

    Elementwise operations broadcast their inputs as numpy does.

    Args:
        dtype: float32 or float64.
    """

    dtype: str
    _nodes: list[Node] = field(default_factory=list)
    _known: dict[Node, int] = field(default_factory=dict)
    _constants: list[Array] = field(default_factory=list)
    _known_constants: dict[tuple[Any, ...], int] = field(default_factory=dict)

    def program(self, outputs: Mapping[str, Value]) -> Program:
        """Return the program with these results, without the nodes that none of them needs.

        All inputs stay.
        """
        needed = {value.position for value in outputs.values()}
        for i in range(len(self._nodes) - 1, -1, -1):
            node = self._nodes[i]
            if node.operation == "input":
                needed.add(i)
            if i in needed:
                needed.update(node.inputs)
        kept = sorted(needed)
        place = {old: new for new, old in enumerate(kept)}
        constants: list[Array] = []
        used: dict[int, int] = {}
        nodes = []
        for i in kept:
            node = self._nodes[i]
            detail = node.detail
            if node.operation in ("constant", "take", "scatter_add"):
                old = int(detail[0])
                if old not in used:
                    used[old] = len(constants)
                    constants.append(self._constants[old])
                detail = (used[old],)
            inputs = tuple(place[j] for j in node.inputs)
            nodes.append(Node(node.operation, inputs, node.shape, node.kind, detail))
        named = {name: place[value.position] for name, value in outputs.items()}
        program = Program(self.dtype, tuple(nodes), tuple(constants), named)
        program.check()
        return program

    def input(self, name: str, shape: Sequence[int]) -> Value:
        """Return an argument of the program: an array of floats."""
        return self._add("input", (), tuple(shape), Kind.FLOAT, name)

    def constant(self, array: object, kind: Kind = Kind.FLOAT) -> Value:
        """Return an array that belongs to the program, rounded to the program's dtype."""
        position = self._constant(array, kind)
        return self._add("constant", (), self._constants[position].shape, kind, (position,))

    def apply(self, operation: str, *inputs: Value | float) -> Value:
        """Return the result of an elementwise operation; numbers become constants.

        Raises:
            ValueError: the shapes cannot be broadcast.
        """
        row = ELEMENTWISE[operation]
        given = [
            value if isinstance(value, Value) else self.constant(value, kind)
            for value, kind in zip(inputs, row.takes, strict=True)
        ]
        shapes = {value.shape for value in given}
        shape = shapes.pop() if len(shapes) == 1 else np.broadcast_shapes(*shapes)
        given = [self.expand(value, shape) for value in given]
        positions = tuple(value.position for value in given)
        return self._add(operation, positions, shape, row.gives or given[-1].kind)

    def expand(self, value: Value, shape: Sequence[int]) -> Value:
        """Return a value repeated to a shape, as numpy broadcasts it."""
        wanted = tuple(shape)
        if value.shape == wanted:
            return value
        strides = [0] * (len(wanted) - len(value.shape)) + [
            0 if n == 1 else stride
            for n, stride in zip(value.shape, contiguous(value.shape), strict=True)
        ]
        return self.view(value, wanted, 0, strides)

    def view(
        self, value: Value, shape: Sequence[int], offset: int, strides: Sequence[int]
    ) -> Value:
        """Return the numbers at `offset + i * stride0 + …` of a value in C order.

        A view of a view that is affine again becomes one view of the original.
        """
        node = self._nodes[value.position]
        if node.operation == "view":
            joined = _joined(node, tuple(shape), offset, tuple(strides))
            if joined is not None:
                source = self._value(node.inputs[0])
                return self._plain_view(source, tuple(shape), *joined)
        return self._plain_view(value, tuple(shape), offset, tuple(strides))

    def reshape(self, value: Value, shape: Sequence[int]) -> Value:
        """Return the same numbers in C order in another shape."""
        return self.view(value, shape, 0, contiguous(tuple(shape)))

    def transpose(self, value: Value, order: Sequence[int]) -> Value:
        """Return a value with its dimensions in another order."""
        strides = contiguous(value.shape)
        return self.view(value, [value.shape[i] for i in order], 0, [strides[i] for i in order])

    def concatenate(self, values: Sequence[Value]) -> Value:
        """Return the numbers of several values, each in C order, as one flat value."""
        shape = (sum(value.size for value in values),)
        positions = tuple(value.position for value in values)
        return self._add("concatenate", positions, shape, values[0].kind)

    def take(self, value: Value, index: object) -> Value:
        """Return the numbers at flat positions; the result has the shape of the index."""
        position = self._constant(index, Kind.INTEGER)
        shape = self._constants[position].shape
        return self._add("take", (value.position,), shape, value.kind, (position,))

    def sum(self, value: Value) -> Value:
        """Return the sum over the last dimension."""
        return self._add("sum", (value.position,), value.shape[:-1], Kind.FLOAT)

    def scatter_add(self, value: Value, added: Value, index: object) -> Value:
        """Return a value with numbers added at flat positions, one after the other."""
        position = self._constant(index, Kind.INTEGER)
        positions = (value.position, added.position)
        return self._add("scatter_add", positions, value.shape, Kind.FLOAT, (position,))

    def _plain_view(
        self, source: Value, shape: tuple[int, ...], offset: int, strides: tuple[int, ...]
    ) -> Value:
        strides = tuple(0 if n <= 1 else s for n, s in zip(shape, strides, strict=True))
        whole = tuple(0 if n <= 1 else s for n, s in zip(shape, contiguous(shape), strict=True))
        if shape == source.shape and offset == 0 and strides == whole:
            return source
        return self._add("view", (source.position,), shape, source.kind, (offset, *strides))

    def _value(self, position: int) -> Value:
        node = self._nodes[position]
        return Value(position, node.shape, node.kind)

    def _constant(self, array: object, kind: Kind) -> int:
        made = np.array(array, dtype=DTYPES[self.dtype][kind], order="C")
        key = (kind, made.shape, made.tobytes())
        if key not in self._known_constants:
            self._known_constants[key] = len(self._constants)
            self._constants.append(made)
        return self._known_constants[key]

    def _add(
        self,
        operation: str,
        inputs: tuple[int, ...],
        shape: tuple[int, ...],
        kind: Kind,
        detail: tuple[int, ...] | str = (),
    ) -> Value:
        node = Node(operation, inputs, shape, kind, detail)
        position = self._known.get(node)
        if position is None:
            position = self._known[node] = len(self._nodes)
            self._nodes.append(node)
        return Value(position, shape, kind)


def contiguous(shape: tuple[int, ...]) -> tuple[int, ...]:
    """Return the strides of an array in C order, counted in numbers."""
    strides: list[int] = []
    step = 1
    for n in reversed(shape):
        strides.append(step)
        step *= n
    return tuple(reversed(strides))


def _joined(
    inner: Node, shape: tuple[int, ...], offset: int, strides: tuple[int, ...]
) -> tuple[int, tuple[int, ...]] | None:
    """Return offset and strides in the inner view's source, of a view of the view.

    None when the two together are not affine, or too large to be compared number by number.
    """
    if inner.size == 0 or math.prod(shape) == 0:
        return None
    assert not isinstance(inner.detail, str)
    simple = _without_carry(inner.shape, inner.detail, shape, offset, strides)
    if simple is not None or math.prod(shape) > LARGEST_JOINED:
        return simple
    places = _source(inner, _affine(shape, offset, strides))
    start = int(places.flat[0])
    steps = []
    for axis, n in enumerate(shape):
        second = tuple(int(i == axis) for i in range(len(shape)))
        steps.append(int(places[second]) - start if n > 1 else 0)
    fits = np.array_equal(places, _affine(shape, start, tuple(steps)))
    return (start, tuple(steps)) if fits else None


def _without_carry(
    inner: tuple[int, ...],
    detail: tuple[int, ...],
    shape: tuple[int, ...],
    offset: int,
    strides: tuple[int, ...],
) -> tuple[int, tuple[int, ...]] | None:
    """Return the joined view where no step of the outer one carries from an axis to the next.

    A step of the outer view is a sum of steps along the axes of the inner one. When all steps
    together stay inside every axis, the views are affine together.
    """
    if any(stride < 0 for stride in strides):
        return None
    steps = contiguous(inner)
    reached = [offset // step % n for n, step in zip(inner, steps, strict=True)]
    start = detail[0] + sum(i * s for i, s in zip(reached, detail[1:], strict=True))
    joined = []
    for n, stride in zip(shape, strides, strict=True):
        digits = [stride // step % m for m, step in zip(inner, steps, strict=True)]
        joined.append(sum(i * s for i, s in zip(digits, detail[1:], strict=True)) if n > 1 else 0)
        reached = [i + (n - 1) * digit for i, digit in zip(reached, digits, strict=True)]
    if any(i >= n for i, n in zip(reached, inner, strict=True)):
        return None
    return start, tuple(joined)


def _affine(shape: tuple[int, ...], offset: int, strides: tuple[int, ...]) -> Positions:
    """Return `offset + i * stride0 + j * stride1 + …`; shape `shape`."""
    positions: Positions = np.full(shape, offset, dtype=np.int64)
    for axis, (n, stride) in enumerate(zip(shape, strides, strict=True)):
        along = [1] * len(shape)
        along[axis] = n
        positions += (np.arange(n) * stride).reshape(along)
    return positions


def _source(view: Node, positions: Positions) -> Positions:
    """Return which flat positions of its input a view reads at these positions of itself."""
    assert not isinstance(view.detail, str)
    base, *strides = view.detail
    found: Positions = np.full(positions.shape, base, dtype=np.int64)
    for n, stride in zip(reversed(view.shape), reversed(strides), strict=True):
        positions, i = np.divmod(positions, n)
        found += i * stride
    return found
