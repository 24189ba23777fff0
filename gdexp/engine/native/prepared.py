"""A program made ready for loops: reshapes are looked through, and copies stand where needed."""

from __future__ import annotations

from collections import defaultdict

from gdexp.engine.builder import contiguous
from gdexp.engine.operations import ELEMENTWISE
from gdexp.engine.program import Array, Node, Program


class Graph:
    """The nodes of a program, with operands that are never reshapes.

    A reshape is a view that reads all numbers in their order. A view or take is no computation:
    it says where a loop reads. Its source is then always in memory (or one number).

    Args:
        program: of one iteration.

    Attributes:
        nodes: those of the program, with added nodes of the operation `copy`.
        outputs: the positions of the results by name; none is a view, an input or shared.
        kept: the nodes that are results, or parts of a concatenation: they go to memory.
        users: for each node the computed nodes and reading views that take it.
    """

    def __init__(self, program: Program) -> None:
        self.nodes: list[Node] = []
        self.constants: tuple[Array, ...] = program.constants
        self.kept: set[int] = set()
        self._base: list[int] = []
        place: list[int] = []
        for node in program.nodes:
            inputs = [place[j] for j in node.inputs]
            if node.operation == "concatenate":
                inputs = [self._own(j) for j in inputs]
            elif node.operation in ("view", "take") and self._reads(inputs[0]):
                inputs = [self._copy(inputs[0])]
            place.append(self._add(node, tuple(inputs)))
        self.outputs: dict[str, int] = {}
        for name, i in program.outputs.items():
            moves = name == "x" or name.startswith("state")
            self.outputs[name] = self._own(place[i]) if moves else self._base[place[i]]
        self.users: dict[int, list[int]] = defaultdict(list)
        for i in range(len(self.nodes)):
            if self._base[i] == i:
                for j in set(self.operands(i)):
                    self.users[j].append(i)

    def operands(self, i: int) -> list[int]:
        """Return what a node takes, through reshapes."""
        return [self._base[j] for j in self.nodes[i].inputs]

    def pointwise(self, i: int) -> bool:
        """Return whether a node is computed number by number."""
        operation = self.nodes[i].operation
        return operation in ELEMENTWISE or operation == "copy"

    def computed(self, i: int) -> bool:
        """Return whether a node is no input, constant or way of reading."""
        operation = self.nodes[i].operation
        return self.pointwise(i) or operation in ("sum", "concatenate", "scatter_add")

    def same_place(self, i: int, j: int) -> bool:
        """Return whether node i reads node j at its own place, not through a view."""
        return self.pointwise(i) and j in self.operands(i)

    def _add(self, node: Node, inputs: tuple[int, ...]) -> int:
        made = Node(node.operation, inputs, node.shape, node.kind, node.detail)
        i = len(self.nodes)
        self.nodes.append(made)
        self._base.append(self._base[inputs[0]] if self._reshapes(made) else i)
        return i

    def _reshapes(self, node: Node) -> bool:
        if node.operation != "view" or isinstance(node.detail, str):
            return False
        if node.size != self.nodes[node.inputs[0]].size:
            return False
        pairs = zip(node.shape, contiguous(node.shape), node.detail[1:], strict=True)
        return node.detail[0] == 0 and all(n <= 1 or a == b for n, a, b in pairs)

    def _reads(self, i: int) -> bool:
        return self.nodes[self._base[i]].operation in ("view", "take")

    def _copy(self, i: int) -> int:
        node = self.nodes[i]
        return self._add(Node("copy", (), node.shape, node.kind), (i,))

    def _own(self, i: int) -> int:
        """Return a computed node with these numbers that has its own place in memory."""
        base = self._base[i]
        if not self.computed(base) or base in self.kept:
            base = self._copy(i)
        self.kept.add(base)
        return base
