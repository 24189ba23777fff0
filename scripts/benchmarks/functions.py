"""How far the portable functions are from the exact values, in units in the last place.

The exact values come from long doubles with 64 digits, and from mpmath where one comes near the
bound, or where long doubles are doubles.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import mpmath
import numpy as np
import numpy.typing as npt
from mpmath import mp, mpf

from benchmarks.measure import Figure, figure
from gdexp.engine import functions
from gdexp.engine.arrays import Function, compute
from gdexp.engine.builder import Builder, Value

Array = npt.NDArray[Any]
DTYPES = {"float64": (53, -1022), "float32": (24, -126)}
"""The digits, and the exponent of the smallest normal number."""
DOUBTFUL = 0.99
"""Errors from here on are computed with mpmath."""
Long = np.longdouble


@dataclass(frozen=True)
class Case:
    """One function.

    Attributes:
        function: with its program.
        exact: the same in mpmath.
        long: the same in long doubles; None: only mpmath has it.
        low, high: where its values change.
        seams: where it passes from one formula or reduction to the next: multiples of this number,
            or that number alone.
    """

    function: Function
    exact: Callable[..., mpf]
    long: Callable[..., Array] | None
    low: float
    high: float
    seams: float


def _power(builder: Builder, x: Value, y: Value) -> Value:
    return functions.power(builder, x, y)


def _sigmoid(x: Array) -> Array:
    w = np.exp(-abs(x))
    found: Array = np.where(x < 0, w / (1 + w), 1 / (1 + w))
    return found


def _softplus(x: Array) -> Array:
    found: Array = np.maximum(x, 0) + np.log1p(np.exp(-abs(x)))
    return found


def _erf(x: Array) -> Array:
    """Return 2 / sqrt(pi) exp(-x²) (x + 2 x³ / 3 + 4 x⁵ / 15 + …); no two terms cancel."""
    size = np.minimum(abs(x), Long(6.5))
    total = term = size
    for n in range(1, 200):
        term = term * (2 * size * size) / (2 * n + 1)
        total = total + term
    scale = 2 / np.sqrt(Long("3.14159265358979323846264338327950288"))
    found: Array = np.copysign(scale * np.exp(-size * size) * total, x)
    return found


def _exact_softplus(x: mpf) -> mpf:
    return max(x, mpf(0)) + mpmath.log1p(mpmath.exp(-abs(x)))


def _exact_log2(x: mpf) -> mpf:
    return mpmath.log(x) / mpmath.log(2)


LN2, PI = 0.6931471805599453, 3.141592653589793
CASES: dict[str, Case] = {
    "exp": Case(functions.exp, mpmath.exp, np.exp, -750, 715, LN2 / 2),
    "expm1": Case(functions.expm1, mpmath.expm1, np.expm1, -60, 715, LN2 / 2),
    "exp2": Case(functions.exp2, lambda x: mpf(2) ** x, np.exp2, -1080, 1030, 0.5),
    "log": Case(functions.log, mpmath.log, np.log, 0, 4, 2**0.5),
    "log1p": Case(functions.log1p, mpmath.log1p, np.log1p, -1, 4, 2**0.5 - 1),
    "log2": Case(functions.log2, _exact_log2, np.log2, 0, 4, 2**0.5),
    "log10": Case(functions.log10, mpmath.log10, np.log10, 0, 4, 2**0.5),
    "tanh": Case(functions.tanh, mpmath.tanh, np.tanh, -23, 23, LN2 / 4),
    "sigmoid": Case(
        functions.sigmoid, lambda x: 1 / (1 + mpmath.exp(-x)), _sigmoid, -750, 60, LN2 / 2
    ),
    "softplus": Case(functions.softplus, _exact_softplus, _softplus, -750, 60, LN2 / 2),
    "sin": Case(functions.sin, mpmath.sin, np.sin, -1000, 1000, PI / 4),
    "cos": Case(functions.cos, mpmath.cos, np.cos, -1000, 1000, PI / 4),
    "erf": Case(functions.erf, mpmath.erf, _erf, -6.5, 6.5, 0.75),
    "power": Case(_power, lambda x, y: x**y, np.power, 0, 0, 0),
}


def run(rounds: int) -> list[Figure]:
    """Return the largest error of each function and type at 200,000 points for each round."""
    return [
        figure(
            f"{name}, {dtype}: largest error in units in the last place",
            [max(largest(name, dtype, 200_000, seed) for seed in range(rounds))],
            1.0,
            note=f"{200_000 * rounds:,} points",
        )
        for name in CASES
        for dtype in DTYPES
    ]


def largest(name: str, dtype: str, count: int, seed: int) -> float:
    """Return the largest error at so many points."""
    case = CASES[name]
    arguments = points(name, dtype, count, np.random.default_rng(seed))
    found = compute(case.function, *arguments, dtype=dtype)
    errors = np.full(found.shape, np.inf)
    if case.long is not None and np.finfo(Long).nmant >= 63:
        with np.errstate(all="ignore"):
            wanted = case.long(*(each.astype(Long) for each in arguments))
            errors = _errors(found, wanted, dtype)
    for i in np.flatnonzero(~(errors < DOUBTFUL)):
        exact = (float(each[i]) for each in arguments)
        errors[i] = exact_error(name, dtype, float(found[i]), *exact)
    return float(errors.max())


def exact_error(name: str, dtype: str, found: float, *arguments: float) -> float:
    """Return the error of one value by mpmath; infinite where one is NaN and the other is not."""
    digits, smallest = DTYPES[dtype]
    with mp.workprec(160):
        try:
            wanted = CASES[name].exact(*map(mpf, arguments))
        except (ValueError, ZeroDivisionError):
            wanted = mpf("nan")
        if not isinstance(wanted, mpf) or mpmath.isnan(wanted) or found != found:
            undefined = not isinstance(wanted, mpf) or bool(mpmath.isnan(wanted))
            return 0.0 if undefined and found != found else float("inf")
        top = float(np.finfo(dtype).max)
        if mpmath.isinf(wanted) or abs(found) == float("inf"):
            same = (wanted > 0) == (found > 0) and abs(wanted) > top and abs(found) >= top
            return 0.0 if same else float("inf")
        exponent = max(mpmath.frexp(wanted)[1] - 1, smallest)
        return float(abs(mpf(found) - wanted) / mpf(2) ** (exponent - digits + 1))


def _errors(found: Array, wanted: Array, dtype: str) -> Array:
    digits, smallest = DTYPES[dtype]
    exponent = np.maximum(np.frexp(wanted)[1] - 1, smallest)
    errors = abs(found.astype(Long) - wanted) / np.ldexp(Long(1), exponent - (digits - 1))
    rounded = wanted.astype(dtype)
    same = (found == rounded) & np.isinf(found) | np.isnan(found) & np.isnan(rounded)
    return np.where(same, 0.0, errors).astype(np.float64)


def points(name: str, dtype: str, count: int, random: np.random.Generator) -> tuple[Array, ...]:
    """Return arguments of every size: all bits, tiny, near 0, 1 and the seams, and in between."""
    case, n = CASES[name], count // 6
    digits, _ = DTYPES[dtype]
    bits = np.int64 if dtype == "float64" else np.int32
    scale = 1.0 if dtype == "float64" else 0.15
    if name in ("sin", "cos"):
        scale = 1.0
    limits = np.iinfo(bits)
    anything = random.integers(limits.min, limits.max, count - 5 * n, dtype=bits).view(dtype)
    sizes = np.exp(random.uniform(-40, 3, n)) * random.choice([-1, 1], n)
    near = random.normal(size=n) * 2.0 ** random.uniform(-digits, -1, n)
    if name == "power":
        return _powers(dtype, anything, near, random)
    multiples = random.integers(-2000, 2000, n) if case.seams != 0.75 else random.choice([-1, 1], n)
    if case.function in (functions.log, functions.log1p, functions.log2, functions.log10):
        multiples = 2.0 ** random.integers(-40, 40, n)
    groups = (
        anything,
        random.uniform(case.low * scale, case.high * scale, n),
        random.uniform(-3, 3, n),
        sizes,
        1.0 + near,
        case.seams * multiples * (1.0 + random.normal(size=n) * 2.0 ** (4 - digits)),
    )
    return (np.concatenate([each.astype(dtype) for each in groups]),)


def _powers(
    dtype: str, anything: Array, near: Array, random: np.random.Generator
) -> tuple[Array, ...]:
    """Return bases with exponents whose powers are representable, and some that are not."""
    some = (abs(anything), 1.0 + near, random.uniform(0.5, 2, 4 * near.size))
    bases = np.concatenate([each.astype(dtype) for each in some])
    reach = 760.0 if dtype == "float64" else 106.0
    with np.errstate(all="ignore"):
        exponents = random.uniform(-reach, reach, bases.size) / np.log(bases.astype(np.float64))
        exponents = exponents.astype(dtype)
        few = bases.size // 8
        exponents[:few] = random.integers(-9, 9, few)
        bases[:few:2] *= -1
    return bases, exponents
