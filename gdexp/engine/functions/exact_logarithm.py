"""log with about 12 digits in base 2 more than a float has, for powers and other bases.

With s = f / (2 + f) in three parts and z = s²: log(1 + f) = 2 s + 2 s (z / 3 + z² P(z)). Digits
are cleared where a product must be exact.
"""

from __future__ import annotations

from gdexp.engine.functions.coefficients import LOGARITHM_TAIL
from gdexp.engine.functions.expressions import Real, fast_sum, polynomial
from gdexp.engine.functions.formats import Format
from gdexp.engine.functions.logarithm import split, without_subnormals

_THIRD = {"float64": (1365 / 4096, 1 / 12288), "float32": (43 / 128, -1 / 384)}
"""1 / 3 as two numbers; the first one's product with the first part of z is exact."""


def exact_log(form: Format, x: Real) -> tuple[Real, Real]:
    """Return two numbers whose sum is log(x), for finite x > 0."""
    scaled, small = without_subnormals(form, x)
    exponent, f = split(form, scaled)
    k = (exponent + form.rounder_bits).real() - small.choose(
        form.rounder + form.digits, form.rounder
    )
    s_first, s_second, s_third = _ratio(form, f)
    s, s_low = fast_sum(s_first, s_second)
    s_low = s_low + s_third
    z_first = s_first * s_first
    z_low = s_second * (s_first + s_first + s_second) + s_third * (s + s)
    z = z_first + z_low
    third, third_low = _THIRD[form.dtype]
    c_first = z_first * third
    c_rest = z_first * third_low + (
        z_low * (1 / 3) + z * z * polynomial(z, LOGARITHM_TAIL[form.dtype])
    )
    c = c_first + c_rest
    c_short = c.shortened(form.divisor)
    c_low = (c_first - c_short) + c_rest
    twice, later = s_first + s_first, s_second + s_third
    small_part = (s_low + s_low) + ((later + later) * c + twice * c_low)
    total, error = fast_sum(k * form.ln2_high, s + s)
    total, second_error = fast_sum(total, twice * c_short)
    return fast_sum(total, k * form.ln2_low + (small_part + (error + second_error)))


def exact_product(
    form: Format, a: Real, a_low: Real, b: Real, b_low: Real | float
) -> tuple[Real, Real]:
    """Return two numbers whose sum is (a + a_low) (b + b_low) (Dekker 1971)."""
    cleared = form.digits // 2 + form.digits % 2
    a_high, b_high = a.shortened(cleared), b.shortened(cleared)
    a_rest, b_rest = a - a_high, b - b_high
    product = a * b
    error = (a_high * b_high - product) + a_high * b_rest + a_rest * b_high + a_rest * b_rest
    return product, error + (a * b_low + a_low * b)


def _ratio(form: Format, f: Real) -> tuple[Real, Real, Real]:
    """Return s as a sum of three parts, the first two of them short."""
    divisor = f + 2.0
    below = divisor.shortened(form.divisor)
    below_low = (2.0 - below) + f
    inverse = 1.0 / divisor
    first = (f * inverse).shortened(form.quotient)
    rest = (f - first * below) - first * below_low
    second = (rest * inverse).shortened(form.quotient)
    rest = (rest - second * below) - second * below_low
    return first, second, rest * inverse
