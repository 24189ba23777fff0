"""Functions for coefficients and rates: of one iteration, or of a block of them.

An iteration is an integer on torch's engine, and the functions are Python's. On the portable
engine it is an array of shape (iterations, 1); then the functions have the same bits on every
machine.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np
import numpy.typing as npt

Values = Any
"""A float, or an array: of shape (rules,) where rules differ, of (iterations, 1) of a block."""

Iteration = Any
"""The number of an update, from 1; or an int64 array of shape (iterations, 1)."""


FEW = 16
"""So many numbers are computed one by one faster, with the same bits."""


def power(base: Values, exponent: Iteration) -> Values:
    """Return a power of a number >= 0; the exponent is an iteration or made of one."""
    if isinstance(exponent, np.ndarray):
        from gdexp.engine import compute, functions, scalars

        if exponent.size * np.size(base) > FEW:
            return compute(functions.power, base, exponent)
        bases, exponents = np.broadcast_arrays(np.asarray(base, dtype=np.float64), exponent)
        pairs = zip(bases.ravel().tolist(), exponents.ravel().tolist(), strict=True)
        return np.array([scalars.power(b, float(e)) for b, e in pairs]).reshape(bases.shape)
    return elementwise(lambda each: each**exponent, base)


def cosine(angle: Values) -> Values:
    """Return the cosine of an angle made of an iteration."""
    if isinstance(angle, np.ndarray):
        from gdexp.engine import compute, functions

        return compute(functions.cos, angle)
    return math.cos(angle)


def root(values: Values) -> Values:
    """Return the square root; it is rounded once on either engine."""
    return np.sqrt(values) if isinstance(values, np.ndarray) else math.sqrt(values)


def choose(condition: Values, yes: Values, no: Values) -> Values:
    """Return one of two values, in an array for each entry of the condition."""
    if isinstance(condition, np.ndarray):
        return np.where(condition, yes, no)
    return yes if condition else no


def at(numbers: npt.NDArray[np.float64], place: Iteration) -> Values:
    """Return the number at a place, a float; or those at many, an array."""
    return numbers[place] if np.ndim(place) else float(numbers[place])


def elementwise(function: Callable[[float], float], values: Values) -> Values:
    """Apply a function of a float to a float, or to each entry of a float64 array.

    An array gets the same bits as single floats; numpy's powers and cosines may differ from
    Python's in the last bit.
    """
    if not isinstance(values, np.ndarray):
        return function(values)
    unique, where = np.unique(values, return_inverse=True)
    return np.array([function(each) for each in unique.tolist()])[where].reshape(values.shape)
