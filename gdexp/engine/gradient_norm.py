"""The Euclidean norm of a gradient, with the same bits in a program and on a torch tensor.

The numbers are divided by a power of two, which rounds nothing, so that their squares neither
overflow nor vanish. Apart from that the norm is the root of the sum of squares, and the sum is the
fixed tree of the operation `sum`.
"""

from __future__ import annotations

import math

import numpy as np
import torch

from gdexp.engine.builder import Builder, Value
from gdexp.engine.interpreter import tree_sum
from gdexp.engine.operations import Kind
from gdexp.engine.program import DTYPES

GRADIENT_NORM = "gradient_norm"
"""The result of an evaluation that holds the norm."""

_EXPONENT = {"float32": 0x7F800000, "float64": 0x7FF0000000000000}
"""The bits of a float's exponent."""


def norm_value(builder: Builder, gradient: Value) -> Value:
    """Return the norm of a gradient in a program, of shape ().

    It is NaN where the sum of the absolute values is not finite.
    """
    apply = builder.apply
    flat = builder.reshape(gradient, (gradient.size,))
    size = builder.sum(apply("absolute", flat))
    exponent = apply("and_integer", apply("to_bits", size), _EXPONENT[builder.dtype])
    power = apply("from_bits", exponent)
    smallest = float(np.finfo(DTYPES[builder.dtype][Kind.FLOAT]).tiny)
    power = apply("select", apply("less", power, smallest), smallest, power)
    scaled = apply("multiply", flat, apply("divide", 1.0, power))
    root = apply("sqrt", builder.sum(apply("multiply", scaled, scaled)))
    norm = apply("multiply", root, power)
    return apply("select", apply("not_equal", norm, norm), math.nan, norm)


def gradient_norm(gradient: torch.Tensor) -> float:
    """Return the norm of a gradient that torch computed, as `norm_value` does.

    Numbers of 16 bits are made float32 first.
    """
    flat = gradient.detach().reshape(-1)
    if flat.dtype not in (torch.float32, torch.float64):
        flat = flat.float()
    size = float(tree_sum(flat.abs()))
    if not math.isfinite(size):
        return math.nan
    power = max(2.0 ** (math.frexp(size)[1] - 1), torch.finfo(flat.dtype).tiny)
    scaled = flat * (1 / power)
    with np.errstate(over="ignore"):
        root = np.sqrt(tree_sum(scaled * scaled).cpu().numpy())
        return float(root * root.dtype.type(power))
