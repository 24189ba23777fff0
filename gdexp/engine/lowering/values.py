"""What the functions of the table share."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from importlib import import_module

import numpy as np
import numpy.typing as npt

from gdexp.engine.builder import Builder, Value, contiguous
from gdexp.engine.not_portable import NotPortable
from gdexp.engine.operations import Kind
from gdexp.engine.program import Array

Number = Value | Array | float
"""A tensor that depends on x, one that does not, or a Python number."""

Index = npt.NDArray[np.int64]

Dims = int | Sequence[int] | None
"""The dimensions of a reduction; None and an empty list mean all."""


def floats(b: Builder, given: Number) -> Value:
    """Return numbers as floats of the program's type; booleans become 1 and 0."""
    if isinstance(given, Value):
        return given if given.kind is Kind.FLOAT else b.apply("select", given, 1.0, 0.0)
    array = np.asarray(given)
    if array.dtype.kind not in "fiub":
        raise NotPortable(f"a tensor of {array.dtype} has no portable form")
    return b.constant(array)


def condition(b: Builder, given: Number) -> Value:
    """Return booleans; a float is true unless it is 0."""
    if isinstance(given, Value):
        return given if given.kind is Kind.BOOLEAN else b.apply("not_equal", given, 0.0)
    return b.constant(np.asarray(given) != 0, Kind.BOOLEAN)


def is_boolean(given: Number) -> bool:
    """Return whether a tensor is one of booleans."""
    if isinstance(given, Value):
        return given.kind is Kind.BOOLEAN
    return np.asarray(given).dtype == bool


def arithmetic(b: Builder, operation: str, *given: Number) -> Value:
    """Return the result of an elementwise operation on floats."""
    return b.apply(operation, *(floats(b, each) for each in given))


def times(b: Builder, one: Number, other: Number) -> Value:
    """Return a product; a constant factor of ones is left out, as it changes no bit.

    Of booleans it is whether both are true.
    """
    if all(isinstance(each, Value) and each.kind is Kind.BOOLEAN for each in (one, other)):
        return both(b, one, other)
    for factor, rest in ((one, other), (other, one)):
        if not isinstance(factor, Value) and np.all(np.asarray(factor) == 1):
            value = floats(b, rest)
            return b.expand(value, np.broadcast_shapes(np.shape(factor), value.shape))
    return arithmetic(b, "multiply", one, other)


def minus(b: Builder, value: Number) -> Value:
    """Return the numbers with their signs changed."""
    return arithmetic(b, "negative", value)


def select(b: Builder, where: Number, one: Number, other: Number) -> Value:
    """Return the second where the first is true, else the third."""
    return b.apply("select", condition(b, where), floats(b, one), floats(b, other))


def both(b: Builder, *given: Number) -> Value:
    """Return whether all are true."""
    return fold(lambda one, other: b.apply("and", one, other), [condition(b, g) for g in given])


def fold(combine: Callable[[Value, Value], Value], values: Sequence[Value]) -> Value:
    """Return the values combined from the left."""
    result = values[0]
    for value in values[1:]:
        result = combine(result, value)
    return result


def elementary(b: Builder, name: str, *given: Number) -> Value:
    """Return an elementary function, made of the program's operations.

    A builder with a method `elementary` has its own.
    """
    values = [floats(b, each) for each in given]
    own = getattr(b, "elementary", None)
    if own is not None:
        result: Value = own(name, *values)
        return result
    try:
        functions = import_module("gdexp.engine.functions")
    except ModuleNotFoundError:
        raise NotPortable(f"{name} has no portable form") from None
    made: Value = getattr(functions, name)(b, *values)
    return made


def full(b: Builder, shape: Sequence[int], value: float) -> Value:
    """Return one number repeated to a shape."""
    return b.expand(b.constant(value), tuple(shape))


def strided(
    b: Builder, value: Value, shape: Sequence[int], offset: int, strides: Sequence[int]
) -> Value:
    """Return a view; an empty one is made without reading."""
    if math.prod(shape) == 0:
        return b.constant(np.zeros(tuple(shape)), value.kind)
    return b.view(value, tuple(shape), offset, tuple(strides))


def axis(dim: int, dimensions: int) -> int:
    """Return a dimension counted from the front."""
    return dim % max(dimensions, 1)


def axes(dim: Dims, dimensions: int) -> list[int]:
    """Return dimensions in order, counted from the front; all for None and for none."""
    if isinstance(dim, int):
        dim = [dim]
    if not dim:
        return list(range(dimensions))
    return sorted({axis(each, dimensions) for each in dim if dimensions})


def last(b: Builder, value: Value, dims: list[int]) -> Value:
    """Return a value with some dimensions joined, in C order, as its last one."""
    rest = [i for i in range(len(value.shape)) if i not in dims]
    moved = b.transpose(value, [*rest, *dims])
    shape = [value.shape[i] for i in rest]
    return b.reshape(moved, [*shape, math.prod(value.shape[i] for i in dims)])


def kept(shape: Sequence[int], dims: Sequence[int], keepdim: bool) -> tuple[int, ...]:
    """Return a shape after a reduction over some dimensions."""
    pairs = [(i, n) for i, n in enumerate(shape) if keepdim or i not in dims]
    return tuple(1 if i in dims else n for i, n in pairs)


def total(b: Builder, value: Number, dim: Dims = None, keepdim: bool = False) -> Value:
    """Return the sum over dimensions; over all by default."""
    value = floats(b, value)
    dims = axes(dim, len(value.shape))
    if not dims:
        return value  # a tensor of no dimension
    result = b.sum(last(b, value, dims))
    return b.reshape(result, kept(value.shape, dims, keepdim))


def count(shape: Sequence[int], dim: Dims) -> int:
    """Return how many numbers a reduction joins."""
    return math.prod(shape[i] for i in axes(dim, len(shape)))


def average(b: Builder, value: Number, dim: Dims = None, keepdim: bool = False) -> Value:
    """Return the sum divided by n."""
    value = floats(b, value)
    n = count(value.shape, dim)
    return arithmetic(b, "divide", total(b, value, dim, keepdim), float(n))


def tree(b: Builder, value: Value, combine: Callable[[Value, Value], Value]) -> Value:
    """Return numbers combined over the last dimension, in the order of the operation `sum`."""
    *rest, n = value.shape
    if n == 0:
        raise NotPortable("a maximum or product of no numbers has no portable form")
    parts = _split_last(b, value, [(0, n)])
    (whole,) = parts
    while n > 1:
        half = n // 2
        pairs = [(0, half), (n - half, half)]
        middle = [(half, n - 2 * half)] if n > 2 * half else []
        one, other, *odd = _split_last(b, whole, [*pairs, *middle])
        joined = combine(one, other)
        whole = join_last(b, [joined, *odd]) if odd else joined
        n -= half
    return b.reshape(whole, rest)


def _split_last(b: Builder, value: Value, spans: Sequence[tuple[int, int]]) -> list[Value]:
    strides = contiguous(value.shape)
    return [b.view(value, (*value.shape[:-1], n), first, strides) for first, n in spans]


def join_last(b: Builder, values: Sequence[Value]) -> Value:
    """Return values one after the other along the last dimension."""
    turned = [b.transpose(v, [len(v.shape) - 1, *range(len(v.shape) - 1)]) for v in values]
    n = sum(v.shape[0] for v in turned)
    rest = values[0].shape[:-1]
    whole = b.reshape(b.concatenate(turned), (n, *rest))
    return b.transpose(whole, [*range(1, len(rest) + 1), 0])


def positions(shape: Sequence[int]) -> Index:
    """Return the flat position of each number of an array."""
    return np.arange(math.prod(shape), dtype=np.int64).reshape(tuple(shape))


def put(b: Builder, value: Value, places: Index, shape: Sequence[int]) -> Value:
    """Return zeros with numbers at flat positions, each of them once."""
    size = math.prod(shape)
    index = np.full(size, value.size, dtype=np.int64)
    index[places.reshape(-1)] = np.arange(value.size)
    zero = b.constant(np.zeros(1))
    return b.take(b.concatenate([value, zero]), index.reshape(tuple(shape)))


def constant_index(given: Number) -> Index:
    """Return positions that do not depend on x."""
    if isinstance(given, Value):
        raise NotPortable("an index that depends on x has no portable form")
    return np.asarray(given)
