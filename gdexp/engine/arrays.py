"""Portable arrays of numbers: functions and grids with the same bits on every machine."""

from __future__ import annotations

from collections.abc import Callable
from functools import lru_cache
from typing import Any

import numpy as np
import numpy.typing as npt

from gdexp.engine.builder import Builder, Value
from gdexp.engine.numpy_evaluation import evaluate
from gdexp.engine.program import Array, Program

CHUNK = 1 << 14
"""The numbers that are computed at once: the intermediate ones stay in the cache."""

Function = Callable[..., Value]
"""Takes a builder and values, as those of `gdexp.engine.functions` do, and gives a value."""


def compute(function: Function, *arrays: npt.ArrayLike, dtype: str = "float64") -> Array:
    """Return a function of each number.

    Args:
        function: an elementwise function; its program is kept, so name it once.
        arrays: its arguments, which are broadcast as numpy does.
        dtype: float64 or float32; the arguments are rounded to it first.
    """
    given = [np.asarray(each, dtype=dtype) for each in arrays]
    shape = np.broadcast_shapes(*(each.shape for each in given))
    flat = [np.broadcast_to(each, shape).reshape(-1) for each in given]
    program = scalar_program(function, len(flat), dtype)
    result: npt.NDArray[Any] = np.empty(flat[0].size, dtype=dtype)
    for start in range(0, result.size, CHUNK):
        part = slice(start, start + CHUNK)
        inputs = {f"x{i}": each[part] for i, each in enumerate(flat)}
        result[part] = evaluate(program, inputs)["result"]
    return result.reshape(shape)


@lru_cache
def scalar_program(function: Function, count: int, dtype: str) -> Program:
    """Return the program from single numbers `x0`, `x1`, … to `result`."""
    builder = Builder(dtype)
    result = function(builder, *(builder.input(f"x{i}", ()) for i in range(count)))
    return builder.program({"result": result})


def linspace(low: float, high: float, n: int) -> npt.NDArray[np.float64]:
    """Return n numbers from low to high at equal distances.

    With step = (high - low) / (n - 1), number i is low + i step in the lower half, i < n // 2,
    and high - (n - 1 - i) step in the upper one; each operation is rounded to double precision. A
    single number is `low`.
    """
    if n == 1:
        return np.array([low], dtype=np.float64)
    step = (float(high) - float(low)) / (n - 1)
    i = np.arange(n, dtype=np.float64)
    from_low, from_high = i * step, (n - 1.0 - i) * step
    return np.where(i < n // 2, low + from_low, high - from_high)
