"""Prints the coefficients in gdexp/engine/functions/coefficients.py.

Each polynomial is fitted with mpmath at 60 digits: least squares at Chebyshev points, whose
weights are raised where the error is large (Lawson 1961) until it is nearly the smallest possible.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from mpmath import (
    atanh,
    chop,
    cos,
    erf,
    erfc,
    expm1,
    lu_solve,
    matrix,
    mp,
    mpf,
    pi,
    sin,
    sqrt,
)
from mpmath import log as ln

mp.dps = 60
Function = Callable[[mpf], mpf]
EDGE = mpf("0.3467")
"""A little more than ln(2) / 2."""
SIXTH = mpf("0.02945")
"""A little more than (3 - sqrt(8))², the square of (m - 1) / (m + 1) at m = sqrt(2)."""
CUT = mpf("0.75")
AT_CUT = -ln(erfc(CUT))


@dataclass(frozen=True)
class Polynomial:
    """What is fitted.

    Attributes:
        function: of the variable.
        low, high: the interval.
        degrees: for float64 and float32.
        weight: of the error.
        highs: other ends of the interval for float32.
    """

    function: Function
    low: mpf
    high: mpf
    degrees: tuple[int, int]
    weight: Function = lambda x: mpf(1)
    high32: mpf | None = None


def _sinc(z: mpf) -> mpf:
    r = sqrt(z)
    return (sin(r) / r - 1) / z


def _atanh(z: mpf) -> mpf:
    s = sqrt(z)
    return atanh(s) / s - 1


POLYNOMIALS = {
    "EXPONENTIAL": Polynomial(
        lambda r: ((expm1(r) - r) / r**2 - mpf(1) / 2) / r, -EDGE, EDGE, (8, 3), lambda r: r**2
    ),
    "EXPONENTIAL_LONG": Polynomial(
        lambda r: ((expm1(r) - r) / r**2 - mpf(1) / 2) / r, -EDGE, EDGE, (9, 4), lambda r: r**2
    ),
    "LOGARITHM": Polynomial(lambda z: 2 * _atanh(z) / z, mpf(0), SIXTH, (6, 2)),
    "LOGARITHM_TAIL": Polynomial(lambda z: (_atanh(z) / z - mpf(1) / 3) / z, mpf(0), SIXTH, (7, 3)),
    "SINE": Polynomial(
        _sinc, mpf(0), (pi / 4) ** 2 + mpf("0.0001"), (5, 2), lambda z: z + mpf(1) / 100
    ),
    "COSINE": Polynomial(
        lambda z: (cos(sqrt(z)) - 1 + z / 2) / z**2, mpf(0), (pi / 4) ** 2 + mpf("0.0001"), (5, 2)
    ),
    "ERF": Polynomial(lambda z: erf(sqrt(z)) / sqrt(z) - 1, mpf(0), CUT**2, (10, 5)),
    "ERFC": Polynomial(
        lambda v: (-ln(erfc(v + CUT)) - AT_CUT) / v,
        mpf(0),
        6 - CUT,
        (18, 5),
        lambda v: v * erfc(v + CUT),
        4 - CUT,
    ),
}


def fit(wanted: Polynomial, degree: int, high: mpf) -> tuple[list[mpf], mpf]:
    """Return the coefficients from the constant on, and the largest weighted error."""
    count = 8 * (degree + 1)
    middle, half = (wanted.low + high) / 2, (high - wanted.low) / 2
    points = [middle + half * cos(pi * (2 * i + 1) / (2 * count)) for i in range(count)]
    values = [wanted.function(x) for x in points]
    weights = [wanted.weight(x) for x in points]
    scale = max(abs(middle) + half, mpf(1) / 10**6)
    rows = [[(x / scale) ** j for j in range(degree + 1)] for x in points]
    lawson = [mpf(1) / count] * count
    best: tuple[mpf, list[mpf]] = (mpf("inf"), [])
    for _ in range(25):
        w = [p * q**2 for p, q in zip(lawson, weights, strict=True)]
        normal = matrix(degree + 1, degree + 1)
        right = matrix(degree + 1, 1)
        for row, value, weight in zip(rows, values, w, strict=True):
            for i in range(degree + 1):
                right[i] += weight * row[i] * value
                for j in range(i, degree + 1):
                    normal[i, j] += weight * row[i] * row[j]
        for i in range(degree + 1):
            for j in range(i):
                normal[i, j] = normal[j, i]
        solved = lu_solve(normal, right)
        errors = [
            abs(sum(c * p for c, p in zip(solved, row, strict=True)) - value) * weight
            for row, value, weight in zip(rows, values, weights, strict=True)
        ]
        worst = max(errors)
        if worst < best[0]:
            best = (worst, [solved[j] / scale**j for j in range(degree + 1)])
        lawson = [p * e for p, e in zip(lawson, errors, strict=True)]
        total = sum(lawson)
        lawson = [p / total for p in lawson]
    return best[1], best[0]


def two_over_pi(zeros: int, width: int, count: int) -> list[int]:
    """Return zeros and the bits of 2 / pi after the point, as integers of so many bits."""
    mp.prec = count * width + 64
    digits = int(mp.floor(2 / pi * mpf(2) ** (count * width - zeros)))
    mp.dps = 60
    mask = (1 << width) - 1
    return [digits >> (count - 1 - i) * width & mask for i in range(count)]


def main() -> None:
    """Print every table."""
    for name, wanted in POLYNOMIALS.items():
        print(f"{name} = {{")
        for dtype, degree, high in (
            ("float64", wanted.degrees[0], wanted.high),
            ("float32", wanted.degrees[1], wanted.high32 or wanted.high),
        ):
            found, error = fit(wanted, degree, high)
            kind = np.float64 if dtype == "float64" else np.float32
            print(f'    "{dtype}": (  # error 2^{float(ln(error) / ln(2)):.1f}')
            for each in found:
                print(f"        {float(kind(chop(each)))!r},")
            print("    ),")
        print("}")
    print("ERFC_AT_CUT =", float(AT_CUT), float(AT_CUT - mpf(float(AT_CUT))))
    for dtype, zeros, width in (("float64", 55, 62), ("float32", 26, 30)):
        print(dtype, [hex(word) for word in two_over_pi(zeros, width, 20 if width > 32 else 9)])


if __name__ == "__main__":
    main()
