"""Portable arrays of numbers: functions and grids with the same bits on every machine."""

from __future__ import annotations

from collections.abc import Callable
from functools import lru_cache
from typing import Any

import numpy as np
import numpy.typing as npt

from gdexp.engine.builder import Builder, Value
from gdexp.engine.numpy_evaluation import FORMULAS
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
    chunk = _array_function(function, len(flat), dtype)
    result: npt.NDArray[Any] = np.empty(flat[0].size, dtype=dtype)
    with np.errstate(all="ignore"):
        for start in range(0, result.size, CHUNK):
            part = slice(start, start + CHUNK)
            result[part] = chunk(*(each[part] for each in flat))
    return result.reshape(shape)


@lru_cache
def _array_function(function: Function, count: int, dtype: str) -> Callable[..., Array]:
    """Return a function of single numbers as one of arrays: a line of Python for each node."""
    program = scalar_program(function, count, dtype)
    names: dict[str, Any] = {}
    arguments, lines = [], []
    for i, node in enumerate(program.nodes):
        if node.operation == "input":
            arguments.append(f"v{i}")
        elif node.operation == "constant":
            names[f"v{i}"] = program.constants[int(node.detail[0])][()]
        else:
            names[f"f_{node.operation}"] = FORMULAS[node.operation]
            given = ", ".join(f"v{j}" for j in node.inputs)
            lines.append(f" v{i} = f_{node.operation}({given})")
    (output,) = program.outputs.values()
    source = [f"def function({', '.join(arguments)}):", *lines, f" return v{output}"]
    exec(compile("\n".join(source), "<program>", "exec"), names)
    made: Callable[..., Array] = names["function"]
    return made


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
