"""What all parts of a kernel write with: its registers, arrays, constants and loops."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager

from gdexp.engine.native.memory import Place, Pool, Regions, Scratch, Slot
from gdexp.engine.native.prepared import Graph
from gdexp.engine.native.writer import Types, Writer
from gdexp.engine.operations import Kind
from gdexp.engine.program import Array

Index = tuple[str | None, int]
"""A loop's index: a register, or none, plus a number."""


class Frame:
    """The function that is being written.

    Args:
        types: of the numbers.
        graph: the nodes of one iteration.
        pool: of constants.
        metadata: the number of the first line of metadata.

    Attributes:
        w: writes the function.
        scalars: the registers of nodes of one number.
        places: the arrays of nodes that are in memory.
        regions: of memory.
        scratch: temporary memory.
    """

    def __init__(self, types: Types, graph: Graph, pool: Pool, metadata: int) -> None:
        self.w = Writer(types)
        self.graph, self.pool = graph, pool
        self.scalars: dict[int, str] = {}
        self.places: dict[int, Place] = {}
        self.regions = Regions(metadata)
        self.scratch = Scratch()
        self._slot_regions: dict[int, int] = {}
        self._constant_region = self.regions.new()

    def load(self, place: Place, position: str) -> str:
        """Read a number of an array."""
        w = self.w
        kind = w.types.stored(place.kind)
        found = w.load(kind, self._address(place, position), self.regions.tags(place.region))
        return w.set(f"trunc i8 {found} to i1") if place.kind == Kind.BOOLEAN else found

    def store(self, place: Place, position: str, value: str) -> None:
        """Write a number of an array."""
        w = self.w
        kind = w.types.stored(place.kind)
        if place.kind == Kind.BOOLEAN:
            value = w.set(f"zext i1 {value} to i8")
        w.store(kind, value, self._address(place, position), self.regions.tags(place.region))

    def pooled(self, array: Array, kind: Kind) -> Place:
        """Return the place of a constant array."""
        offset = self.pool.add(array)
        pointer = self.w.at("i8", "%constants", offset)
        return Place(pointer, kind, self._constant_region)

    @contextmanager
    def buffer(self, count: int) -> Iterator[Place]:
        """Lend an array of floats."""
        slot = self.scratch.take(count * self.w.types.size(Kind.FLOAT))
        yield self.in_slot(slot, Kind.FLOAT)
        self.scratch.give_back(slot)

    def nest(self, stack: ExitStack, dims: tuple[int, ...]) -> list[Index]:
        """Open loops over dimensions and return the place inside."""
        index: list[Index] = []
        for n in dims:
            name = stack.enter_context(self.w.loop(n))
            index.append((None, 0) if n == 1 else (name, 0))
        return index

    def _address(self, place: Place, position: str) -> str:
        w = self.w
        kind = w.types.stored(place.kind)
        return w.at(kind, w.at(kind, place.pointer, place.offset), position)

    def in_slot(self, slot: Slot, kind: Kind) -> Place:
        """Return the place of an array in a slot."""
        if slot.number not in self._slot_regions:
            self._slot_regions[slot.number] = self.regions.new()
        pointer = self.w.at("i8", "%scratch", slot.offset)
        return Place(pointer, kind, self._slot_regions[slot.number])
