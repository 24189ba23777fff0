"""Functions of real numbers as sequences of the operations in the table.

Each takes a builder and a value of it, and appends elementwise operations only: native and
interpreted code agree by construction. For float64 and float32 it is within 1 unit in the last
place of the exact value; NaN, infinities, zeros with their signs and subnormal numbers are those
of C's functions. The counts of operations are those of the table, changes between a float and its
bits included, which cost nothing in native code.
"""

from gdexp.engine.functions.error_function import erf
from gdexp.engine.functions.exponential import exp, expm1
from gdexp.engine.functions.logarithm import log, log1p
from gdexp.engine.functions.logistic import sigmoid, softplus, tanh
from gdexp.engine.functions.power import exp2, log2, log10, power
from gdexp.engine.functions.trigonometric import cos, sin

__all__ = [
    "cos",
    "erf",
    "exp",
    "exp2",
    "expm1",
    "log",
    "log1p",
    "log2",
    "log10",
    "power",
    "sigmoid",
    "sin",
    "softplus",
    "tanh",
]
