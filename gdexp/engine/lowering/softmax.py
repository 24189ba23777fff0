"""Softmax, its logarithm, and the logarithm of a sum of exponentials."""

from __future__ import annotations

import math

from gdexp.engine.builder import Builder, Value
from gdexp.engine.lowering.reductions import amax
from gdexp.engine.lowering.table import lowers
from gdexp.engine.lowering.values import Dims, Number, axes, elementary, floats, kept, times, total


def _shifted(b: Builder, self: Number, dim: int) -> Value:
    value = floats(b, self)
    return b.apply("subtract", value, amax(b, value, [dim], True))


@lowers("_log_softmax", "log_softmax")
def log_softmax(b: Builder, self: Number, dim: int, half_to_float: object = False) -> Value:
    """`(x - m) - log(sum(exp(x - m)))` with m the largest x."""
    shifted = _shifted(b, self, dim)
    sums = total(b, elementary(b, "exp", shifted), [dim], True)
    return b.apply("subtract", shifted, elementary(b, "log", sums))


@lowers("_log_softmax_backward_data")
def log_softmax_backward(
    b: Builder, grad: Number, output: Number, dim: int, dtype: object
) -> Value:
    """`grad - exp(output) * sum(grad)`."""
    sums = total(b, grad, [dim], True)
    product = times(b, elementary(b, "exp", output), sums)
    return b.apply("subtract", floats(b, grad), product)


@lowers("_softmax", "softmax")
def softmax(b: Builder, self: Number, dim: int, half_to_float: object = False) -> Value:
    """`exp(x - m) / sum(exp(x - m))` with m the largest x."""
    e = elementary(b, "exp", _shifted(b, self, dim))
    return b.apply("divide", e, total(b, e, [dim], True))


@lowers("_softmax_backward_data")
def softmax_backward(b: Builder, grad: Number, output: Number, dim: int, dtype: object) -> Value:
    """`grad * output - output * sum(grad * output)`."""
    value = floats(b, output)
    product = times(b, grad, value)
    sums = total(b, product, [dim], True)
    return b.apply("subtract", product, b.apply("multiply", value, sums))


@lowers("logsumexp")
def logsumexp(b: Builder, self: Number, dim: Dims, keepdim: bool = False) -> Value:
    """`log(sum(exp(x - m))) + m` with m the largest x; m counts as 0 where |m| is infinite."""
    value = floats(b, self)
    dims = axes(dim, len(value.shape))
    largest = amax(b, value, dims, True)
    finite = b.apply("not_equal", b.apply("absolute", largest), math.inf)
    safe = b.apply("select", finite, largest, 0.0)
    e = elementary(b, "exp", b.apply("subtract", value, safe))
    made = b.apply("add", elementary(b, "log", total(b, e, dims, True)), safe)
    return b.reshape(made, kept(value.shape, dims, keepdim))
