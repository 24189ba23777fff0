"""The interpreted way: a program computed with torch's single operations, for many rows at once.

It is the oracle of the native way, and the way of a GPU. Every array has the rows of a batch as
its first dimension.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

import numpy as np
import torch

from gdexp.engine.program import Node, Program

INTEGERS = {torch.float32: torch.int32, torch.float64: torch.int64}

_ELEMENTWISE: dict[str, Callable[..., torch.Tensor]] = {
    "add": torch.add,
    "subtract": torch.sub,
    "multiply": torch.mul,
    "divide": torch.div,
    "sqrt": lambda a: _sqrt(a),
    "less": torch.lt,
    "less_equal": torch.le,
    "equal": torch.eq,
    "not_equal": torch.ne,
    "select": torch.where,
    "select_integer": torch.where,
    "and": torch.logical_and,
    "or": torch.logical_or,
    "not": torch.logical_not,
    "to_bits": lambda a: a.view(INTEGERS[a.dtype]),
    "from_bits": lambda a: a.view(torch.float32 if a.dtype is torch.int32 else torch.float64),
    "negative": lambda a: _bits(a, torch.bitwise_xor, -1 << (8 * a.element_size() - 1)),
    "absolute": lambda a: _bits(a, torch.bitwise_and, (1 << (8 * a.element_size() - 1)) - 1),
    "add_integer": torch.add,
    "subtract_integer": torch.sub,
    "multiply_integer": torch.mul,
    "and_integer": torch.bitwise_and,
    "or_integer": torch.bitwise_or,
    "shift_left": torch.bitwise_left_shift,
    "shift_right": torch.bitwise_right_shift,
    "less_integer": torch.lt,
    "equal_integer": torch.eq,
}


Step = Callable[[list[torch.Tensor], int], torch.Tensor]
"""It computes a node from its inputs, for a number of rows."""


class Interpreter:
    """Computes a program for many rows at once.

    Args:
        program: the program.
        device: that its constants are put on.
    """

    def __init__(self, program: Program, device: torch.device | str = "cpu") -> None:
        self.program = program
        self._constants = [torch.from_numpy(c.copy()).to(device) for c in program.constants]
        last_use = {j: i for i, node in enumerate(program.nodes) for j in node.inputs}
        kept = set(program.outputs.values())
        # For each node: what computes it, its inputs, and which of them are needed no more.
        self._steps: list[tuple[Step | str, tuple[int, ...], list[int]]] = []
        for i, node in enumerate(program.nodes):
            done = [j for j in set(node.inputs) if last_use[j] == i and j not in kept]
            is_input = node.operation == "input"
            self._steps.append(
                (str(node.detail) if is_input else self._step(node), node.inputs, done)
            )

    def __call__(self, inputs: Mapping[str, torch.Tensor]) -> dict[str, torch.Tensor]:
        """Return the results.

        Args:
            inputs: for each input of the program, an array of shape (rows, *shape) in the
                program's dtype.

        Returns:
            The results by name, each of shape (rows, *shape).
        """
        rows = next(iter(inputs.values())).shape[0]
        values: dict[int, torch.Tensor] = {}
        for i, (step, given, done) in enumerate(self._steps):
            if isinstance(step, str):
                values[i] = inputs[step].contiguous()
            else:
                values[i] = step([values[j] for j in given], rows)
            for j in done:
                del values[j]
        return {name: values[i] for name, i in self.program.outputs.items()}

    def _step(self, node: Node) -> Step:
        operation, detail, shape = node.operation, node.detail, node.shape
        if operation in _ELEMENTWISE:
            function = _ELEMENTWISE[operation]
            return lambda given, rows: function(*given)
        assert not isinstance(detail, str)
        if operation == "constant":
            constant = self._constants[detail[0]]
            return lambda given, rows: constant.expand((rows, *shape)).contiguous()
        if operation == "concatenate":
            return lambda given, rows: torch.cat([each.reshape(rows, -1) for each in given], dim=1)
        if operation == "sum":
            return lambda given, rows: tree_sum(given[0])
        if operation == "view":
            return _view(node)
        index = self._constants[detail[0]].long().flatten()
        if operation == "take":
            return lambda given, rows: given[0].reshape(rows, -1)[:, index].reshape((rows, *shape))
        places = self.program.constants[detail[0]].flatten().tolist()
        return lambda given, rows: _scatter_add(given, places, (rows, *shape))


def tree_sum(values: torch.Tensor) -> torch.Tensor:
    """Return the sum over the last dimension in the order of the operation `sum`."""
    n = values.shape[-1]
    if n == 0:
        return values.new_zeros(values.shape[:-1])
    while n > 1:
        half = n // 2
        joined = values[..., :half] + values[..., n - half :]
        if n % 2:
            joined = torch.cat([joined, values[..., half : half + 1]], dim=-1)
        values = joined
        n -= half
    return values[..., 0]


def _sqrt(values: torch.Tensor) -> torch.Tensor:
    """Return the square root, rounded once.

    On a CPU torch.sqrt calls MKL's vector functions, which miss the nearest number for 1 value in
    100; numpy's is the processor's instruction.
    """
    if values.device.type != "cpu":
        return torch.sqrt(values)
    with np.errstate(all="ignore"):
        return torch.from_numpy(np.sqrt(np.ascontiguousarray(values.numpy())))


def _bits(values: torch.Tensor, operation: Callable[..., torch.Tensor], mask: int) -> torch.Tensor:
    return operation(values.view(INTEGERS[values.dtype]), mask).view(values.dtype)


def _scatter_add(
    given: list[torch.Tensor], places: list[int], shape: tuple[int, ...]
) -> torch.Tensor:
    result = given[0].reshape(shape[0], -1).clone()
    added = given[1].reshape(shape[0], -1)
    for j, place in enumerate(places):
        result[:, place] = result[:, place] + added[:, j]
    return result.reshape(shape)


def _view(node: Node) -> Step:
    assert not isinstance(node.detail, str)
    offset, *strides = node.detail
    shape = node.shape
    if 0 in shape:
        return lambda given, rows: given[0].new_empty((rows, *shape))
    if all(stride >= 0 for stride in strides):

        def forward(given: list[torch.Tensor], rows: int) -> torch.Tensor:
            flat = given[0].reshape(rows, -1)
            return flat.as_strided(
                (rows, *shape), (flat.stride(0), *strides), flat.storage_offset() + offset
            ).contiguous()

        return forward
    # torch has no view with a stride below 0.
    places = torch.full(shape, offset)
    for axis, (n, stride) in enumerate(zip(shape, strides, strict=True)):
        along = [1] * len(shape)
        along[axis] = n
        places = places + (torch.arange(n) * stride).reshape(along)

    def backward(given: list[torch.Tensor], rows: int) -> torch.Tensor:
        flat = given[0].reshape(rows, -1)
        return flat[:, places.flatten().to(flat.device)].reshape((rows, *shape))

    return backward
