"""Running sums and products, one number after the other."""

from __future__ import annotations

from collections.abc import Callable

from gdexp.engine.builder import Builder, Value
from gdexp.engine.lowering.elementwise import maximum
from gdexp.engine.lowering.joining import stack
from gdexp.engine.lowering.table import lowers
from gdexp.engine.lowering.values import Number, axis, elementary, floats
from gdexp.engine.lowering.views import select
from gdexp.engine.not_portable import NotPortable

LONGEST = 1024
"""The most numbers in a row; a longer row would make too many operations."""


def scan(b: Builder, self: Number, dim: int, combine: Callable[[Value, Value], Value]) -> Value:
    """Return the running combinations along a dimension, each from the one before."""
    value = floats(b, self)
    if not value.shape or value.size == 0:
        return value
    n = value.shape[axis(dim, len(value.shape))]
    if n > LONGEST:
        raise NotPortable(f"a running sum of more than {LONGEST} numbers has no portable form")
    results = [select(b, value, dim, 0)]
    for i in range(1, n):
        results.append(combine(results[-1], select(b, value, dim, i)))
    return stack(b, results, dim)


@lowers("cumsum")
def cumsum(b: Builder, self: Number, dim: int, dtype: object = None) -> Value:
    """Each sum is the one before plus the next number."""
    return scan(b, self, dim, lambda one, two: b.apply("add", one, two))


@lowers("cumprod")
def cumprod(b: Builder, self: Number, dim: int, dtype: object = None) -> Value:
    """Each product is the one before times the next number."""
    return scan(b, self, dim, lambda one, two: b.apply("multiply", one, two))


@lowers("logcumsumexp")
def logcumsumexp(b: Builder, self: Number, dim: int) -> Value:
    """Each is `m + log1p(exp(-|one - two|))` of the one before and the next; m: the larger."""

    def combine(one: Value, two: Value) -> Value:
        gap = b.apply("absolute", b.apply("subtract", one, two))
        rest = elementary(b, "log1p", elementary(b, "exp", b.apply("negative", gap)))
        return b.apply("add", maximum(b, one, two), rest)

    return scan(b, self, dim, combine)
