"""Layers that normalise."""

from __future__ import annotations

import math
from collections.abc import Sequence

from gdexp.engine.builder import Builder, Value
from gdexp.engine.lowering.elementwise import rsqrt
from gdexp.engine.lowering.reductions import variance
from gdexp.engine.lowering.table import lowers
from gdexp.engine.lowering.values import Number, arithmetic, average, floats, times, total


@lowers("native_layer_norm")
def native_layer_norm(
    b: Builder,
    self: Number,
    normalized_shape: Sequence[int],
    weight: Number | None,
    bias: Number | None,
    eps: float,
) -> tuple[Value, Value, Value]:
    """`(x - mean) * r`, times the weight, plus the bias, with r = 1 / sqrt(variance + eps).

    The variance divides by n. Mean and r are the other results.
    """
    value = floats(b, self)
    dims = list(range(len(value.shape) - len(normalized_shape), len(value.shape)))
    centre = average(b, value, dims, True)
    scale = rsqrt(b, b.apply("add", variance(b, value, dims, 0.0, True), eps))
    result = b.apply("multiply", b.apply("subtract", value, centre), scale)
    result = result if weight is None else times(b, result, weight)
    return (result if bias is None else arithmetic(b, "add", result, bias)), centre, scale


@lowers("native_layer_norm_backward")
def native_layer_norm_backward(
    b: Builder,
    grad_out: Number,
    self: Number,
    normalized_shape: Sequence[int],
    mean: Number,
    rstd: Number,
    weight: Number | None,
    bias: Number | None,
    output_mask: Sequence[bool],
) -> tuple[Value | None, Value | None, Value | None]:
    """With h = `(x - mean) * r` and g = grad * weight: `(r / n) * ((n * g - sum(g)) - h *
    sum(g * h))`; of the weight the sum of `grad * h`, of the bias the sum of grad.
    """  # noqa: D205
    value = floats(b, self)
    outer = len(value.shape) - len(normalized_shape)
    dims, rest = list(range(outer, len(value.shape))), list(range(outer))
    n = float(math.prod(normalized_shape))
    h = arithmetic(b, "multiply", arithmetic(b, "subtract", value, mean), rstd)
    g = floats(b, grad_out) if weight is None else times(b, grad_out, weight)
    first = b.apply("subtract", b.apply("multiply", n, g), total(b, g, dims, True))
    second = b.apply("multiply", h, total(b, b.apply("multiply", g, h), dims, True))
    scale = arithmetic(b, "divide", rstd, n)
    inner = b.apply("multiply", scale, b.apply("subtract", first, second))

    def over_rows(terms: Value) -> Value:
        return total(b, terms, rest) if rest else terms

    of_weight = over_rows(times(b, grad_out, h)) if output_mask[1] else None
    of_bias = over_rows(floats(b, grad_out)) if output_mask[2] else None
    return inner if output_mask[0] else None, of_weight, of_bias
