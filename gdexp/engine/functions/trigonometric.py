"""sin and cos, with the formulas of Sun's fdlibm between -pi / 4 and pi / 4."""

from __future__ import annotations

import math

from gdexp.engine.builder import Builder, Value
from gdexp.engine.functions.circle import Angle, reduced_angle
from gdexp.engine.functions.coefficients import COSINE, SINE
from gdexp.engine.functions.expressions import Real, Whole, polynomial
from gdexp.engine.functions.formats import Format, begin


def sin(builder: Builder, x: Value) -> Value:
    """Return the sine: 203 operations (float32: 188).

    The angle of a value is reduced once for its sine and its cosine.
    """
    form, argument = begin(builder, x)
    angle = reduced_angle(form, abs(argument))
    sine, cosine = _both(form, angle)
    size = (angle.quarter & 1).equals(0).choose(sine, cosine)
    sign = ((angle.quarter >> 1) << (form.width - 1)) + (argument.bits() & form.sign)
    return _signed(argument, size, sign)


def cos(builder: Builder, x: Value) -> Value:
    """Return the cosine: 201 operations (float32: 186)."""
    form, argument = begin(builder, x)
    angle = reduced_angle(form, abs(argument))
    sine, cosine = _both(form, angle)
    size = (angle.quarter & 1).equals(0).choose(cosine, sine)
    return _signed(argument, size, ((angle.quarter + 1) >> 1) << (form.width - 1))


def _both(form: Format, angle: Angle) -> tuple[Real, Real]:
    """Return sine and cosine between -pi / 4 and pi / 4."""
    r, low = angle.high, angle.low
    z = r * r
    half = z * 0.5
    nearly = 1.0 - half
    sine = r + (z * r * polynomial(z, SINE[form.dtype]) + low * nearly)
    curve = z * z * polynomial(z, COSINE[form.dtype]) - r * low
    return sine, nearly + (((1.0 - nearly) - half) + curve)


def _signed(argument: Real, size: Real, sign: Whole) -> Value:
    """Return the result with its sign changed where the bit is set; NaN for infinities."""
    signed = (size.bits() + sign).real()
    return (abs(argument) < math.inf).choose(signed, math.nan).value
