"""Writing LLVM code: names, blocks, loops, and each operation as its instruction."""

from __future__ import annotations

import struct
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

import numpy as np

from gdexp.engine.operations import Kind

UNLIKELY = '!prof !{!"branch_weights", i32 1, i32 4000}'
LIKELY = '!prof !{!"branch_weights", i32 4000, i32 1}'

_BINARY = {
    "add": "fadd",
    "subtract": "fsub",
    "multiply": "fmul",
    "divide": "fdiv",
    "less": "fcmp olt",
    "less_equal": "fcmp ole",
    "equal": "fcmp oeq",
    "not_equal": "fcmp une",
    "and": "and",
    "or": "or",
    "add_integer": "add",
    "subtract_integer": "sub",
    "multiply_integer": "mul",
    "and_integer": "and",
    "or_integer": "or",
    "shift_left": "shl",
    "shift_right": "ashr",
    "less_integer": "icmp slt",
    "equal_integer": "icmp eq",
}
"""Operations on two numbers of one kind. No instruction has a fast-math flag."""


@dataclass(frozen=True)
class Types:
    """The types of a program's numbers.

    Args:
        dtype: float32 or float64.
    """

    dtype: str

    @property
    def bits(self) -> int:
        """Of a float and of an integer."""
        return 32 if self.dtype == "float32" else 64

    @property
    def number(self) -> str:
        """The type of a float."""
        return "float" if self.bits == 32 else "double"

    @property
    def integer(self) -> str:
        """The type of an integer."""
        return f"i{self.bits}"

    def value(self, kind: Kind) -> str:
        """Return the type of a value in a register."""
        return {Kind.FLOAT: self.number, Kind.INTEGER: self.integer, Kind.BOOLEAN: "i1"}[kind]

    def stored(self, kind: Kind) -> str:
        """Return the type of a value in memory."""
        return "i8" if kind == Kind.BOOLEAN else self.value(kind)

    def size(self, kind: Kind) -> int:
        """Return the bytes of a value in memory."""
        return 1 if kind == Kind.BOOLEAN else self.bits // 8

    def literal(self, value: np.generic, kind: Kind) -> str:
        """Return a constant exactly, bit by bit."""
        if kind == Kind.BOOLEAN:
            return "true" if value else "false"
        if kind == Kind.INTEGER:
            return str(int(value))
        if np.isnan(value):
            pattern = int.from_bytes(value.tobytes(), "little")
            return f"bitcast ({self.integer} {pattern} to {self.number})"
        return hexadecimal(float(value))


def hexadecimal(value: float) -> str:
    """Return a float as LLVM's hexadecimal constant, which is that of a double for both types."""
    return f"0x{struct.unpack('<Q', struct.pack('<d', value))[0]:016X}"


@dataclass
class Writer:
    """Collects the lines of a function.

    Attributes:
        types: of the numbers.
        lines: of the function's body.
        block: the label of the block that is being written.
    """

    types: Types
    lines: list[str] = field(default_factory=list)
    block: str = "entry"
    _count: int = 0

    def fresh(self, prefix: str = "v") -> str:
        """Return a new name, without its `%`."""
        self._count += 1
        return f"{prefix}{self._count}"

    def do(self, line: str) -> None:
        """Write an instruction without a result."""
        self.lines.append(f"  {line}")

    def set(self, instruction: str) -> str:
        """Write an instruction and return the name of its result."""
        name = f"%{self.fresh()}"
        self.lines.append(f"  {name} = {instruction}")
        return name

    def place(self, label: str) -> None:
        """Begin a block."""
        self.lines.append(f"{label}:")
        self.block = label

    def jump(self, label: str) -> None:
        """End the block."""
        self.do(f"br label %{label}")

    def branch(self, condition: str, yes: str, no: str, weights: str = "") -> None:
        """End the block with a choice."""
        tail = f", {weights}" if weights else ""
        self.do(f"br i1 {condition}, label %{yes}, label %{no}{tail}")

    def load(self, kind: str, pointer: str, tags: str = "") -> str:
        """Read a value of a type."""
        return self.set(f"load {kind}, ptr {pointer}{tags}")

    def store(self, kind: str, value: str, pointer: str, tags: str = "") -> None:
        """Write a value of a type."""
        self.do(f"store {kind} {value}, ptr {pointer}{tags}")

    def at(self, kind: str, pointer: str, index: str | int) -> str:
        """Return the address of a value in an array."""
        if index in (0, "0"):
            return pointer
        return self.set(f"getelementptr inbounds {kind}, ptr {pointer}, i64 {index}")

    @contextmanager
    def loop(self, count: int | str) -> Iterator[str]:
        """Write a loop around what is written inside, at least once; yields its index."""
        if count == 1:
            yield "0"
            return
        head, after, index = self.fresh("loop"), self.fresh("after"), f"%{self.fresh('i')}"
        before = self.block
        self.jump(head)
        self.place(head)
        phi = len(self.lines)
        self.lines.append("")
        yield index
        self.do(f"{index}.next = add nuw nsw i64 {index}, 1")
        more = self.set(f"icmp ult i64 {index}.next, {count}")
        self.branch(more, head, after)
        self.lines[phi] = f"  {index} = phi i64 [ 0, %{before} ], [ {index}.next, %{self.block} ]"
        self.place(after)

    def operate(self, operation: str, given: list[str]) -> str:
        """Write an elementwise operation on single values and return its result."""
        number, integer, bits = self.types.number, self.types.integer, self.types.bits
        if operation == "copy":
            return given[0]
        if operation in ("shift_left", "shift_right") and given[1].startswith("%"):
            # A shift by too much is undefined for LLVM; in a number that a select drops, too.
            given = [given[0], self.set(f"and {integer} {given[1]}, {bits - 1}")]
        if operation in _BINARY:
            word = _BINARY[operation]
            kind = number if word.startswith("f") else integer
            if operation in ("and", "or"):
                kind = "i1"
            return self.set(f"{word} {kind} {given[0]}, {given[1]}")
        if operation in ("select", "select_integer"):
            kind = number if operation == "select" else integer
            return self.set(f"select i1 {given[0]}, {kind} {given[1]}, {kind} {given[2]}")
        if operation == "not":
            return self.set(f"xor i1 {given[0]}, true")
        if operation == "sqrt":
            return self.set(f"call {number} @llvm.sqrt.f{bits}({number} {given[0]})")
        if operation == "from_bits":
            return self.set(f"bitcast {integer} {given[0]} to {number}")
        pattern = self.set(f"bitcast {number} {given[0]} to {integer}")
        if operation == "to_bits":
            return pattern
        sign = 1 << (bits - 1)
        change = {"negative": f"xor {integer} {pattern}, {-sign}"}
        change["absolute"] = f"and {integer} {pattern}, {sign - 1}"
        return self.set(f"bitcast {integer} {self.set(change[operation])} to {number}")

    def tree(self, values: list[str]) -> str:
        """Write the sum of values in the order of the operation `sum`; none give +0."""
        sizes = tree_sizes(len(values))

        def part(level: int, i: int) -> str:
            if level == 0:
                return values[i]
            first = part(level - 1, i)
            if i + sizes[level] >= sizes[level - 1]:
                return first
            return self.operate("add", [first, part(level - 1, i + sizes[level])])

        return part(len(sizes) - 1, 0) if values else hexadecimal(0.0)


def tree_sizes(count: int) -> list[int]:
    """Return how many values each level of a sum has, from `count` to 1."""
    sizes = [count]
    while sizes[-1] > 1:
        sizes.append((sizes[-1] + 1) // 2)
    return sizes
