"""Arithmetic on single numbers."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from gdexp.engine.builder import Builder, Value
from gdexp.engine.lowering.table import Handler, lowers
from gdexp.engine.lowering.values import (
    Number,
    arithmetic,
    condition,
    elementary,
    floats,
    full,
    minus,
    select,
    times,
)
from gdexp.engine.not_portable import NotPortable
from gdexp.engine.operations import Kind


@lowers("add")
def add(b: Builder, self: Number, other: Number, alpha: float = 1) -> Value:
    """`self + alpha * other`; the product is rounded first."""
    return arithmetic(b, "add", self, times(b, alpha, other))


@lowers("sub")
def sub(b: Builder, self: Number, other: Number, alpha: float = 1) -> Value:
    """`self - alpha * other`; the product is rounded first."""
    return arithmetic(b, "subtract", self, times(b, alpha, other))


@lowers("rsub")
def rsub(b: Builder, self: Number, other: Number, alpha: float = 1) -> Value:
    """`other - alpha * self`."""
    return sub(b, other, self, alpha)


@lowers("mul")
def mul(b: Builder, self: Number, other: Number) -> Value:
    """`self * other`."""
    return times(b, self, other)


@lowers("div", "true_divide")
def div(b: Builder, self: Number, other: Number, rounding_mode: str | None = None) -> Value:
    """`self / other`; never a product with the inverse."""
    if rounding_mode is not None:
        raise NotPortable(f"a division with rounding_mode={rounding_mode} has no portable form")
    return arithmetic(b, "divide", self, other)


@lowers("neg", "negative")
def neg(b: Builder, self: Number) -> Value:
    """The sign bit is changed."""
    return minus(b, self)


@lowers("abs")
def absolute(b: Builder, self: Number) -> Value:
    """The sign bit is cleared."""
    return arithmetic(b, "absolute", self)


@lowers("sign", "sgn")
def sign(b: Builder, self: Number) -> Value:
    """1 above 0, -1 below, else +0, of NaN too."""
    value = floats(b, self)
    below = b.apply("select", b.apply("less", value, 0.0), -1.0, 0.0)
    return b.apply("select", b.apply("less", 0.0, value), 1.0, below)


@lowers("sqrt")
def sqrt(b: Builder, self: Number) -> Value:
    """The square root, rounded once."""
    return arithmetic(b, "sqrt", self)


@lowers("rsqrt")
def rsqrt(b: Builder, self: Number) -> Value:
    """`1 / sqrt(self)`."""
    return b.apply("divide", 1.0, sqrt(b, self))


@lowers("reciprocal")
def reciprocal(b: Builder, self: Number) -> Value:
    """`1 / self`."""
    return b.apply("divide", 1.0, floats(b, self))


@lowers("square")
def square(b: Builder, self: Number) -> Value:
    """`self * self`."""
    value = floats(b, self)
    return b.apply("multiply", value, value)


@lowers("pow")
def power(b: Builder, self: Number, exponent: Number) -> Value:
    """`power(self, exponent)` of `gdexp.engine.functions`; with these exponents it is written out.

    0: 1. 1: self. 2: `self * self`. 3: `(self * self) * self`. 1/2: the square root. -1, -2 and
    -1/2: 1 divided by the power with the opposite exponent.
    """
    if isinstance(exponent, Value | np.ndarray) and np.shape(exponent) != ():
        return elementary(b, "power", *_same_shape(b, self, exponent))
    if isinstance(exponent, Value):
        return elementary(b, "power", *_same_shape(b, self, exponent))
    number = float(exponent)
    value = floats(b, self)
    if number in (-1, -2, -0.5):
        return b.apply("divide", 1.0, power(b, value, -number))
    if number == 0:
        return full(b, value.shape, 1.0)
    if number == 1:
        return value
    if number == 0.5:
        return sqrt(b, value)
    if number in (2, 3):
        product = square(b, value)
        return product if number == 2 else b.apply("multiply", product, value)
    return elementary(b, "power", *_same_shape(b, value, number))


def _same_shape(b: Builder, *given: Number) -> list[Value]:
    values = [floats(b, each) for each in given]
    shape = np.broadcast_shapes(*(value.shape for value in values))
    return [b.expand(value, shape) for value in values]


def _elementary(name: str) -> Handler:
    @lowers(name)
    def lowered(b: Builder, self: Number) -> Value:
        return elementary(b, name, self)

    lowered.__doc__ = f"`{name}` of `gdexp.engine.functions`."
    return lowered


ELEMENTARY = tuple(
    _elementary(name)
    for name in (
        *("exp", "exp2", "expm1", "log", "log2", "log10", "log1p"),
        *("sin", "cos", "erf", "tanh", "sigmoid"),
    )
)
"""The functions that lower an operation of the same name."""


@lowers("tan")
def tan(b: Builder, self: Number) -> Value:
    """`sin(self) / cos(self)`."""
    return b.apply("divide", elementary(b, "sin", self), elementary(b, "cos", self))


@lowers("cosh")
def cosh(b: Builder, self: Number) -> Value:
    """`(e + 1 / e) / 2` with e = exp(self) halved: `e / 2 + (1 / e) / 2`."""
    e = elementary(b, "exp", self)
    return b.apply("add", b.apply("multiply", e, 0.5), b.apply("divide", 0.5, e))


@lowers("sinh")
def sinh(b: Builder, self: Number) -> Value:
    """`(e + e / (e + 1)) / 2` with e = expm1(|self|), with self's sign."""
    value = floats(b, self)
    e = elementary(b, "expm1", b.apply("absolute", value))
    ratio = b.apply("divide", e, b.apply("add", e, 1.0))
    half = b.apply("multiply", b.apply("add", e, ratio), 0.5)
    return b.apply("select", b.apply("less", value, 0.0), b.apply("negative", half), half)


@lowers("maximum")
def maximum(b: Builder, self: Number, other: Number) -> Value:
    """The larger one; self where they are equal; NaN where one is NaN."""
    one, two = floats(b, self), floats(b, other)
    takes_other = b.apply("or", b.apply("less", one, two), b.apply("not_equal", two, two))
    chosen = b.apply("select", takes_other, two, one)
    return b.apply("select", b.apply("not_equal", one, one), one, chosen)


@lowers("minimum")
def minimum(b: Builder, self: Number, other: Number) -> Value:
    """The smaller one; self where they are equal; NaN where one is NaN."""
    one, two = floats(b, self), floats(b, other)
    takes_other = b.apply("or", b.apply("less", two, one), b.apply("not_equal", two, two))
    chosen = b.apply("select", takes_other, two, one)
    return b.apply("select", b.apply("not_equal", one, one), one, chosen)


@lowers("clamp")
def clamp(b: Builder, self: Number, min: Number | None = None, max: Number | None = None) -> Value:  # noqa: A002
    """First the maximum with `min`, then the minimum with `max`; NaN stays."""
    value = floats(b, self)
    if min is not None:
        value = clamp_min(b, value, min)
    return value if max is None else clamp_max(b, value, max)


@lowers("clamp_min")
def clamp_min(b: Builder, self: Number, min: Number) -> Value:  # noqa: A002
    """`min` where self is less than it, else self; a bound that is NaN gives NaN."""
    value, bound = floats(b, self), floats(b, min)
    if isinstance(min, float | int):
        return b.apply("select", b.apply("less", value, bound), bound, value)
    return maximum(b, value, bound)


@lowers("clamp_max")
def clamp_max(b: Builder, self: Number, max: Number) -> Value:  # noqa: A002
    """`max` where it is less than self, else self; a bound that is NaN gives NaN."""
    value, bound = floats(b, self), floats(b, max)
    if isinstance(max, float | int):
        return b.apply("select", b.apply("less", bound, value), bound, value)
    return minimum(b, value, bound)


@lowers("where")
def where(b: Builder, where: Number, self: Number, other: Number) -> Value:
    """`self` where the condition is true, else `other`."""
    return select(b, where, self, other)


@lowers("masked_fill")
def masked_fill(b: Builder, self: Number, mask: Number, value: Number) -> Value:
    """`value` where the mask is true, else self."""
    return select(b, mask, value, self)


@lowers("addcmul")
def addcmul(b: Builder, self: Number, one: Number, two: Number, value: float = 1) -> Value:
    """`self + (value * one) * two`."""
    return arithmetic(b, "add", self, times(b, times(b, value, one), two))


@lowers("addcdiv")
def addcdiv(b: Builder, self: Number, one: Number, two: Number, value: float = 1) -> Value:
    """`self + (value * one) / two`."""
    return arithmetic(b, "add", self, arithmetic(b, "divide", times(b, value, one), two))


@lowers("lerp")
def lerp(b: Builder, self: Number, end: Number, weight: Number) -> Value:
    """`self + weight * (end - self)`; for |weight| >= 1/2 `end - (end - self) * (1 - weight)`."""
    share = floats(b, weight)
    difference = arithmetic(b, "subtract", end, self)
    near = arithmetic(b, "add", self, times(b, weight, difference))
    rest = b.apply("subtract", 1.0, share)
    far = arithmetic(b, "subtract", end, b.apply("multiply", difference, rest))
    return b.apply("select", b.apply("less", b.apply("absolute", share), 0.5), near, far)


@lowers("_to_copy")
def to_copy(b: Builder, self: Number, dtype: object = None, **others: object) -> Value:
    """The same numbers; booleans become 1 and 0, and numbers true unless they are 0."""
    if str(dtype) == "torch.bool":
        return condition(b, self)
    if isinstance(self, Value) and self.kind is Kind.BOOLEAN and dtype is None:
        return self
    return floats(b, self)


@lowers("gdexp::copy")
def copy(b: Builder, shape: Sequence[int], src: Number, *others: object) -> Value:
    """The numbers of src, repeated to a shape."""
    return b.expand(floats(b, src), shape)


@lowers("gdexp::fill")
def fill(b: Builder, shape: Sequence[int], value: Number) -> Value:
    """One number, repeated to a shape."""
    return b.expand(floats(b, value), shape)


@lowers("gdexp::zero")
def zero(b: Builder, shape: Sequence[int]) -> Value:
    """+0, repeated to a shape."""
    return full(b, shape, 0.0)
