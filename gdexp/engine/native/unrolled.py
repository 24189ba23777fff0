"""A program with each of its numbers in a register: the form for small programs."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from gdexp.engine.native.compose import affine_positions
from gdexp.engine.native.writer import Types, Writer
from gdexp.engine.operations import ELEMENTWISE
from gdexp.engine.program import Array, Node, Program


def instructions(program: Program) -> int:
    """Return about how many instructions the unrolled program has."""
    nodes = program.nodes
    count = 0
    for node in nodes:
        if node.operation in ELEMENTWISE:
            count += node.size
        elif node.operation in ("sum", "scatter_add"):
            count += nodes[node.inputs[-1]].size
        elif node.operation in ("take", "view", "concatenate", "constant"):
            count += node.size // 4
    return count


def unroll(writer: Writer, program: Program, inputs: Mapping[str, list[str]]) -> dict[str, Array]:
    """Write a program for single numbers.

    Args:
        writer: of the function.
        program: the program.
        inputs: the registers of each input's numbers, in C order.

    Returns:
        For each result the registers of its numbers, in C order.
    """
    values: list[Array] = []
    for node in program.nodes:
        given = [values[j] for j in node.inputs]
        if node.operation == "input":
            flat = _registers(inputs[str(node.detail)])
        elif node.operation in ELEMENTWISE:
            columns = zip(*given, strict=True)
            flat = _registers([writer.operate(node.operation, list(each)) for each in columns])
        else:
            flat = _structural(writer, program, node, given)
        values.append(flat)
    return {name: values[i] for name, i in program.outputs.items()}


def _structural(writer: Writer, program: Program, node: Node, given: list[Array]) -> Array:
    assert not isinstance(node.detail, str)
    constants, detail = program.constants, node.detail
    if node.operation == "constant":
        return _literals(writer.types, constants[detail[0]], node)
    if node.operation == "concatenate":
        return np.concatenate(given)
    if node.operation == "view":
        places = affine_positions(node.shape, detail[0], detail[1:])
        return given[0][places.reshape(-1)] if node.size else _registers([])
    if node.operation == "take":
        return given[0][constants[detail[0]].reshape(-1)]
    if node.operation == "sum":
        width = program.nodes[node.inputs[0]].shape[-1]
        rows = given[0].reshape(node.size, width)
        return _registers([writer.tree(list(row)) for row in rows])
    result = given[0].copy()
    for place, added in zip(constants[detail[0]].reshape(-1), given[1], strict=True):
        result[place] = writer.operate("add", [result[place], added])
    return result


def _literals(types: Types, constant: Array, node: Node) -> Array:
    return _registers([types.literal(value, node.kind) for value in constant.reshape(-1)])


def _registers(names: list[Any]) -> Array:
    array = np.empty(len(names), dtype=object)
    array[:] = names
    return array
