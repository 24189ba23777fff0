"""pow, and exponentials and logarithms of other bases: exp(y log(x)) with enough digits."""

from __future__ import annotations

import math

from gdexp.engine.builder import Builder, Value
from gdexp.engine.functions.exact_logarithm import exact_log, exact_product
from gdexp.engine.functions.exponential import reduced_exactly
from gdexp.engine.functions.expressions import Real, Truth, constant
from gdexp.engine.functions.formats import Format, begin, halves
from gdexp.engine.operations import Kind
from gdexp.engine.program import DTYPES


def power(builder: Builder, x: Value, exponent: Value | float) -> Value:
    """Return x to the power of an exponent.

    A number 1, 2, 3, -1 or 0.5 as exponent takes one or two operations: x, x x, (x x) x, 1 / x and
    the square root (x³ is within 1.5 units in the last place). Another number takes 190
    operations (float32: 172) and at most five more; a value takes 219 (201) and follows C's pow.

    Args:
        builder: of the program.
        x: the base.
        exponent: a number, which is rounded to the program's dtype first, or a value.
    """
    form, base = begin(builder, x)
    if isinstance(exponent, Value):
        return _any_power(form, base, Real(builder, exponent)).value
    y = float(DTYPES[builder.dtype][Kind.FLOAT].type(exponent))
    if y == 0.0:
        return builder.expand(builder.constant(1.0), x.shape)
    if y in (1.0, 2.0, 3.0):
        product = base
        for _ in range(int(y) - 1):
            product = product * base
        return product.value
    if y == -1.0:
        return (1.0 / base).value
    if y == 0.5:
        return base.sqrt().value
    if not math.isfinite(y):
        return _any_power(form, base, constant(builder, y)).value
    result = _magnitude(form, abs(base), constant(builder, y))
    if y % 1.0 != 0.0:
        result = ((base < 0.0) & (base > -math.inf)).choose(math.nan, result)
    elif y % 2.0 != 0.0:
        result = result.with_sign_of(base, form.sign)
    return result.value


def exp2(builder: Builder, x: Value) -> Value:
    """Return 2^x: 80 operations (float32: 70)."""
    form, argument = begin(builder, x)
    bound = -1.45 * form.exp_low
    argument = argument.at_least(-bound).at_most(bound)
    high, low = halves(form, math.log(2.0), 2.3190468138462996e-17)
    zero = constant(builder, 0.0)
    product = exact_product(form, argument, zero, constant(builder, high), low)
    return _exact_exp(form, *product).value


def log2(builder: Builder, x: Value) -> Value:
    """Return the logarithm to base 2: 127 operations (float32: 119)."""
    return _logarithm(builder, x, 1.4426950408889634, 2.0355273740931033e-17)


def log10(builder: Builder, x: Value) -> Value:
    """Return the logarithm to base 10: 127 operations (float32: 119)."""
    return _logarithm(builder, x, 0.4342944819032518, 1.098319650216765e-17)


def _logarithm(builder: Builder, x: Value, factor: float, rest: float) -> Value:
    form, argument = begin(builder, x)
    high, low = halves(form, factor, rest)
    product = exact_product(form, *exact_log(form, argument), constant(builder, high), low)
    inside = (argument < math.inf).choose(product[0] + product[1], argument)
    outside = argument.equals(0.0).choose(-math.inf, math.nan)
    return (argument > 0.0).choose(inside, outside).value


def _any_power(form: Format, x: Real, y: Real) -> Real:
    size = abs(y)
    whole = _is_whole(form, size)
    odd = whole & ~_is_whole(form, size * 0.5)
    result = _magnitude(form, abs(x), y)
    result = (odd & (x.bits() < 0)).choose(-result, result)
    undefined = (x < 0.0) & (x > -math.inf) & ~whole
    result = undefined.choose(math.nan, result)
    return (y.equals(0.0) | x.equals(1.0)).choose(1.0, result)


def _is_whole(form: Format, size: Real) -> Truth:
    """Return whether a number that is not negative is an integer."""
    last = 2.0**form.shift
    return ((size + last) - last).equals(size) | (size >= last)


def _magnitude(form: Format, x: Real, y: Real) -> Real:
    """Return x^y for x >= 0 and y not 0."""
    bound = 2.0**70 if form.width == 64 else 2.0**40
    bounded = y.at_least(-bound).at_most(bound)
    zero = constant(x.builder, 0.0)
    log, log_low = exact_log(form, x)
    exponent, exponent_low = exact_product(form, log, log_low, bounded, zero)
    limit = x.equals(0.0).choose(-math.inf, x)
    exponent = (abs(limit) < math.inf).choose(exponent, bounded * limit)
    result = _exact_exp(form, exponent, exponent_low)
    result = (exponent > form.exp_high).choose(math.inf, result)
    return (exponent < form.exp_low).choose(0.0, result)


def _exact_exp(form: Format, x: Real, x_low: Real) -> Real:
    """Return exp(x + x_low): rounded once but for the error of the polynomial."""
    parts = reduced_exactly(form, x, x_low)
    growth = parts.high - parts.rest
    growth_error = (parts.high - growth) - parts.rest
    total = growth + 1.0
    error = (1.0 - total) + growth
    first, second = parts.powers()
    return (total + (error + growth_error)) * first * second
