"""One program of a whole iteration: evaluation and update together, so that loops can be joined."""

from __future__ import annotations

import math
from dataclasses import dataclass, field

import numpy as np

from gdexp.engine.gradient_norm import GRADIENT_NORM
from gdexp.engine.operations import Kind
from gdexp.engine.program import DTYPES, Array, Node, Program

LARGEST_FOLDED = 1 << 16
"""The most numbers of a constant's view that is made at once, where it repeats numbers."""


@dataclass
class _Composition:
    dtype: str
    nodes: list[Node] = field(default_factory=list)
    constants: list[Array] = field(default_factory=list)
    known: dict[Node, int] = field(default_factory=dict)

    def add(self, node: Node) -> int:
        """Return the position of a node; equal ones are kept once."""
        if node not in self.known:
            self.known[node] = len(self.nodes)
            self.nodes.append(node)
        return self.known[node]

    def constant(self, array: Array, kind: Kind) -> int:
        """Return the position of a new constant."""
        self.constants.append(array)
        return self.add(Node("constant", (), array.shape, kind, (len(self.constants) - 1,)))

    def include(self, program: Program, bound: dict[str, int]) -> dict[str, int]:
        """Add a program with inputs bound to nodes; return the positions of its results."""
        base = len(self.constants)
        self.constants.extend(program.constants)
        place: list[int] = []
        for node in program.nodes:
            if node.operation == "input" and str(node.detail) in bound:
                place.append(bound[str(node.detail)])
                continue
            detail = node.detail
            if node.operation in ("constant", "take", "scatter_add"):
                assert not isinstance(detail, str)
                detail = (detail[0] + base,)
            inputs = tuple(place[j] for j in node.inputs)
            moved = Node(node.operation, inputs, node.shape, node.kind, detail)
            folded = self._folded(moved)
            place.append(self.add(moved) if folded is None else folded)
        return {name: place[i] for name, i in program.outputs.items()}

    def _folded(self, node: Node) -> int | None:
        """Return the constant that a view of a constant is, or None."""
        if node.operation not in ("view", "take") or isinstance(node.detail, str):
            return None
        source = self.nodes[node.inputs[0]]
        if source.operation != "constant" or node.size > max(source.size, LARGEST_FOLDED):
            return None
        flat = self.constants[int(source.detail[0])].reshape(-1)
        if node.operation == "take":
            places = self.constants[node.detail[0]]
        else:
            places = affine_positions(node.shape, node.detail[0], node.detail[1:])
        return self.constant(np.ascontiguousarray(flat[places]).reshape(node.shape), node.kind)


def compose(evaluate: Program, update: Program) -> Program:
    """Return the program of one iteration: from x, states and coefficients to what follows.

    Its results are those of the update, `loss` and, where it is evaluated, `gradient_norm`. A NaN
    of the loss has its canonical bits where the update reads it.
    """
    made = _Composition(evaluate.dtype)
    results = made.include(evaluate, {})
    x = evaluate.inputs.get("x")
    bound = {"gradient": results["gradient"]}
    if x is not None:
        bound["x"] = made.known[evaluate.nodes[x]]
    loss = results["loss"]
    if "loss" in update.inputs:
        unordered = made.add(Node("not_equal", (loss, loss), (), Kind.BOOLEAN))
        nan = np.array(math.nan, DTYPES[evaluate.dtype][Kind.FLOAT])
        canonical = made.constant(nan, Kind.FLOAT)
        loss = made.add(Node("select", (unordered, canonical, loss), ()))
        bound["loss"] = loss
    outputs = made.include(update, bound) | {"loss": loss}
    if GRADIENT_NORM in results:
        outputs[GRADIENT_NORM] = results[GRADIENT_NORM]
    return _pruned(Program(made.dtype, tuple(made.nodes), tuple(made.constants), outputs))


def _pruned(program: Program) -> Program:
    """Return a program without the nodes that no result needs."""
    needed = set(program.outputs.values())
    for i in range(len(program.nodes) - 1, -1, -1):
        if i in needed:
            needed.update(program.nodes[i].inputs)
    kept = sorted(needed)
    place = {old: new for new, old in enumerate(kept)}
    nodes = []
    for i in kept:
        node = program.nodes[i]
        inputs = tuple(place[j] for j in node.inputs)
        nodes.append(Node(node.operation, inputs, node.shape, node.kind, node.detail))
    outputs = {name: place[i] for name, i in program.outputs.items()}
    return Program(program.dtype, tuple(nodes), program.constants, outputs)


def affine_positions(shape: tuple[int, ...], offset: int, strides: tuple[int, ...]) -> Array:
    """Return `offset + i * stride0 + j * stride1 + …`; shape `shape`."""
    positions: Array = np.full(shape, offset, dtype=np.int64)
    for axis, (n, stride) in enumerate(zip(shape, strides, strict=True)):
        along = [1] * len(shape)
        along[axis] = n
        positions = positions + (np.arange(n) * stride).reshape(along)
    return positions
