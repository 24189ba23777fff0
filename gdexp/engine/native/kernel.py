"""One step of a descent as a function with loops over arrays in memory."""

from __future__ import annotations

from contextlib import ExitStack

from gdexp.engine.gradient_norm import GRADIENT_NORM
from gdexp.engine.native.body import Body, read_views
from gdexp.engine.native.frame import Frame
from gdexp.engine.native.memory import Place, Pool, Slot
from gdexp.engine.native.nests import dimensions
from gdexp.engine.native.prepared import Graph
from gdexp.engine.native.schedule import Lives, Schedule, Task, schedule
from gdexp.engine.native.sums import Sum
from gdexp.engine.native.writer import Types
from gdexp.engine.operations import Kind
from gdexp.engine.program import Program


class Kernel(Frame):
    """Writes the function of one step.

    It takes the addresses of current and next (x and states, one after the other), coefficients,
    constants and scratch memory. It returns the loss, whether the point is accepted, and the
    gradient norm where the program has it.

    Args:
        types: of the numbers.
        name: of the function.
        program: of one iteration.
        results: the names of x and states in the order of memory.
        pool: of constants.
        metadata: the number of the first line of metadata.
    """

    def __init__(
        self,
        types: Types,
        name: str,
        program: Program,
        results: list[str],
        pool: Pool,
        metadata: int,
    ) -> None:
        super().__init__(types, Graph(program), pool, metadata)
        self.name, self.results = name, results
        self.schedule: Schedule = schedule(self.graph)
        self._slots: dict[int, Slot] = {}
        self._type = result_type(types, GRADIENT_NORM in program.outputs)

    def function(self) -> str:
        """Return the function's text."""
        self._place_inputs()
        self._place_results()
        lives = Lives(self.graph, self.schedule)
        for now, task in enumerate(self.schedule.tasks):
            for i in task.members:
                if i in self.schedule.stored and i not in self.places:
                    self._allocate(lives.whole[i])
            self._write(task)
            for i in lives.ending(now):
                if i in self._slots:
                    self.scratch.give_back(self._slots[i])
        self._finish()
        head = (
            f"define internal {self._type} @{self.name}(ptr noalias readonly %current, "
            "ptr noalias %next, ptr noalias readonly %coefficients, "
            "ptr noalias readonly %constants, ptr noalias %scratch) noinline #0 {\nentry:\n"
        )
        return "\n".join([head + "\n".join(self.w.lines), "}", *self.regions.metadata()])

    def _place_inputs(self) -> None:
        w, number = self.w, self.w.types.number
        region = self.regions.new()
        offsets, offset = {}, 0
        by_name = {
            str(node.detail): i
            for i, node in enumerate(self.graph.nodes)
            if node.operation == "input"
        }
        for name in self.results:
            offsets[name] = offset
            offset += self.graph.nodes[self.graph.outputs[name]].size
        for name, i in by_name.items():
            if name.startswith("coefficient"):
                address = w.at(number, "%coefficients", int(name.removeprefix("coefficient")))
                self.scalars[i] = w.load(number, address, self.regions.tags(region))
                continue
            place = Place("%current", Kind.FLOAT, region, offsets[name])
            if self.graph.nodes[i].size == 1:
                self.scalars[i] = self.load(place, "0")
            else:
                self.places[i] = place

    def _place_results(self) -> None:
        offset = 0
        for name in self.results:
            i = self.graph.outputs[name]
            if self.graph.nodes[i].size > 1:
                self._spread(i, Place("%next", Kind.FLOAT, self.regions.new(), offset))
            offset += self.graph.nodes[i].size

    def _spread(self, i: int, place: Place) -> None:
        """Give a node its place, and the parts of a concatenation theirs inside of it."""
        self.places[i] = place
        if self.graph.nodes[i].operation != "concatenate":
            return
        offset = place.offset
        for j in self.graph.operands(i):
            if self.graph.nodes[j].size > 1:
                self._spread(j, Place(place.pointer, place.kind, place.region, offset))
            offset += self.graph.nodes[j].size

    def _allocate(self, i: int) -> None:
        node = self.graph.nodes[i]
        slot = self.scratch.take(node.size * self.w.types.size(node.kind))
        self._slots[i] = slot
        self._spread(i, self.in_slot(slot, node.kind))

    def _write(self, task: Task) -> None:
        if task.kind == "sum":
            Sum(self, task.members).write()
        elif task.kind == "pointwise":
            self._pointwise(task.members)
        elif task.kind == "scatter_add":
            self._scatter_add(task.members[0])
        else:
            self._concatenate(task.members[0])

    def _pointwise(self, members: list[int]) -> None:
        size = self.graph.nodes[members[0]].size
        if size == 0:
            return
        dims = dimensions(size, read_views(self.graph, members))
        with ExitStack() as stack:
            body = self._body(stack, dims)
            for i in members:
                value = body.compute(i)
                if size == 1:
                    self.scalars[i] = value
                elif i in self.schedule.stored:
                    body.store(i, value)

    def _body(self, stack: ExitStack, dims: tuple[int, ...]) -> Body:
        return Body(self, dims, self.nest(stack, dims), tuple(range(len(dims))))

    def _scatter_add(self, i: int) -> None:
        """Copy the first input, then add one number after the other."""
        graph, node = self.graph, self.graph.nodes[i]
        if node.size == 0:
            return
        place = self.places[i] if node.size > 1 else self.in_slot(self.scratch.take(8), node.kind)
        target, added = graph.operands(i)
        with ExitStack() as stack:
            body = self._body(stack, dimensions(node.size, read_views(graph, [i], target)))
            self.store(place, body.flat(), body.value(target))
        if graph.nodes[added].size:
            assert not isinstance(node.detail, str)
            dims = dimensions(graph.nodes[added].size, read_views(graph, [i], added))
            with ExitStack() as stack:
                body = self._body(stack, dims)
                position = body.position(graph.constants[node.detail[0]])
                old = self.load(place, position)
                new = self.w.operate("add", [old, body.value(added)])
                self.store(place, position, new)
        if node.size == 1:
            self.scalars[i] = self.load(place, "0")

    def _concatenate(self, i: int) -> None:
        """Store the parts of one number; the others have been written in their places."""
        offset = 0
        for j in self.graph.operands(i):
            size = self.graph.nodes[j].size
            if size == 1 and self.graph.nodes[i].size == 1:
                self.scalars[i] = self.scalars[j]
            elif size == 1:
                self.store(self.places[i], str(offset), self.scalars[j])
            offset += size

    def _finish(self) -> None:
        """Store results of one number and return what the step computed."""
        w, number = self.w, self.w.types.number
        body = Body(self, (), [], ())
        offset = 0
        for name in self.results:
            i = self.graph.outputs[name]
            if self.graph.nodes[i].size == 1:
                w.store(number, body.value(i), w.at(number, "%next", offset))
            offset += self.graph.nodes[i].size
        accepted = "true"
        if "accepted" in self.graph.outputs:
            accepted = body.value(self.graph.outputs["accepted"])
        loss = body.value(self.graph.outputs["loss"])
        made = w.set(f"insertvalue {self._type} undef, {number} {loss}, 0")
        made = w.set(f"insertvalue {self._type} {made}, i1 {accepted}, 1")
        if GRADIENT_NORM in self.graph.outputs:
            norm = body.value(self.graph.outputs[GRADIENT_NORM])
            made = w.set(f"insertvalue {self._type} {made}, {number} {norm}, 2")
        w.do(f"ret {self._type} {made}")


def result_type(types: Types, has_norms: bool) -> str:
    """Return the type of what a step returns: the loss, acceptance and the gradient norm."""
    norm = f", {types.number}" if has_norms else ""
    return f"{{ {types.number}, i1{norm} }}"
