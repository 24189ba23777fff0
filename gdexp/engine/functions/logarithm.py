"""log and log1p.

x = 2^k m with sqrt(1 / 2) <= m < sqrt(2), and with f = m - 1, s = f / (2 + f), z = s²:
log(1 + f) = f - (f² / 2 - s (f² / 2 + z P(z))), as in Sun's fdlibm.
"""

from __future__ import annotations

import math

from gdexp.engine.builder import Builder, Value
from gdexp.engine.functions.coefficients import LOGARITHM
from gdexp.engine.functions.expressions import Real, Truth, Whole, exact_sum, fast_sum, polynomial
from gdexp.engine.functions.formats import Format, begin


def log(builder: Builder, x: Value) -> Value:
    """Return the natural logarithm: 46 operations (float32: 38)."""
    form, argument = begin(builder, x)
    scaled, small = without_subnormals(form, argument)
    exponent, f = split(form, scaled)
    k = (exponent + form.rounder_bits).real() - small.choose(
        form.rounder + form.digits, form.rounder
    )
    half, curve = curved(form, f)
    result = k * form.ln2_high - ((half - (curve + k * form.ln2_low)) - f)
    return with_edges(argument, argument, result).value


def log1p(builder: Builder, x: Value) -> Value:
    """Return log(1 + x): 63 operations (float32: 55)."""
    form, argument = begin(builder, x)
    total, low = exact_sum(argument, Real(builder, builder.constant(1.0)))
    exponent, f = split(form, total)
    k = (exponent + form.rounder_bits).real() - form.rounder
    inverse = ((form.one + form.step) - (exponent << form.shift)).real() * 0.5
    f, f_low = fast_sum(f, low * inverse)
    half, curve = curved(form, f)
    tail = k * form.ln2_low + (f_low - f_low * f)
    result = k * form.ln2_high - ((half - (curve + tail)) - f)
    return with_edges(argument, total, result.with_sign_of(argument, form.sign)).value


def without_subnormals(form: Format, x: Real) -> tuple[Real, Truth]:
    """Return x times 2^digits where it is below the normal numbers, and where that is."""
    small = x < form.smallest_normal
    return x * small.choose(2.0**form.digits, 1.0), small


def split(form: Format, x: Real) -> tuple[Whole, Real]:
    """Return k and m - 1 for x = 2^k m."""
    bits = x.bits()
    exponent = (bits - form.root_half) >> form.shift
    return exponent, (bits - (exponent << form.shift)).real() - 1.0


def curved(form: Format, f: Real) -> tuple[Real, Real]:
    """Return f² / 2 and s (f² / 2 + z P(z))."""
    half = f * f * 0.5
    s = f / (f + 2.0)
    z = s * s
    return half, s * (half + z * polynomial(z, LOGARITHM[form.dtype]))


def log_one_plus(form: Format, f: Real, tail: Real) -> Real:
    """Return log(1 + f) + tail, for 1 + f in the range of m and a tail below f's last digit."""
    half, curve = curved(form, f)
    return f - (half - (curve + tail))


def with_edges(argument: Real, power: Real, result: Real) -> Real:
    """Return a logarithm with its values outside of the positive numbers.

    Args:
        argument: infinity and NaN of it stay.
        power: what the logarithm is taken of; infinite and NaN where the argument is.
        result: where it is finite and positive.
    """
    inside = (power < math.inf).choose(result, argument)
    outside = power.equals(0.0).choose(-math.inf, math.nan)
    return (power > 0.0).choose(inside, outside)
