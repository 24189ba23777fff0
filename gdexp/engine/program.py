"""A program: a loss with its gradient, or an update, as a fixed sequence of operations."""

from __future__ import annotations

import hashlib
import json
import math
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
import numpy.typing as npt

from gdexp.core import BadInput
from gdexp.engine.operations import ELEMENTWISE, OPERATIONS, Kind

FORMAT = 1
"""The version of the stored form."""

DTYPES: dict[str, dict[Kind, np.dtype[Any]]] = {
    "float32": {
        Kind.FLOAT: np.dtype("<f4"),
        Kind.INTEGER: np.dtype("<i4"),
        Kind.BOOLEAN: np.dtype("?"),
    },
    "float64": {
        Kind.FLOAT: np.dtype("<f8"),
        Kind.INTEGER: np.dtype("<i8"),
        Kind.BOOLEAN: np.dtype("?"),
    },
}
"""How numbers of each kind are stored, for each dtype of a program."""

LARGEST = 1 << 40
"""The largest size, offset and stride."""

Array = npt.NDArray[Any]


@dataclass(frozen=True)
class Node:
    """One operation of a program.

    Attributes:
        operation: its name in `OPERATIONS`.
        inputs: the positions of earlier nodes.
        shape: of the result; C order.
        kind: of the result.
        detail: what the operation's row in the table says.
    """

    operation: str
    inputs: tuple[int, ...]
    shape: tuple[int, ...]
    kind: Kind = Kind.FLOAT
    detail: tuple[int, ...] | str = ()

    @property
    def size(self) -> int:
        """The number of values."""
        return math.prod(self.shape)


@dataclass(frozen=True, eq=False)
class Program:
    """Nodes in the order in which they are computed.

    Attributes:
        dtype: float32 or float64.
        nodes: each takes only nodes before it.
        constants: arrays in C order, of the dtypes in `DTYPES[dtype]`.
        outputs: the names of the results, with the positions of their nodes.
    """

    dtype: str
    nodes: tuple[Node, ...]
    constants: tuple[Array, ...]
    outputs: Mapping[str, int]

    @cached_property
    def inputs(self) -> dict[str, int]:
        """The positions of the inputs, by name."""
        return {str(n.detail): i for i, n in enumerate(self.nodes) if n.operation == "input"}

    @cached_property
    def stored(self) -> bytes:
        """The program as bytes: one line of JSON, then the constants.

        Equal programs have equal bytes.
        """
        header = {
            "format": FORMAT,
            "dtype": self.dtype,
            "nodes": [[n.operation, n.inputs, n.shape, n.kind, n.detail] for n in self.nodes],
            "constants": [[_kind_of(c), c.shape] for c in self.constants],
            "outputs": dict(sorted(self.outputs.items())),
        }
        line = json.dumps(header, separators=(",", ":")).encode() + b"\n"
        return line + b"".join(constant.tobytes() for constant in self.constants)

    @cached_property
    def sha256(self) -> str:
        """The digest of `stored`."""
        return hashlib.sha256(self.stored).hexdigest()

    @classmethod
    def load(cls, stored: bytes) -> Program:
        """Return the program with these bytes, every node of it checked.

        Raises:
            BadInput: the bytes are no program of this version.
        """
        try:
            line, _, rest = stored.partition(b"\n")
            header = json.loads(line)
            if header["format"] != FORMAT:
                raise ValueError(f"format {header['format']}")
            dtypes = DTYPES[header["dtype"]]
            constants, offset = [], 0
            for kind, shape in header["constants"]:
                dtype, count = dtypes[Kind(kind)], math.prod(_sizes(shape))
                array = np.frombuffer(rest, dtype, count, offset).reshape(shape)
                if dtype.kind == "b" and array.view(np.uint8).max(initial=0) > 1:
                    raise ValueError("a boolean that is neither true nor false")
                offset += array.nbytes
                constants.append(array)
            if offset != len(rest):
                raise ValueError("bytes are left over")
            nodes = [
                Node(op, _sizes(i), _sizes(s), Kind(k), d if isinstance(d, str) else tuple(d))
                for op, i, s, k, d in header["nodes"]
            ]
            program = cls(header["dtype"], tuple(nodes), tuple(constants), header["outputs"])
            program.check()
        except (
            *(ValueError, KeyError, TypeError, IndexError, AttributeError),
            *(RecursionError, OverflowError),
        ) as error:
            raise BadInput(
                "program", "its bytes", f"are no program of this version: {error}"
            ) from None
        return program

    def check(self) -> None:
        """Check that every node fits the table of operations, its inputs and its constants.

        Raises:
            ValueError: it names the first node that does not.
        """
        for i, node in enumerate(self.nodes):
            problem = self._fault(i, node)
            if problem:
                raise ValueError(f"node {i} ({node.operation}): {problem}")
        if sum(node.operation == "input" for node in self.nodes) != len(self.inputs):
            raise ValueError("two inputs have one name")
        for name, position in self.outputs.items():
            if type(position) is not int or not 0 <= position < len(self.nodes):
                raise ValueError(f"output {name} is node {position}")

    def _fault(self, position: int, node: Node) -> str | None:
        row = OPERATIONS.get(node.operation)
        if row is None:
            return "no such operation"
        if any(not 0 <= i < position for i in node.inputs):
            return "an input does not come before it"
        if any(not isinstance(n, int) or n < 0 for n in node.shape):
            return f"shape {node.shape}"
        given = [self.nodes[i] for i in node.inputs]
        if node.operation in ELEMENTWISE:
            if tuple(each.kind for each in given) != row.takes:
                return "inputs of another kind"
            if any(each.shape != node.shape for each in given):
                return "inputs of another shape"
            return None if node.kind == (row.gives or given[-1].kind) else f"kind {node.kind}"
        return self._structural_fault(node, given)

    def _structural_fault(self, node: Node, given: list[Node]) -> str | None:
        operation, detail = node.operation, node.detail
        if operation == "input":
            return None if isinstance(detail, str) and not given else "it has no name"
        if isinstance(detail, str) or any(type(n) is not int or abs(n) > LARGEST for n in detail):
            return "its detail must be integers"
        if operation in ("constant", "take", "scatter_add") and (len(detail) != 1 or detail[0] < 0):
            return "its detail must be the position of a constant"
        if operation == "constant":
            constant = self.constants[detail[0]]
            fits = constant.shape == node.shape and _kind_of(constant) == node.kind
            return None if fits and not given else "it does not fit its constant"
        if operation == "concatenate":
            fits = node.shape == (sum(each.size for each in given),) and bool(given)
            return None if fits and {each.kind for each in given} == {node.kind} else "inputs"
        if any(each.kind != node.kind for each in given):
            return "inputs of another kind"
        if len(given) != (2 if operation == "scatter_add" else 1):
            return f"{len(given)} inputs"
        if operation == "view":
            return _view_fault(node, given[0], detail)
        if operation == "sum":
            fits = given[0].shape[:-1] == node.shape and len(given[0].shape) == len(node.shape) + 1
            return None if fits else f"sum of shape {given[0].shape}"
        index = self.constants[detail[0]]
        indexed = given[1] if operation == "scatter_add" else node
        if _kind_of(index) != Kind.INTEGER or index.shape != indexed.shape:
            return "its positions have another shape"
        if operation == "scatter_add" and given[0].shape != node.shape:
            return "its first input has another shape"
        if index.size and not (index.min() >= 0 and index.max() < given[0].size):
            return "a position is outside of the array"
        return None


def _sizes(given: list[int]) -> tuple[int, ...]:
    """Return sizes or positions that were read.

    Raises:
        ValueError: one of them is not an integer from 0 to `LARGEST`.
    """
    if not isinstance(given, list) or not all(type(n) is int and 0 <= n <= LARGEST for n in given):
        raise ValueError("a size or a position is no integer in its range")
    return tuple(given)


def _view_fault(node: Node, source: Node, detail: tuple[int, ...]) -> str | None:
    if len(detail) != len(node.shape) + 1:
        return "it needs an offset and one stride for each dimension"
    if node.size == 0:
        return None
    reach = [stride * (n - 1) for stride, n in zip(detail[1:], node.shape, strict=True)]
    low = detail[0] + sum(each for each in reach if each < 0)
    high = detail[0] + sum(each for each in reach if each > 0)
    return None if low >= 0 and high < source.size else "it reads outside of the array"


def _kind_of(array: Array) -> Kind:
    return {"f": Kind.FLOAT, "i": Kind.INTEGER, "b": Kind.BOOLEAN}[array.dtype.kind]
