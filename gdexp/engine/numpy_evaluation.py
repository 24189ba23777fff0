"""A program computed with numpy: for tables of constants, and an oracle beside torch."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np

from gdexp.engine.operations import ELEMENTWISE, Kind
from gdexp.engine.program import DTYPES, Array, Node, Program

FORMULAS: dict[str, Callable[..., Any]] = {
    "add": np.add,
    "subtract": np.subtract,
    "multiply": np.multiply,
    "divide": np.divide,
    "sqrt": np.sqrt,
    "negative": lambda a: _bits(a, np.bitwise_xor, np.iinfo(f"i{a.itemsize}").min),
    "absolute": lambda a: _bits(a, np.bitwise_and, np.iinfo(f"i{a.itemsize}").max),
    "less": np.less,
    "less_equal": np.less_equal,
    "equal": np.equal,
    "not_equal": np.not_equal,
    "select": np.where,
    "select_integer": np.where,
    "and": np.logical_and,
    "or": np.logical_or,
    "not": np.logical_not,
    "to_bits": lambda a: a.view(f"i{a.itemsize}"),
    "from_bits": lambda a: a.view(f"f{a.itemsize}"),
    "add_integer": np.add,
    "subtract_integer": np.subtract,
    "multiply_integer": np.multiply,
    "and_integer": np.bitwise_and,
    "or_integer": np.bitwise_or,
    "shift_left": np.left_shift,
    "shift_right": np.right_shift,
    "less_integer": np.less,
    "equal_integer": np.equal,
}
"""The operations on single numbers, as functions of numpy."""


def evaluate(program: Program, inputs: Mapping[str, Array]) -> dict[str, Array]:
    """Return the results of a program for many rows at once.

    Args:
        program: the program.
        inputs: for each of its inputs an array of shape (rows, *shape).

    Returns:
        The results by name, each of shape (rows, *shape); they may be read-only.
    """
    floats = DTYPES[program.dtype][Kind.FLOAT]
    rows = len(next(iter(inputs.values())))
    last_use = {j: i for i, node in enumerate(program.nodes) for j in node.inputs}
    kept = set(program.outputs.values())
    values: dict[int, Array] = {}
    with np.errstate(all="ignore"):
        for i, node in enumerate(program.nodes):
            if node.operation == "input":
                given = np.ascontiguousarray(inputs[str(node.detail)], floats)
                values[i] = given.reshape(rows, *node.shape)
            else:
                values[i] = _compute(program, node, [values[j] for j in node.inputs], rows)
            for j in set(node.inputs):
                if last_use[j] == i and j not in kept:
                    del values[j]
    return {name: values[i] for name, i in program.outputs.items()}


def tree_sum(values: Array) -> Array:
    """Return the sum over the last dimension in the order of the operation `sum`."""
    n = values.shape[-1]
    if n == 0:
        return np.zeros(values.shape[:-1], values.dtype)
    while n > 1:
        half = n // 2
        joined = values[..., :half] + values[..., n - half :]
        values = np.concatenate([joined, values[..., half : n - half]], axis=-1)
        n -= half
    return values[..., 0]


def _compute(program: Program, node: Node, given: list[Array], rows: int) -> Array:
    operation, detail = node.operation, node.detail
    if operation in ELEMENTWISE:
        found: Array = FORMULAS[operation](*given)
        return found
    assert not isinstance(detail, str)
    shape = (rows, *node.shape)
    if operation == "constant":
        return np.broadcast_to(program.constants[detail[0]], shape)
    if operation == "concatenate":
        return np.concatenate([each.reshape(rows, -1) for each in given], axis=1)
    if operation == "sum":
        return tree_sum(given[0])
    flat = np.ascontiguousarray(given[0]).reshape(rows, given[0].size // max(rows, 1))
    if operation == "view":
        return _view(flat, shape, detail)
    index = program.constants[detail[0]].reshape(-1)
    if operation == "take":
        taken: Array = flat[:, index].reshape(shape)
        return taken
    result = flat.copy()
    added = given[1].reshape(rows, -1)
    for i, place in enumerate(index.tolist()):
        result[:, place] += added[:, i]
    return result.reshape(shape)


def _view(flat: Array, shape: tuple[int, ...], detail: tuple[int, ...]) -> Array:
    if 0 in shape:
        return np.empty(shape, flat.dtype)
    offset, *strides = detail
    steps = [flat.strides[0], *(stride * flat.itemsize for stride in strides)]
    return np.lib.stride_tricks.as_strided(flat[:, offset:], shape, steps)


def _bits(values: Array, operation: Callable[..., Array], mask: int) -> Array:
    integers = values.view(f"i{values.itemsize}")
    return operation(integers, integers.dtype.type(mask)).view(values.dtype)
