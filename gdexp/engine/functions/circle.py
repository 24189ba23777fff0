"""Angles reduced to a quarter of a circle, for every finite float (Payne and Hanek 1983).

|x| = X 2^E with an integer X. Only the bits of 2 / pi whose product with X 2^E is below 4 are
taken: a window of the table, chosen by selects and shifts. Its product with X is made of limbs of
31 bits (float32: 15), so that no sum passes a sign bit.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from itertools import pairwise

import numpy as np

from gdexp.engine.functions.coefficients import TWO_OVER_PI
from gdexp.engine.functions.exact_logarithm import exact_product
from gdexp.engine.functions.expressions import Real, Whole, constant, fast_sum, whole_constant
from gdexp.engine.functions.formats import Format

_HALF_PI = {
    "float64": (math.pi / 2, 6.123233995736766e-17),
    "float32": (float(np.float32(math.pi / 2)), -4.371139000186241e-08),
}
_LIMBS = {"float64": 6, "float32": 7}
"""Limbs of the window: the error is below 2^-59 of the smallest remainder (float32: 2^-35)."""


@dataclass(frozen=True)
class Angle:
    """|x| = quarter pi / 2 + high + low, but for whole turns.

    Attributes:
        quarter: 0 to 4.
        high: at most pi / 4 in size.
        low: below its last digit.
    """

    quarter: Whole
    high: Real
    low: Real


def reduced_angle(form: Format, size: Real) -> Angle:
    """Return the angle of a number that is not negative."""
    bits = size.bits()
    mantissa = (bits & (form.step - 1)) | form.step
    exponent = bits >> form.shift
    first = (form.one >> form.shift) - 1
    place = exponent - first
    place = (place < 0).choose_whole(0, place)
    columns = _columns(form, mantissa, _window(form, place))
    limb = form.limb
    mask = (1 << limb) - 1
    limbs = []
    carry = columns.pop() >> limb
    for column in reversed(columns):
        column = column + carry
        carry = column >> limb
        limbs.append(column & mask)
    top = limbs.pop()
    quarter = (top + (1 << (limb - 3))) >> (limb - 2)
    limbs.append(top - (quarter << (limb - 2)))
    total, low = _sum_limbs(form, limbs[::-1])
    half_pi, half_pi_low = _HALF_PI[form.dtype]
    high, low = exact_product(form, total, low, constant(size.builder, half_pi), half_pi_low)
    small = size < math.pi / 4
    return Angle(small.choose_whole(0, quarter), small.choose(size, high), small.choose(0.0, low))


def _window(form: Format, place: Whole) -> list[Whole]:
    """Return the limbs of the table from a place on, the first digits first."""
    limb = form.limb
    width, count = 2 * limb, _LIMBS[form.dtype]
    words = [whole_constant(place.builder, word) for word in TWO_OVER_PI[form.dtype]]
    needed = (count + 1) // 2 + 1
    step = 8 if form.width == 64 else 2
    last = words[2 * step :]
    while step:
        beyond = whole_constant(place.builder, width * step - 1) < place
        place = beyond.choose_whole(place - width * step, place)
        left = needed + step - 1
        words = [beyond.choose_whole(words[i + step], words[i]) for i in range(left)]
        step //= 2
    beyond = whole_constant(place.builder, width - 1) < place
    place = beyond.choose_whole(place - width, place)
    words = [beyond.choose_whole(b, a) for a, b in zip(words, last, strict=True)]
    back = width - place
    mask = (1 << limb) - 1
    limbs = []
    for first, second in pairwise(words):
        word = (first << place) | (second >> back)
        limbs += [(word >> limb) & mask, word & mask]
    return limbs[:count]


def _columns(form: Format, mantissa: Whole, window: list[Whole]) -> list[Whole]:
    """Return the sums of the products of equal weight, the greatest weight first."""
    limb = form.limb
    low, high = mantissa & ((1 << limb) - 1), mantissa >> limb
    return [low * a + high * b for a, b in pairwise(window)]


def _sum_limbs(form: Format, limbs: list[Whole]) -> tuple[Real, Real]:
    """Return the limbs as a fraction of a quarter: a sum and its rounding error."""
    parts = []
    for i, each in enumerate(limbs):
        down = (i + 1) * form.limb - 2
        rounder = form.rounder * 2.0**-down
        parts.append((each + (form.rounder_bits - down * form.step)).real() - rounder)
    total, low = fast_sum(parts[-2], parts[-1])
    for part in reversed(parts[:-2]):
        total, error = fast_sum(part, total)
        low = low + error
    return total, low
