"""Comparisons, logic and rounding to whole numbers."""

from __future__ import annotations

import math

from gdexp.engine.builder import Builder, Value
from gdexp.engine.lowering.table import lowers
from gdexp.engine.lowering.values import Dims, Number, arithmetic, condition, floats, total
from gdexp.engine.not_portable import NotPortable
from gdexp.engine.operations import Kind


@lowers("lt")
def lt(b: Builder, self: Number, other: Number) -> Value:
    """`self < other`; false where one is NaN."""
    return arithmetic(b, "less", self, other)


@lowers("gt")
def gt(b: Builder, self: Number, other: Number) -> Value:
    """`other < self`; false where one is NaN."""
    return arithmetic(b, "less", other, self)


@lowers("le")
def le(b: Builder, self: Number, other: Number) -> Value:
    """`self <= other`; false where one is NaN."""
    return arithmetic(b, "less_equal", self, other)


@lowers("ge")
def ge(b: Builder, self: Number, other: Number) -> Value:
    """`other <= self`; false where one is NaN."""
    return arithmetic(b, "less_equal", other, self)


@lowers("eq")
def eq(b: Builder, self: Number, other: Number) -> Value:
    """`self = other`; false where one is NaN."""
    return arithmetic(b, "equal", self, other)


@lowers("ne")
def ne(b: Builder, self: Number, other: Number) -> Value:
    """`not self = other`; true where one is NaN."""
    return arithmetic(b, "not_equal", self, other)


@lowers("isnan")
def isnan(b: Builder, self: Number) -> Value:
    """Whether a number differs from itself."""
    return ne(b, self, self)


@lowers("isinf")
def isinf(b: Builder, self: Number) -> Value:
    """Whether |self| equals infinity."""
    return eq(b, arithmetic(b, "absolute", self), math.inf)


@lowers("isfinite")
def isfinite(b: Builder, self: Number) -> Value:
    """Whether |self| is less than infinity."""
    return lt(b, arithmetic(b, "absolute", self), math.inf)


@lowers("logical_and")
def logical_and(b: Builder, self: Number, other: Number) -> Value:
    """Both; a number is true unless it is 0."""
    return b.apply("and", condition(b, self), condition(b, other))


@lowers("logical_or")
def logical_or(b: Builder, self: Number, other: Number) -> Value:
    """One of them or both."""
    return b.apply("or", condition(b, self), condition(b, other))


@lowers("logical_xor")
def logical_xor(b: Builder, self: Number, other: Number) -> Value:
    """One of them and not both."""
    one, two = condition(b, self), condition(b, other)
    return b.apply("and", b.apply("or", one, two), b.apply("not", b.apply("and", one, two)))


@lowers("logical_not")
def logical_not(b: Builder, self: Number) -> Value:
    """The opposite."""
    return b.apply("not", condition(b, self))


def _of_booleans(*given: Number) -> None:
    for each in given:
        if isinstance(each, Value) and each.kind is not Kind.BOOLEAN:
            raise NotPortable("operations on the bits of integers have no portable form")


@lowers("bitwise_and", "__and__")
def bitwise_and(b: Builder, self: Number, other: Number) -> Value:
    """Both, of booleans."""
    _of_booleans(self, other)
    return logical_and(b, self, other)


@lowers("bitwise_or", "__or__")
def bitwise_or(b: Builder, self: Number, other: Number) -> Value:
    """One of them or both, of booleans."""
    _of_booleans(self, other)
    return logical_or(b, self, other)


@lowers("bitwise_xor", "__xor__")
def bitwise_xor(b: Builder, self: Number, other: Number) -> Value:
    """One of them and not both, of booleans."""
    _of_booleans(self, other)
    return logical_xor(b, self, other)


@lowers("bitwise_not")
def bitwise_not(b: Builder, self: Number) -> Value:
    """The opposite, of booleans."""
    _of_booleans(self)
    return logical_not(b, self)


@lowers("any")
def any_of(b: Builder, self: Number, dim: Dims = None, keepdim: bool = False) -> Value:
    """Whether the number of true ones is not 0."""
    return b.apply("not_equal", total(b, condition(b, self), dim, keepdim), 0.0)


@lowers("all")
def all_of(b: Builder, self: Number, dim: Dims = None, keepdim: bool = False) -> Value:
    """Whether the number of false ones is 0."""
    false = b.apply("not", condition(b, self))
    return b.apply("equal", total(b, false, dim, keepdim), 0.0)


@lowers("round")
def rounded(b: Builder, self: Number) -> Value:
    """The nearest whole number, of two the even one: `(|self| + c) - c`, with self's sign.

    c = 2^52 in float64 and 2^23 in float32; from there on all numbers are whole.
    """
    value = floats(b, self)
    size = b.apply("absolute", value)
    c = 2.0**52 if b.dtype == "float64" else 2.0**23
    near = b.apply("subtract", b.apply("add", size, c), c)
    signed = b.apply("select", b.apply("less", value, 0.0), b.apply("negative", near), near)
    small = b.apply("and", b.apply("less", size, c), b.apply("not_equal", value, 0.0))
    return b.apply("select", small, signed, value)


@lowers("floor")
def floor(b: Builder, self: Number) -> Value:
    """`round(self)`, less 1 where that is above self."""
    value, near = floats(b, self), rounded(b, self)
    return b.apply("select", b.apply("less", value, near), b.apply("subtract", near, 1.0), near)


@lowers("ceil")
def ceil(b: Builder, self: Number) -> Value:
    """`-floor(-self)`."""
    return b.apply("negative", floor(b, b.apply("negative", floats(b, self))))


@lowers("trunc", "fix")
def trunc(b: Builder, self: Number) -> Value:
    """`floor` from 0 on, `ceil` below."""
    value = floats(b, self)
    return b.apply("select", b.apply("less", value, 0.0), ceil(b, value), floor(b, value))


@lowers("frac")
def frac(b: Builder, self: Number) -> Value:
    """`self - trunc(self)`."""
    return arithmetic(b, "subtract", self, trunc(b, self))
