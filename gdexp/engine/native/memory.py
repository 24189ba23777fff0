"""Where the arrays of a kernel lie, and what LLVM is told of their being apart."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np

from gdexp.engine.operations import Kind
from gdexp.engine.program import Array

ALIGNMENT = 64
"""Arrays begin at multiples of this many bytes."""


@dataclass(frozen=True)
class Place:
    """An array in memory.

    Attributes:
        pointer: the register with the address of the first number.
        kind: of the numbers.
        region: the number of the memory that it is in; regions never overlap.
        offset: of the first number from the pointer.
    """

    pointer: str
    kind: Kind
    region: int
    offset: int = 0


@dataclass(frozen=True, order=True)
class Slot:
    """Some scratch memory.

    Attributes:
        size: in bytes.
        offset: of the first byte.
        number: of the slot.
    """

    size: int
    offset: int
    number: int


@dataclass
class Pool:
    """The constants of a plan's kernels as bytes."""

    data: bytearray = field(default_factory=bytearray)
    _known: dict[tuple[str, bytes], int] = field(default_factory=dict)

    def add(self, array: Array) -> int:
        """Return the offset of an array in bytes."""
        key = (array.dtype.str, np.ascontiguousarray(array).tobytes())
        if key not in self._known:
            self.data.extend(bytes(-len(self.data) % ALIGNMENT))
            self._known[key] = len(self.data)
            self.data.extend(key[1])
        return self._known[key]


@dataclass
class Scratch:
    """The temporary arrays of a kernel; memory that is no longer read is given out again.

    Attributes:
        size: bytes in all.
    """

    size: int = 0
    _free: list[Slot] = field(default_factory=list)
    _slots: int = 0

    def take(self, size: int) -> Slot:
        """Return a slot that has room for `size` bytes."""
        fitting = [slot for slot in self._free if size <= slot.size <= 2 * size + ALIGNMENT]
        if fitting:
            slot = min(fitting)
            self._free.remove(slot)
            return slot
        size += -size % ALIGNMENT
        slot = Slot(size, self.size, self._slots)
        self.size += size
        self._slots += 1
        return slot

    def give_back(self, slot: Slot) -> None:
        """Let another array have a slot."""
        self._free.append(slot)


class Regions:
    """Tags for loads and stores: accesses of different regions never meet.

    Args:
        first: the number of the first line of metadata; each module numbers its own.
    """

    def __init__(self, first: int) -> None:
        self._first = first
        self._count = 0

    def new(self) -> int:
        """Return a new region."""
        self._count += 1
        return self._count - 1

    def tags(self, region: int) -> str:
        """Return the tags of an access to a region."""
        own = self._first + 1 + 3 * region
        return f", !alias.scope !{own + 1}, !noalias !{own + 2}"

    def metadata(self) -> list[str]:
        """Return the lines that define the tags."""
        domain = self._first
        lines = [f"!{domain} = distinct !{{!{domain}}}"]
        scopes = [domain + 1 + 3 * region for region in range(self._count)]
        for own in scopes:
            others = ", ".join(f"!{each}" for each in scopes if each != own)
            lines.append(f"!{own} = distinct !{{!{own}, !{domain}}}")
            lines.append(f"!{own + 1} = !{{!{own}}}")
            lines.append(f"!{own + 2} = !{{{others}}}")
        return lines

    @property
    def end(self) -> int:
        """The number of the first line after these."""
        return self._first + 1 + 3 * self._count
