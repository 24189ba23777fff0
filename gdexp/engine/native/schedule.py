"""Which nodes are computed together in one loop, in which order, and which of them are stored."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass, field

from gdexp.engine.native.prepared import Graph

Key = tuple[int, int]


@dataclass
class Task:
    """One loop nest or one copy.

    Attributes:
        kind: pointwise, sum, concatenate or scatter_add.
        level: tasks of a level need only results of levels below.
        members: the nodes, in order; of a sum the nodes that it computes on the way, then itself.
    """

    kind: str
    level: int
    members: list[int]


@dataclass
class Schedule:
    """The tasks of a program in order.

    Attributes:
        tasks: in the order of their levels.
        stored: nodes of more than one number whose results go to memory.
    """

    tasks: list[Task]
    stored: set[int] = field(default_factory=set)


def schedule(graph: Graph) -> Schedule:
    """Return the loops of a program.

    Elementwise nodes of one size that need nothing of one another but numbers at the same place
    share a loop. A node that only one sum reads is computed inside of that sum's loop.
    """
    inside = _inside_sums(graph)
    levels = _levels(graph, inside)
    _sink(graph, inside, levels)
    groups: dict[Key, list[int]] = defaultdict(list)
    tasks = []
    for i, node in enumerate(graph.nodes):
        if not graph.computed(i) or i in inside:
            continue
        if graph.pointwise(i):
            groups[levels[i], node.size].append(i)
        elif node.operation == "sum":
            before = [j for j, owner in inside.items() if owner == i]
            tasks.append(Task("sum", levels[i], [*sorted(before), i]))
        else:
            tasks.append(Task(node.operation, levels[i], [i]))
    tasks += [Task("pointwise", level, members) for (level, _), members in groups.items()]
    order = {"pointwise": 0, "sum": 1, "scatter_add": 2, "concatenate": 3}
    tasks.sort(key=lambda task: (task.level, order[task.kind], task.members[0]))
    return Schedule(tasks, _stored(graph, inside, levels))


def _inside_sums(graph: Graph) -> dict[int, int]:
    """Return the elementwise nodes that only one sum needs, with that sum."""
    inside: dict[int, int] = {}
    for i in range(len(graph.nodes) - 1, -1, -1):
        if not graph.pointwise(i) or i in graph.kept or graph.nodes[i].size <= 1:
            continue
        owners = set()
        for j in graph.users[i]:
            user = graph.nodes[j]
            if user.operation == "sum":
                owners.add(j)
            else:
                owners.add(inside.get(j, -1) if graph.same_place(j, i) else -1)
        if len(owners) == 1 and -1 not in owners:
            inside[i] = owners.pop()
    return inside


def _levels(graph: Graph, inside: dict[int, int]) -> list[int]:
    """Return the first level at which each node can be computed."""
    levels: list[int] = []
    for i in range(len(graph.nodes)):
        level = 0
        for j in graph.operands(i):
            if graph.nodes[j].operation in ("input", "constant"):
                continue
            # A view is no loop of its own: it is read where it is needed.
            here = not graph.computed(j) or j in inside or _joins(graph, i, j)
            level = max(level, levels[j] if here else levels[j] + 1)
        levels.append(level)
    return levels


def _joins(graph: Graph, i: int, j: int) -> bool:
    """Return whether node i can be in the loop of node j."""
    both = graph.pointwise(i) and graph.pointwise(j)
    return both and graph.nodes[i].size == graph.nodes[j].size and graph.same_place(i, j)


def _sink(graph: Graph, inside: dict[int, int], levels: list[int]) -> None:
    """Move nodes to the loop of those that read them, where no other loop does."""
    for i in range(len(graph.nodes) - 1, -1, -1):
        movable = graph.pointwise(i) and i not in inside and i not in graph.kept
        users = graph.users[i]
        if not movable or graph.nodes[i].size <= 1 or not users:
            continue
        if all(_joins(graph, j, i) and j not in inside for j in users):
            levels[i] = max(levels[i], min(levels[j] for j in users))


def _stored(graph: Graph, inside: dict[int, int], levels: list[int]) -> set[int]:
    stored = set()
    for i, node in enumerate(graph.nodes):
        if not graph.computed(i) or i in inside or node.size <= 1:
            continue
        if not graph.pointwise(i) or i in graph.kept:
            stored.add(i)
            continue
        here = all(
            _joins(graph, j, i) and j not in inside and levels[j] == levels[i]
            for j in graph.users[i]
        )
        if not here:
            stored.add(i)
    return stored


class Lives:
    """Until when arrays in memory are read.

    Args:
        graph: the nodes.
        plan: the tasks.

    Attributes:
        whole: for each stored node the concatenation that it is a part of, or itself.
    """

    def __init__(self, graph: Graph, plan: Schedule) -> None:
        self.whole = {i: i for i in range(len(graph.nodes))}
        for i in range(len(graph.nodes) - 1, -1, -1):
            if graph.nodes[i].operation == "concatenate":
                for j in graph.operands(i):
                    self.whole[j] = self.whole[i]
        last: dict[int, int] = {}
        for now, task in enumerate(plan.tasks):
            for i in task.members:
                last[self.whole[i]] = now
                for j in graph.operands(i):
                    source = j if graph.computed(j) else (graph.operands(j) or [j])[0]
                    last[self.whole[source]] = now
        self._ends: dict[int, list[int]] = defaultdict(list)
        for i, now in last.items():
            self._ends[now].append(i)

    def ending(self, now: int) -> list[int]:
        """Return what no task after this one reads."""
        return self._ends[now]
