"""Portable functions of one Python float, for schedules and hitting times.

A program of single doubles becomes a Python function, a line for each node: Python's floats are
IEEE doubles, so it has the bits of the program's other forms.
"""

from __future__ import annotations

import math
import struct
from collections.abc import Callable
from functools import lru_cache
from typing import Any

from gdexp.engine import functions
from gdexp.engine.arrays import Function, scalar_program
from gdexp.engine.builder import Builder, Value
from gdexp.engine.operations import Kind
from gdexp.engine.program import Program

_DOUBLE, _INTEGER = struct.Struct("<d"), struct.Struct("<q")
_WRAPPED = "(({}) + HALF & MASK) - HALF"

_FORMULAS = {
    "add": "{} + {}",
    "subtract": "{} - {}",
    "multiply": "{} * {}",
    "divide": "divide({}, {})",
    "sqrt": "root({})",
    "negative": "-{}",
    "absolute": "abs({})",
    "less": "{} < {}",
    "less_equal": "{} <= {}",
    "equal": "{} == {}",
    "not_equal": "{} != {}",
    "select": "{1} if {0} else {2}",
    "select_integer": "{1} if {0} else {2}",
    "and": "{} and {}",
    "or": "{} or {}",
    "not": "not {}",
    "to_bits": "to_bits({})",
    "from_bits": "from_bits({})",
    "add_integer": _WRAPPED.format("{} + {}"),
    "subtract_integer": _WRAPPED.format("{} - {}"),
    "multiply_integer": _WRAPPED.format("{} * {}"),
    "and_integer": "{} & {}",
    "or_integer": "{} | {}",
    "shift_left": _WRAPPED.format("{} << {}"),
    "shift_right": "{} >> {}",
    "less_integer": "{} < {}",
    "equal_integer": "{} == {}",
}


def exp(x: float) -> float:
    """Return e^x."""
    return _compiled(functions.exp, 1)(x)


def log(x: float) -> float:
    """Return the natural logarithm; -inf of 0, NaN below."""
    return _compiled(functions.log, 1)(x)


def cos(x: float) -> float:
    """Return the cosine."""
    return _compiled(functions.cos, 1)(x)


def power(base: float, exponent: float) -> float:
    """Return base^exponent, as C's pow."""
    return _compiled(_power, 2)(base, exponent)


def scalar(function: Function, count: int = 1) -> Callable[..., float]:
    """Return a function of the engine as one of Python floats.

    Args:
        function: an elementwise function.
        count: of its arguments.
    """
    return _compiled(function, count)


def _power(builder: Builder, base: Value, exponent: Value) -> Value:
    return functions.power(builder, base, exponent)


@lru_cache
def _compiled(function: Function, count: int) -> Callable[..., float]:
    return python_function(scalar_program(function, count, "float64"))


def python_function(program: Program) -> Callable[..., float]:
    """Return a program of single doubles as a Python function.

    Args:
        program: its inputs become the arguments, in their order; it has one output, and none of
            the operations on whole arrays.
    """
    names: dict[str, Any] = {
        "HALF": 1 << 63,
        "MASK": (1 << 64) - 1,
        "divide": divide,
        "root": root,
        "to_bits": to_bits,
        "from_bits": from_bits,
    }
    arguments, lines = [], []
    for i, node in enumerate(program.nodes):
        if node.operation == "input":
            arguments.append(f"v{i}")
        elif node.operation == "constant":
            number = program.constants[int(node.detail[0])].item()
            names[f"v{i}"] = int(number) if node.kind == Kind.INTEGER else number
        else:
            formula = _FORMULAS[node.operation].format(*(f"v{j}" for j in node.inputs))
            lines.append(f" v{i} = {formula}")
    (output,) = program.outputs.values()
    source = [f"def function({', '.join(arguments)}):", *lines, f" return v{output}"]
    exec(compile("\n".join(source), "<program>", "exec"), names)
    made: Callable[..., float] = names["function"]
    return made


def divide(a: float, b: float) -> float:
    """Return a / b, of zeros too."""
    if b:
        return a / b
    if a == 0.0 or a != a:
        return math.nan
    return math.copysign(math.inf, a) * math.copysign(1.0, b)


def root(a: float) -> float:
    """Return the square root; NaN below 0."""
    return math.nan if a < 0.0 else math.sqrt(a)


def to_bits(a: float) -> int:
    """Return the bits of a double."""
    bits: int = _INTEGER.unpack(_DOUBLE.pack(a))[0]
    return bits


def from_bits(a: int) -> float:
    """Return the double with these bits."""
    number: float = _DOUBLE.unpack(_INTEGER.pack(a))[0]
    return number
