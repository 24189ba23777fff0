"""exp and expm1.

x = k ln(2) + r with |r| <= ln(2) / 2, where r = high - low is known beyond a float's digits, as in
Sun's fdlibm; exp(r) = 1 + r + r² / 2 + r³ P(r); the powers of two are products, so that NaN stays.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from gdexp.engine.builder import Builder, Value
from gdexp.engine.functions.coefficients import EXPONENTIAL, EXPONENTIAL_LONG
from gdexp.engine.functions.expressions import Real, Whole, polynomial
from gdexp.engine.functions.formats import LOG2_E, Format, begin


@dataclass(frozen=True)
class Reduced:
    """x = k ln(2) + high - low, and exp(x) = 2^k (1 + high - rest).

    Attributes:
        form: of the floats.
        k: plus `form.rounder`.
        high: exact.
        rest: low - (exp(r) - 1 - r); at most 0.06 with its sign from low where r is 0.
    """

    form: Format
    k: Real
    high: Real
    rest: Real

    @property
    def exponent(self) -> Whole:
        """The integer k at the place of the exponent."""
        return self.k.bits() << self.form.shift

    def power(self) -> Real:
        """Return 2^k, for a k that is an exponent of normal numbers."""
        return (self.exponent + self.form.one).real()

    def powers(self) -> tuple[Real, Real]:
        """Return two numbers whose product is 2^k, for any k."""
        form = self.form
        half = (self.k.bits() >> 1) << form.shift
        first = (half + form.one).real()
        return first, ((self.exponent - half) + form.one).real()


def reduced(
    form: Format,
    x: Real,
    x_low: Real | None = None,
    coefficients: Mapping[str, tuple[float, ...]] = EXPONENTIAL,
) -> Reduced:
    """Return the parts of exp(x + x_low).

    Args:
        form: of the floats.
        x: within the range of an exponent.
        x_low: a number below the last digit of x.
        coefficients: of P.
    """
    k, high, low = _rounded(form, x, x_low)
    return Reduced(form, k, high, _rest(high - low, low, coefficients[form.dtype]))


def reduced_exactly(form: Format, x: Real, x_low: Real | None = None) -> Reduced:
    """Return the same with fewer errors.

    The rounding error of r is made good, and P has one coefficient more.
    """
    k, high, low = _rounded(form, x, x_low)
    r = high - low
    error = (high - r) - low
    return Reduced(form, k, high, _rest(r, low - r * error, EXPONENTIAL_LONG[form.dtype]))


def _rounded(form: Format, x: Real, x_low: Real | None) -> tuple[Real, Real, Real]:
    """Return k plus the rounder, and x - k ln(2) as high - low."""
    k = x * LOG2_E + form.rounder
    whole = k - form.rounder
    low = whole * form.ln2_low
    return k, x - whole * form.ln2_high, low if x_low is None else low - x_low


def _rest(r: Real, low: Real, coefficients: tuple[float, ...]) -> Real:
    """Return low - (exp(r) - 1 - r); the largest part, r² / 2, comes last."""
    square = r * r
    return (low - square * (r * polynomial(r, coefficients))) - square * 0.5


def exp(builder: Builder, x: Value) -> Value:
    """Return e^x: 46 operations (float32: 36)."""
    form, argument = begin(builder, x)
    parts = reduced(form, argument.at_least(form.exp_low).at_most(form.exp_high))
    first, second = parts.powers()
    return (((parts.high - parts.rest) + 1.0) * first * second).value


def expm1(builder: Builder, x: Value) -> Value:
    """Return e^x - 1: 57 operations (float32: 47).

    It is 2^k (high - rest - (2^-k - 1)), in an order that keeps -0.
    """
    form, argument = begin(builder, x)
    parts = reduced_exactly(form, argument.at_least(form.whole_low).at_most(form.exp_high))
    inverse = ((form.one + form.step) - parts.exponent).real() * 0.5
    minus = inverse - 1.0
    minus_error = inverse - (minus + 1.0)
    total = parts.high - minus
    total_error = parts.high - (total + minus)
    total = total - ((parts.rest + minus_error) - total_error)
    power = (parts.exponent + (form.one - form.step)).real()
    return (total * 2.0 * power).value
