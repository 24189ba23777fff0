"""erf: a polynomial up to 0.75, and 1 - exp(-P(|x|)) beyond."""

from __future__ import annotations

from gdexp.engine.builder import Builder, Value
from gdexp.engine.functions.coefficients import ERF, ERFC, ERFC_AT_CUT
from gdexp.engine.functions.exponential import reduced
from gdexp.engine.functions.expressions import constant, fast_sum, polynomial
from gdexp.engine.functions.formats import begin, halves

_CUT = 0.75
_END = {"float64": 6.0, "float32": 4.0}
"""From here on erf rounds to 1."""


def erf(builder: Builder, x: Value) -> Value:
    """Return the error function: 118 operations (float32: 72).

    The second form is (1 - 2^k) - 2^k (exp(r) - 1).
    """
    form, argument = begin(builder, x)
    size = abs(argument)
    near = size + size * polynomial(size * size, ERF[form.dtype])
    beyond = size.at_most(_END[form.dtype]) - _CUT
    start, start_low = halves(form, *ERFC_AT_CUT)
    log, log_low = fast_sum(
        constant(builder, -start), beyond * -polynomial(beyond, ERFC[form.dtype])
    )
    parts = reduced(form, log, log_low - start_low)
    power = parts.power()
    complement = 1.0 - power
    scaled = parts.high * power
    far = complement - scaled
    far = far + (((complement - far) - scaled) + parts.rest * power)
    return (size < _CUT).choose(near, far).with_sign_of(argument, form.sign).value
