"""tanh, sigmoid and softplus.

A quotient n / d of which more digits are known than a float has is found as q1 + (n - q1 d) / d:
the first quotient q1 and d without their last digits have an exact product, so only the last
addition rounds.
"""

from __future__ import annotations

from gdexp.engine.builder import Builder, Value
from gdexp.engine.functions.coefficients import EXPONENTIAL_LONG
from gdexp.engine.functions.exponential import reduced
from gdexp.engine.functions.expressions import Real, exact_sum, fast_sum
from gdexp.engine.functions.formats import Format, begin
from gdexp.engine.functions.logarithm import log_one_plus


def quotient(
    form: Format, above: Real, above_low: Real, inverse: Real, below: Real, below_low: Real
) -> Real:
    """Return (above + above_low) / (below + below_low).

    Args:
        form: of the floats.
        above: the first digits.
        above_low: the others.
        inverse: 1 / (below + below_low).
        below: without the last `form.divisor` digits.
        below_low: what was left out.
    """
    first = ((above + above_low) * inverse).shortened(form.quotient)
    rest = (above - first * below) + (above_low - first * below_low)
    return first + rest * inverse


def tanh(builder: Builder, x: Value) -> Value:
    """Return the hyperbolic tangent: 74 operations (float32: 64).

    It is t / (2 - t) with t = 1 - exp(-2 |x|) = (1 - 2^k) - 2^k (high - rest), and the sign of x.
    """
    form, argument = begin(builder, x)
    twice = (abs(argument) * -2.0).at_least(form.whole_low)
    parts = reduced(form, twice, coefficients=EXPONENTIAL_LONG)
    power = parts.power()
    complement = 1.0 - power
    scaled = parts.high * power
    above = complement - scaled
    lost = (1.0 - complement) - power
    above_low = (((complement - above) - scaled) + parts.rest * power) + lost
    divisor = 2.0 - (above + above_low)
    below = divisor.shortened(form.divisor)
    below_low = ((2.0 - below) - above) - above_low
    result = quotient(form, above, above_low, 1.0 / divisor, below, below_low)
    return result.with_sign_of(argument, form.sign).value


def sigmoid(builder: Builder, x: Value) -> Value:
    """Return 1 / (1 + e^-x): 74 operations (float32: 64).

    With w = exp(-|x|) it is w / (1 + w) below 0, else 1 - w / (1 + w).
    """
    form, argument = begin(builder, x)
    parts = reduced(form, (-abs(argument)).at_least(form.exp_low))
    growth = parts.high - parts.rest
    above = growth + 1.0
    above_low = growth - (above - 1.0)
    first, second = parts.powers()
    power = first * second
    scaled = above * power
    divisor = scaled + 1.0
    below = divisor.shortened(form.divisor)
    below_low = ((1.0 - below) + scaled) + above_low * power
    result = quotient(form, above, above_low, 1.0 / divisor, below, below_low) * first * second
    return (argument < 0.0).choose(result, 1.0 - result).value


def softplus(builder: Builder, x: Value) -> Value:
    """Return log(1 + e^x): 105 operations (float32: 87).

    It is max(x, 0) + log(1 + w) with w = exp(-|x|).
    """
    form, argument = begin(builder, x)
    parts = reduced(form, (-abs(argument)).at_least(form.exp_low))
    growth = parts.high - parts.rest
    growth_error = (parts.high - growth) - parts.rest
    above = growth + 1.0
    above_low = (growth - (above - 1.0)) + growth_error
    first, second = parts.powers()
    w, w_low = above * first * second, above_low * first * second
    total = w + 1.0
    total_low = ((1.0 - total) + w) + w_low
    large = total > 1.4142135623730951
    f, f_low = fast_sum(large.choose(total * 0.5 - 1.0, w), large.choose(total_low * 0.5, w_low))
    k_high, k_low = large.choose(form.ln2_high, 0.0), large.choose(form.ln2_low, 0.0)
    rest = log_one_plus(form, f, k_low + (f_low - f_low * f))
    base, base_error = exact_sum(argument.at_least(0.0), k_high)
    return (base + (large.choose(base_error, 0.0) + rest)).value
