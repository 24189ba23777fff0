"""The operations of the portable arithmetic: the table is also their definition.

Every operation is a fixed sequence of IEEE 754 operations in round-to-nearest, so it gives the
same bits in native code, on torch's tensors, on any processor and on any GPU. Nothing else may
appear in a program.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum


class Kind(StrEnum):
    """What the numbers of an array are.

    A float has the program's dtype. An integer has as many bits as a float, in two's complement,
    and wraps around. A boolean is true or false.
    """

    FLOAT = "float"
    INTEGER = "integer"
    BOOLEAN = "boolean"


@dataclass(frozen=True)
class Operation:
    """One row of the table.

    Attributes:
        takes: the kinds of the inputs; empty for an operation without inputs.
        gives: the kind of the result; None: that of its last input.
        meaning: what it computes, and in which order.
    """

    takes: tuple[Kind, ...]
    gives: Kind | None
    meaning: str


_F, _I, _B = Kind.FLOAT, Kind.INTEGER, Kind.BOOLEAN

ELEMENTWISE: dict[str, Operation] = {
    "add": Operation((_F, _F), _F, "a + b, rounded once"),
    "subtract": Operation((_F, _F), _F, "a - b, rounded once"),
    "multiply": Operation((_F, _F), _F, "a * b, rounded once; never joined with an addition"),
    "divide": Operation((_F, _F), _F, "a / b, rounded once; never a product with 1 / b"),
    "sqrt": Operation((_F,), _F, "the square root, rounded once; NaN below 0, -0 at -0"),
    "negative": Operation((_F,), _F, "the sign bit is changed, of NaN too"),
    "absolute": Operation((_F,), _F, "the sign bit is cleared, of NaN too"),
    "less": Operation((_F, _F), _B, "a < b; false when one is NaN; -0 equals 0"),
    "less_equal": Operation((_F, _F), _B, "a <= b; false when one is NaN"),
    "equal": Operation((_F, _F), _B, "a = b; false when one is NaN; -0 equals 0"),
    "not_equal": Operation((_F, _F), _B, "not (a = b); true when one is NaN"),
    "select": Operation(
        (_B, _F, _F), None, "the second input where the first is true, else the third"
    ),
    "select_integer": Operation((_B, _I, _I), None, "the same of integers"),
    "and": Operation((_B, _B), _B, "both"),
    "or": Operation((_B, _B), _B, "one of them or both"),
    "not": Operation((_B,), _B, "the opposite"),
    "to_bits": Operation((_F,), _I, "the bits of a float as an integer"),
    "from_bits": Operation((_I,), _F, "the float with these bits"),
    "add_integer": Operation((_I, _I), _I, "a + b modulo 2^bits"),
    "subtract_integer": Operation((_I, _I), _I, "a - b modulo 2^bits"),
    "multiply_integer": Operation((_I, _I), _I, "a * b modulo 2^bits"),
    "and_integer": Operation((_I, _I), _I, "bit by bit"),
    "or_integer": Operation((_I, _I), _I, "bit by bit"),
    "shift_left": Operation((_I, _I), _I, "b places, 0 <= b < bits"),
    "shift_right": Operation((_I, _I), _I, "b places, 0 <= b < bits; the sign is repeated"),
    "less_integer": Operation((_I, _I), _B, "a < b, with their signs"),
    "equal_integer": Operation((_I, _I), _B, "a = b"),
}
"""Operations on single numbers; all inputs have the shape of the result."""

STRUCTURAL: dict[str, Operation] = {
    "input": Operation((), None, "an argument of the program; detail: its name"),
    "constant": Operation((), None, "an array that belongs to the program; detail: its position"),
    "view": Operation(
        (_F,),
        None,
        "result[i, j, …] = flat input[offset + i * stride0 + j * stride1 + …], with the input in "
        "C order, of any kind; detail: the offset, then one stride for each dimension",
    ),
    "concatenate": Operation((_F,), None, "the inputs in C order, one after the other; flat"),
    "take": Operation(
        (_F,),
        None,
        "result[i] = flat input[index[i]]; detail: the position of the integer constant `index`, "
        "which has the shape of the result",
    ),
    "sum": Operation(
        (_F,),
        _F,
        "the sum over the last dimension as a balanced tree: n values become values[:n // 2] + "
        "values[n - n // 2:], followed by the middle one where n is odd, until one is left; the "
        "sum of one value is the value, of none +0",
    ),
    "scatter_add": Operation(
        (_F, _F),
        _F,
        "the first input with the numbers of the second added at flat positions, one after the "
        "other in C order; detail: the position of the integer constant with the positions, which "
        "has the shape of the second",
    ),
}
"""Operations on whole arrays."""

OPERATIONS: dict[str, Operation] = {**ELEMENTWISE, **STRUCTURAL}
