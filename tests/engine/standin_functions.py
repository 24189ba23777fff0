"""Crude elementary functions with the interface of `gdexp.engine.functions`.

Their error is some units in the last place for arguments of moderate size.
"""

from __future__ import annotations

import math

from gdexp.engine.builder import Builder, Value


def _polynomial(b: Builder, x: Value, coefficients: list[float]) -> Value:
    result = b.expand(b.constant(coefficients[-1]), x.shape)
    for c in reversed(coefficients[:-1]):
        result = b.apply("add", b.apply("multiply", result, x), c)
    return result


def _nearest(b: Builder, x: Value) -> Value:
    c = 1.5 * 2.0 ** (52 if b.dtype == "float64" else 23)
    return b.apply("subtract", b.apply("add", x, c), c)


def _format(b: Builder) -> tuple[int, int, float]:
    return (52, 1023, 1.5 * 2.0**52) if b.dtype == "float64" else (23, 127, 1.5 * 2.0**23)


def _power_of_two(b: Builder, k: Value) -> Value:
    mantissa, bias, c = _format(b)
    integer = b.apply("to_bits", b.apply("add", k, c + bias))
    return b.apply("from_bits", b.apply("shift_left", integer, mantissa))


def exp(b: Builder, x: Value) -> Value:
    low, high = (-700.0, 700.0) if b.dtype == "float64" else (-86.0, 86.0)
    inside = b.apply("select", b.apply("less", x, low), low, x)
    inside = b.apply("select", b.apply("less", high, inside), high, inside)
    k = _nearest(b, b.apply("multiply", inside, 1 / math.log(2)))
    head = float.fromhex("0x1.62e42fee00000p-1") if b.dtype == "float64" else 0.693359375
    tail = math.log(2) - head if b.dtype != "float64" else float.fromhex("0x1.a39ef35793c76p-33")
    r = b.apply("subtract", inside, b.apply("multiply", k, head))
    r = b.apply("subtract", r, b.apply("multiply", k, tail))
    series = _polynomial(b, r, [1 / math.factorial(i) for i in range(14)])
    made = b.apply("multiply", series, _power_of_two(b, k))
    made = b.apply("select", b.apply("less", x, low), 0.0, made)
    made = b.apply("select", b.apply("less", high, x), math.inf, made)
    return b.apply("select", b.apply("not_equal", x, x), x, made)


def _log_near(b: Builder, ratio: Value) -> Value:
    """2 atanh(ratio)."""
    square = b.apply("multiply", ratio, ratio)
    series = _polynomial(b, square, [2 / (2 * i + 1) for i in range(14)])
    return b.apply("multiply", ratio, series)


def log(b: Builder, x: Value) -> Value:
    mantissa, bias, c = _format(b)
    bits = b.apply("to_bits", x)
    whole = b.apply("shift_right", bits, mantissa)
    fraction = b.apply("and_integer", bits, (1 << mantissa) - 1)
    m = b.apply("from_bits", b.apply("or_integer", fraction, bias << mantissa))
    big = b.apply("less", math.sqrt(2), m)
    m = b.apply("select", big, b.apply("multiply", m, 0.5), m)
    k = b.apply("add_integer", whole, _bits(b, c))
    k = b.apply("subtract", b.apply("from_bits", k), c + bias)
    k = b.apply("add", k, b.apply("select", big, 1.0, b.expand(b.constant(0.0), x.shape)))
    ratio = b.apply("divide", b.apply("subtract", m, 1.0), b.apply("add", m, 1.0))
    made = b.apply("add", b.apply("multiply", k, math.log(2)), _log_near(b, ratio))
    made = b.apply("select", b.apply("equal", x, math.inf), math.inf, made)
    made = b.apply("select", b.apply("equal", x, 0.0), -math.inf, made)
    good = b.apply("less_equal", 0.0, x)
    return b.apply("select", good, made, math.nan)


def _bits(b: Builder, number: float) -> int:
    import numpy as np

    if b.dtype == "float64":
        return int(np.array(number).view(np.int64))
    return int(np.array(number, np.float32).view(np.int32))


def log1p(b: Builder, x: Value) -> Value:
    ratio = b.apply("divide", x, b.apply("add", x, 2.0))
    near = b.apply("less", b.apply("absolute", x), 0.4)
    return b.apply("select", near, _log_near(b, ratio), log(b, b.apply("add", x, 1.0)))


def expm1(b: Builder, x: Value) -> Value:
    series = _polynomial(b, x, [1 / math.factorial(i + 1) for i in range(18)])
    near = b.apply("less", b.apply("absolute", x), 0.7)
    far = b.apply("subtract", exp(b, x), 1.0)
    return b.apply("select", near, b.apply("multiply", x, series), far)


def tanh(b: Builder, x: Value) -> Value:
    e = expm1(b, b.apply("multiply", b.apply("absolute", x), -2.0))
    made = b.apply("negative", b.apply("divide", e, b.apply("add", e, 2.0)))
    return b.apply("select", b.apply("less", x, 0.0), b.apply("negative", made), made)


def sigmoid(b: Builder, x: Value) -> Value:
    return b.apply("divide", 1.0, b.apply("add", 1.0, exp(b, b.apply("negative", x))))


def softplus(b: Builder, x: Value) -> Value:
    rest = log1p(b, exp(b, b.apply("negative", b.apply("absolute", x))))
    return b.apply("add", b.apply("select", b.apply("less", 0.0, x), x, 0.0), rest)


def _turned(b: Builder, x: Value, shift: float) -> Value:
    """The sine of x + shift quarter turns."""
    k = _nearest(b, b.apply("multiply", x, 2 / math.pi))
    parts = [1.5703125, 4.837512969970703125e-4, 7.54978995489188216e-8]
    rest = math.pi / 2 - sum(parts)
    r = x
    for part in [*parts, rest + 6.123233995736766e-17]:
        r = b.apply("subtract", r, b.apply("multiply", k, part))
    square = b.apply("multiply", r, r)
    sine = [(-1) ** i / math.factorial(2 * i + 1) for i in range(10)]
    cosine = [(-1) ** i / math.factorial(2 * i) for i in range(11)]
    quarter = b.apply("add", k, shift)
    quarter = b.apply(
        "subtract",
        quarter,
        b.apply(
            "multiply",
            4.0,
            _nearest(b, b.apply("multiply", b.apply("subtract", quarter, 0.5), 0.25)),
        ),
    )
    odd = b.apply("equal", b.apply("absolute", b.apply("subtract", quarter, 1.0)), 0.0)
    odd = b.apply("or", odd, b.apply("equal", b.apply("absolute", quarter), 3.0))
    odd = b.apply("or", odd, b.apply("equal", quarter, -1.0))
    s = b.apply("multiply", r, _polynomial(b, square, sine))
    made = b.apply("select", odd, _polynomial(b, square, cosine), s)
    flip = b.apply("or", b.apply("equal", quarter, 2.0), b.apply("equal", quarter, 3.0))
    flip = b.apply("or", flip, b.apply("equal", quarter, -1.0))
    flip = b.apply("or", flip, b.apply("equal", quarter, -2.0))
    return b.apply("select", flip, b.apply("negative", made), made)


def sin(b: Builder, x: Value) -> Value:
    return _turned(b, x, 0.0)


def cos(b: Builder, x: Value) -> Value:
    return _turned(b, x, 1.0)


def erf(b: Builder, x: Value) -> Value:
    """The series e^(-x²) (2 / √π) Σ 2^n x^(2n+1) / (2n+1)!!, for |x| < 4."""
    square = b.apply("multiply", x, x)
    coefficients, c = [], 1.0
    for n in range(70):
        coefficients.append(c)
        c *= 2 / (2 * n + 3)
    series = b.apply("multiply", x, _polynomial(b, square, coefficients))
    factor = b.apply("multiply", exp(b, b.apply("negative", square)), 2 / math.sqrt(math.pi))
    return b.apply("multiply", series, factor)


def power(b: Builder, x: Value, y: Value) -> Value:
    return exp(b, b.apply("multiply", y, log(b, x)))


def exp2(b: Builder, x: Value) -> Value:
    return exp(b, b.apply("multiply", x, math.log(2)))


def log2(b: Builder, x: Value) -> Value:
    return b.apply("divide", log(b, x), math.log(2))


def log10(b: Builder, x: Value) -> Value:
    return b.apply("divide", log(b, x), math.log(10))
