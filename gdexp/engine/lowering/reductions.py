"""Sums, means, maxima, products and norms over dimensions."""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np

from gdexp.engine.builder import Builder, Value
from gdexp.engine.lowering.elementwise import maximum, minimum, power
from gdexp.engine.lowering.table import lowers
from gdexp.engine.lowering.values import (
    Dims,
    Number,
    arithmetic,
    average,
    axes,
    axis,
    condition,
    count,
    floats,
    is_boolean,
    kept,
    last,
    total,
    tree,
)
from gdexp.engine.not_portable import NotPortable


@lowers("sum")
def sum_(
    b: Builder, self: Number, dim: Dims = None, keepdim: bool = False, dtype: object = None
) -> Value:
    """The sum, as a balanced tree over the numbers in C order; no dimensions mean all."""
    return total(b, self, dim, keepdim)


@lowers("mean")
def mean(
    b: Builder, self: Number, dim: Dims = None, keepdim: bool = False, dtype: object = None
) -> Value:
    """The sum divided by n; no dimensions mean all."""
    return average(b, self, dim, keepdim)


def extreme(
    b: Builder, self: Number, dim: Dims, keepdim: bool, combine: Callable[..., Value]
) -> Value:
    """Return maxima or minima, combined in the order of a sum."""
    value = floats(b, self)
    dims = axes(dim, len(value.shape))
    if not dims:
        return value
    made = tree(b, last(b, value, dims), lambda one, two: combine(b, one, two))
    return b.reshape(made, kept(value.shape, dims, keepdim))


@lowers("amax")
def amax(b: Builder, self: Number, dim: Dims = (), keepdim: bool = False) -> Value:
    """The largest one; NaN where one is NaN."""
    return extreme(b, self, dim, keepdim, maximum)


@lowers("amin")
def amin(b: Builder, self: Number, dim: Dims = (), keepdim: bool = False) -> Value:
    """The smallest one; NaN where one is NaN."""
    return extreme(b, self, dim, keepdim, minimum)


@lowers("max")
def max_(b: Builder, self: Number) -> Value:
    """The largest of all; NaN where one is NaN."""
    return amax(b, self)


@lowers("min")
def min_(b: Builder, self: Number) -> Value:
    """The smallest of all; NaN where one is NaN."""
    return amin(b, self)


@lowers("max.other")
def max_other(b: Builder, self: Number, other: Number) -> Value:
    """The larger one."""
    return maximum(b, self, other)


@lowers("min.other")
def min_other(b: Builder, self: Number, other: Number) -> Value:
    """The smaller one."""
    return minimum(b, self, other)


def first_equal(b: Builder, self: Number, best: Value, dims: list[int], keepdim: bool) -> Value:
    """Return the first place, in C order, of the best number or of NaN; as floats."""
    value = floats(b, self)
    if not dims:
        return b.expand(b.constant(0.0), best.shape)
    n = math.prod(value.shape[i] for i in dims)
    full_shape = kept(value.shape, dims, True)
    target = b.expand(b.reshape(best, full_shape), value.shape)
    hit = b.apply("equal", value, target)
    hit = b.apply("or", hit, b.apply("not_equal", value, value))
    lengths = [value.shape[i] if i in dims else 1 for i in range(len(value.shape))]
    places = b.expand(b.constant(np.arange(n).reshape(lengths)), value.shape)
    return extreme(b, b.apply("select", hit, places, float(n)), dims, keepdim, minimum)


def _with_place(
    b: Builder, self: Number, dim: int, keepdim: bool, combine: Callable[..., Value]
) -> tuple[Value, Value]:
    value = floats(b, self)
    dims = [axis(dim, len(value.shape))] if value.shape else []
    best = extreme(b, value, dims, keepdim, combine) if dims else value
    if is_boolean(self):
        return condition(b, best), first_equal(b, value, best, dims, keepdim)
    return best, first_equal(b, value, best, dims, keepdim)


@lowers("max.dim")
def max_dim(b: Builder, self: Number, dim: int, keepdim: bool = False) -> tuple[Value, Value]:
    """The largest one and its first place; the first NaN where there is one."""
    return _with_place(b, self, dim, keepdim, maximum)


@lowers("min.dim")
def min_dim(b: Builder, self: Number, dim: int, keepdim: bool = False) -> tuple[Value, Value]:
    """The smallest one and its first place; the first NaN where there is one."""
    return _with_place(b, self, dim, keepdim, minimum)


@lowers("argmax")
def argmax(b: Builder, self: Number, dim: int | None = None, keepdim: bool = False) -> Value:
    """The first place of the largest one, or of NaN; of all in C order without a dimension."""
    return _place(b, self, dim, keepdim, maximum)


@lowers("argmin")
def argmin(b: Builder, self: Number, dim: int | None = None, keepdim: bool = False) -> Value:
    """The first place of the smallest one, or of NaN; of all in C order without a dimension."""
    return _place(b, self, dim, keepdim, minimum)


def _place(
    b: Builder, self: Number, dim: int | None, keepdim: bool, combine: Callable[..., Value]
) -> Value:
    value = floats(b, self)
    dims = axes(dim, len(value.shape))
    return first_equal(b, value, extreme(b, value, dims, keepdim, combine), dims, keepdim)


@lowers("prod")
def prod(
    b: Builder, self: Number, dim: int | None = None, keepdim: bool = False, dtype: object = None
) -> Value:
    """The product, in the order of a sum; 1 of no numbers."""
    value = floats(b, self)
    dims = axes(dim, len(value.shape))
    if not dims:
        return value
    shape = kept(value.shape, dims, keepdim)
    if count(value.shape, dim) == 0:
        return b.constant(np.ones(shape))
    made = tree(b, last(b, value, dims), lambda one, two: b.apply("multiply", one, two))
    return b.reshape(made, shape)


def variance(b: Builder, self: Number, dim: Dims, correction: float | None, keepdim: bool) -> Value:
    """Return the sum of `(x - mean)²` divided by max(n - correction, 0)."""
    value = floats(b, self)
    n = count(value.shape, dim)
    centre = b.reshape(
        average(b, value, dim, True), kept(value.shape, axes(dim, len(value.shape)), True)
    )
    rest = b.apply("subtract", value, centre)
    squares = total(b, b.apply("multiply", rest, rest), dim, keepdim)
    return b.apply("divide", squares, float(max(n - (1 if correction is None else correction), 0)))


@lowers("var")
def var(
    b: Builder, self: Number, dim: Dims = None, correction: float | None = 1, keepdim: bool = False
) -> Value:
    """The mean first; the sum of `(x - mean)²`, divided by n - correction."""
    if isinstance(dim, bool):  # the overload with `unbiased`
        return variance(b, self, None, float(dim), False)
    return variance(b, self, dim, correction, keepdim)


@lowers("std")
def std(
    b: Builder, self: Number, dim: Dims = None, correction: float | None = 1, keepdim: bool = False
) -> Value:
    """The square root of the variance."""
    return arithmetic(b, "sqrt", var(b, self, dim, correction, keepdim))


@lowers("var_mean")
def var_mean(
    b: Builder, self: Number, dim: Dims = None, correction: float | None = 1, keepdim: bool = False
) -> tuple[Value, Value]:
    """The variance and the mean."""
    return var(b, self, dim, correction, keepdim), average(b, self, dim, keepdim)


@lowers("linalg_vector_norm")
def vector_norm(
    b: Builder,
    self: Number,
    ord: float = 2,  # noqa: A002
    dim: Dims = None,
    keepdim: bool = False,
    dtype: object = None,
) -> Value:
    """2: the root of the sum of squares. 1: the sum of |x|. inf and -inf: the extreme of |x|.

    0: the count of numbers that are not 0. Others: the power 1 / p, as `aten::pow`, of the sum of
    the powers p of |x|.
    """
    value = floats(b, self)
    size = b.apply("absolute", value)
    if ord == 2:
        return b.apply("sqrt", total(b, b.apply("multiply", value, value), dim, keepdim))
    if ord == 1:
        return total(b, size, dim, keepdim)
    if math.isinf(ord):
        return extreme(b, size, dim, keepdim, maximum if ord > 0 else minimum)
    if ord == 0:
        return total(b, b.apply("not_equal", value, 0.0), dim, keepdim)
    return power(b, total(b, power(b, size, ord), dim, keepdim), 1 / ord)


@lowers("norm")
def norm(
    b: Builder, self: Number, p: float | None = 2, dim: Dims = None, keepdim: bool = False
) -> Value:
    """As `linalg_vector_norm`."""
    return vector_norm(b, self, 2.0 if p is None else float(p), dim, keepdim)


@lowers("median", "sort", "topk", "kthvalue")
def ordered(b: Builder, *args: object, **kwargs: object) -> Value:
    """Sorting has no portable form."""
    raise NotPortable("sorting by numbers that depend on x has no portable form")
