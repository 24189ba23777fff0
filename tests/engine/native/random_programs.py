"""Random programs of all operations, to refute that two ways of computing them agree."""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np

from gdexp.engine.builder import Builder, Value
from gdexp.engine.operations import ELEMENTWISE, Kind
from gdexp.engine.plan import Plan
from gdexp.engine.program import Program

ARITHMETIC = ["add", "subtract", "multiply", "divide", "sqrt", "negative", "absolute"]
COMPARISONS = ["less", "less_equal", "equal", "not_equal"]
INTEGERS = [
    *["add_integer", "subtract_integer", "multiply_integer", "and_integer", "or_integer"],
    *["less_integer", "equal_integer"],
]
SHAPES = [(), (1,), (2,), (7,), (3, 5), (4, 1, 6), (5, 3), (40,), (2, 33), (33, 2), (6, 40)]


class Source:
    """Draws programs.

    Args:
        seed: of the draws.
        dtype: of the programs.
    """

    def __init__(self, seed: int, dtype: str) -> None:
        self.draw = np.random.default_rng(seed)
        self.b = Builder(dtype)
        self.values: list[Value] = []

    def one_of(self, options: list[str]) -> str:
        return options[self.draw.integers(len(options))]

    def shape(self) -> tuple[int, ...]:
        return SHAPES[self.draw.integers(len(SHAPES))]

    def value(self, shape: tuple[int, ...] | None = None) -> Value:
        """A value that is there, seen in a shape."""
        value = self.values[-1 - int(self.draw.integers(min(len(self.values), 9)))]
        if shape is None or value.shape == shape:
            return value
        if value.size == math.prod(shape):
            return self.b.reshape(value, shape)
        if self.draw.random() < 0.3:
            return self.b.take(value, self.draw.integers(0, value.size, shape))
        return self.view(value, shape)

    def view(self, value: Value, shape: tuple[int, ...]) -> Value:
        strides, low, high = [], 0, 0
        for n in shape:
            room = value.size - 1 - (high - low)
            most = room // (n - 1) if n > 1 else 0
            step = int(self.draw.integers(-min(most, 9), min(most, 9) + 1))
            strides.append(step)
            low, high = low + min(0, step * (n - 1)), high + max(0, step * (n - 1))
        offset = -low + int(self.draw.integers(0, value.size - (high - low)))
        return self.b.view(value, shape, offset, strides)

    def constant(self, shape: tuple[int, ...]) -> Value:
        return self.b.constant(self.draw.normal(size=shape))

    def elementwise(self) -> Value:
        shape = self.shape()
        row = ELEMENTWISE[operation := self.one_of(ARITHMETIC)]
        return self.b.apply(operation, *(self.value(shape) for _ in row.takes))

    def chosen(self) -> Value:
        shape = self.shape()
        where = self.b.apply(self.one_of(COMPARISONS), self.value(shape), self.value(shape))
        if self.draw.random() < 0.5:
            other = self.b.apply("less", self.value(shape), self.constant(()))
            where = self.b.apply(self.one_of(["and", "or"]), where, self.b.apply("not", other))
        return self.b.apply("select", where, self.value(shape), self.value(shape))

    def integers(self) -> Value:
        shape, b = self.shape(), self.b
        first = b.apply("to_bits", self.value(shape))
        second = b.apply(self.one_of(["shift_left", "shift_right"]), first, 3)
        operation = self.one_of(INTEGERS)
        third = b.apply(operation, first, second)
        if third.kind == Kind.BOOLEAN:
            third = b.apply("select_integer", third, second, first)
        found = b.apply("from_bits", third)
        wild = b.apply("not", b.apply("less", b.apply("absolute", found), 1e3))
        return b.apply("select", wild, self.value(shape), found)

    def sum(self) -> Value:
        shape = self.shape() or (int(self.draw.choice([0, 1, 3, 33, 70, 300])),)
        value = self.value(shape) if math.prod(shape) else self.constant(shape)
        if self.draw.random() < 0.6:
            value = self.b.apply("multiply", value, self.constant(shape))
        if len(shape) == 2 and self.draw.random() < 0.5:
            value = self.b.transpose(value, (1, 0))
        return self.b.sum(value)

    def joined(self) -> Value:
        parts = [self.value(self.shape()) for _ in range(int(self.draw.integers(1, 4)))]
        return self.b.concatenate(parts)

    def scattered(self) -> Value:
        target, added = self.value(self.shape()), self.value(self.shape())
        places = self.draw.integers(0, target.size, added.shape)
        return self.b.scatter_add(target, added, places)

    def grow(self, count: int) -> None:
        """Add nodes; a number without end becomes 1, a large one smaller."""
        kinds: list[Callable[[], Value]] = [
            *[self.elementwise] * 6,
            *[self.sum] * 3,
            self.chosen,
            self.integers,
            self.joined,
            self.scattered,
        ]
        for _ in range(count):
            value = kinds[self.draw.integers(len(kinds))]()
            finite = self.b.apply("less", self.b.apply("absolute", value), 1e4)
            value = self.b.apply("select", finite, value, 1.0)
            if value.size:
                self.values.append(value)


Shapes = dict[str, tuple[int, ...]]


def random_program(seed: int, dtype: str, size: int, inputs: Shapes, outputs: Shapes) -> Program:
    """A program whose results depend on all inputs and stay in [-4, 4] unless one is NaN."""
    source = Source(seed, dtype)
    b = source.b
    named = [b.input(name, shape) for name, shape in inputs.items()]
    source.values += [*named, source.constant((300,))]
    source.grow(size)
    found = {}
    for name, shape in outputs.items():
        total = source.value(shape)
        for value in named:
            total = b.apply("add", total, source.view(value, shape))
        inside = b.apply("less_equal", b.apply("absolute", total), 4.0)
        found[name] = b.apply("select", inside, total, b.apply("divide", 3.0, total))
    return b.program(found)


def random_plan(seed: int, dtype: str, size: int = 24) -> Plan:
    """A plan whose three programs are random."""
    draw = np.random.default_rng([seed, 1])
    n = int(draw.choice([1, 2, 9, 41]))
    states: Shapes = {f"state{i}": s for i, s in enumerate([(n,), ()][: draw.integers(0, 3)])}
    common: Shapes = {"x": (n,), "loss": (), "gradient": (n,), "coefficient0": ()}
    results: Shapes = {"x": (n,), **states}
    return Plan(
        random_program(10 * seed, dtype, size, {"x": (n,)}, {"loss": (), "gradient": (n,)}),
        random_program(10 * seed + 1, dtype, size // 2, common, results),
        random_program(10 * seed + 2, dtype, size // 2, {**common, **states}, results),
        1,
    )
