"""The interpreted way: a program computed with torch's single operations, for many rows at once.

It is the oracle of the native way, and the way of a GPU. Every array has the rows of a batch as
its first dimension.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

import torch

from gdexp.engine.program import Node, Program

INTEGERS = {torch.float32: torch.int32, torch.float64: torch.int64}

_ELEMENTWISE: dict[str, Callable[..., torch.Tensor]] = {
    "add": torch.add,
    "subtract": torch.sub,
    "multiply": torch.mul,
    "divide": torch.div,
    "sqrt": torch.sqrt,
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


class Interpreter:
    """Computes a program for many rows at once.

    Args:
        program: the program.
        device: that its constants are put on.
    """

    def __init__(self, program: Program, device: torch.device | str = "cpu") -> None:
        self.program = program
        self._constants = [torch.from_numpy(c.copy()).to(device) for c in program.constants]

    def __call__(self, inputs: Mapping[str, torch.Tensor]) -> dict[str, torch.Tensor]:
        """Return the results.

        Args:
            inputs: for each input of the program, an array of shape (rows, *shape) in the
                program's dtype.

        Returns:
            The results by name, each of shape (rows, *shape).
        """
        rows = next(iter(inputs.values())).shape[0]
        nodes = self.program.nodes
        last_use = {j: i for i, node in enumerate(nodes) for j in node.inputs}
        kept = set(self.program.outputs.values())
        values: dict[int, torch.Tensor] = {}
        for i, node in enumerate(nodes):
            given = [values[j] for j in node.inputs]
            if node.operation == "input":
                values[i] = inputs[str(node.detail)].contiguous()
            else:
                values[i] = self._compute(node, given, rows)
            for j in set(node.inputs):
                if last_use[j] == i and j not in kept:
                    del values[j]
        return {name: values[i] for name, i in self.program.outputs.items()}

    def _compute(self, node: Node, given: list[torch.Tensor], rows: int) -> torch.Tensor:
        operation, detail = node.operation, node.detail
        if operation in _ELEMENTWISE:
            return _ELEMENTWISE[operation](*given)
        assert not isinstance(detail, str)
        shape = (rows, *node.shape)
        if operation == "constant":
            return self._constants[detail[0]].expand(shape).contiguous()
        if operation == "concatenate":
            return torch.cat([each.reshape(rows, -1) for each in given], dim=1)
        if operation == "sum":
            return tree_sum(given[0])
        flat = given[0].reshape(rows, -1)
        if operation == "view":
            offset, *strides = detail
            if 0 in node.shape:
                return flat.new_empty(shape)
            if any(stride < 0 for stride in strides):
                return _negative_view(flat, node, offset, strides)
            start = flat.storage_offset() + offset  # flat may be a part of another array
            return flat.as_strided(shape, (flat.stride(0), *strides), start).contiguous()
        index = self._constants[detail[0]].long()
        if operation == "take":
            return flat[:, index.flatten()].reshape(shape)
        result = flat.clone()
        added = given[1].reshape(rows, -1)
        for j, place in enumerate(index.flatten().tolist()):
            result[:, place] = result[:, place] + added[:, j]
        return result.reshape(shape)


def tree_sum(values: torch.Tensor) -> torch.Tensor:
    """Return the sum over the last dimension in the order of the operation `sum`."""
    n = values.shape[-1]
    if n == 0:
        return values.new_zeros(values.shape[:-1])
    while n > 1:
        half = n // 2
        joined = values[..., :half] + values[..., n - half :]
        values = torch.cat([joined, values[..., half : n - half]], dim=-1)
        n -= half
    return values[..., 0]


def _bits(values: torch.Tensor, operation: Callable[..., torch.Tensor], mask: int) -> torch.Tensor:
    return operation(values.view(INTEGERS[values.dtype]), mask).view(values.dtype)


def _negative_view(flat: torch.Tensor, node: Node, offset: int, strides: list[int]) -> torch.Tensor:
    """Return a view with a stride below 0, which torch has none of."""
    places = torch.full(node.shape, offset)
    for axis, (n, stride) in enumerate(zip(node.shape, strides, strict=True)):
        along = [1] * len(node.shape)
        along[axis] = n
        places = places + (torch.arange(n) * stride).reshape(along)
    return flat[:, places.flatten().to(flat.device)].reshape(flat.shape[0], *node.shape)
