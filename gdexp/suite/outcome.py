"""What a benchmark found: each solver with its descents on every function and dimension."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from gdexp.core import StorageFailed
from gdexp.suite.cells import Cell
from gdexp.suite.descents import Descent
from gdexp.suite.folder import CELLS
from gdexp.suite.targets import TARGETS, evaluations_to
from gdexp.suite.work import Work

Floats = npt.NDArray[np.float64]

RATE_OF = {"function": "", "dimension": ", one rate"}
"""What a swept rate is the best for, with what the solver's name says of it."""


class Task(NamedTuple):
    """A function in a dimension."""

    dimension: int
    function: int


@dataclass(frozen=True)
class Attempts:
    """The descents of a solver on one task.

    Attributes:
        rate: the learning rate; None where none was swept.
        engine: portable or torch.
        descents: of all instances and starts.
    """

    rate: float | None
    engine: str
    descents: Sequence[Descent]

    @property
    def spent(self) -> Floats:
        """The evaluations of each descent; shape (descents,)."""
        return np.array([each.evaluations for each in self.descents], dtype=np.float64)

    @property
    def by_iterates(self) -> Attempts:
        """The descents as if the trials that are no iterates had cost nothing."""
        return replace(self, descents=[each.by_iterates for each in self.descents])

    def times(self, targets: Sequence[float] = TARGETS) -> Floats:
        """Return evaluations to each target, inf where it was missed; (descents, targets)."""
        rows = [[evaluations_to(d.events, t) for t in targets] for d in self.descents]
        return np.array(rows, dtype=np.float64).reshape(len(rows), len(targets))


@dataclass(frozen=True)
class Solver:
    """A rule with its learning rates.

    Attributes:
        name: in tables and files.
        rule: the label of the rule.
        rate_of: what the rate is swept for: function, dimension, or nothing (empty).
        tasks: the descents by task.
    """

    name: str
    rule: str
    rate_of: str
    tasks: Mapping[Task, Attempts]

    def of_dimension(self, dimension: int) -> dict[int, Attempts]:
        """Return the descents in one dimension, by function."""
        return {task.function: a for task, a in self.tasks.items() if task.dimension == dimension}


@dataclass(frozen=True)
class Outcome:
    """A finished benchmark.

    Attributes:
        solvers: in the order of the rules.
        dimensions: in which they ran.
        functions: on which they ran.
        budget: evaluations of a descent, in multiples of the dimension.
        seconds: that the cells took, all together.
    """

    solvers: Sequence[Solver]
    dimensions: Sequence[int]
    functions: Sequence[int]
    budget: int
    seconds: float

    @classmethod
    def of(cls, work: Work) -> Outcome:
        """Return the outcome of a benchmark whose cells are all done."""
        found: dict[tuple[str, str], dict[Task, Attempts]] = {}
        seconds = 0.0
        for cell in work.cells():
            data = work.folder.get(CELLS, cell)
            if data is None:
                raise StorageFailed(f"{work.folder.path}: {cell.name} is missing; run it again")
            seconds += float(data["seconds"])
            for rate_of, attempts in _attempts(data):
                tasks = found.setdefault((cell.rule, rate_of), {})
                tasks[Task(cell.dimension, cell.function)] = attempts
        solvers = [
            Solver(rule + RATE_OF.get(rate_of, ""), rule, rate_of, tasks)
            for (rule, rate_of), tasks in found.items()
        ]
        s = work.settings
        return cls(solvers, list(s.dimensions), list(s.functions), s.budget, seconds)

    @property
    def by_iterates(self) -> Outcome:
        """The outcome as if the trials that are no iterates had cost nothing."""
        solvers = [
            replace(each, tasks={task: a.by_iterates for task, a in each.tasks.items()})
            for each in self.solvers
        ]
        return replace(self, solvers=solvers)

    def cells(self) -> Iterator[tuple[Solver, Task, Attempts]]:
        """Yield every solver with each of its tasks."""
        for solver in self.solvers:
            for task, attempts in solver.tasks.items():
                yield solver, task, attempts

    def command(self, cell: Cell, descent: Descent) -> str:
        """Return the command that repeats a descent."""
        rate = "" if descent.rate is None else f" optimizer.lr={descent.rate:g}"
        return (
            f"python -m gdexp problem=bbob problem.function={cell.function} "
            f"problem.instance={descent.instance} problem.dimension={cell.dimension} "
            f"optimizer={cell.rule}{rate} seed={descent.seed} stopping.threshold=1e-8 "
            f"stopping.max_iterations={max(self.budget * cell.dimension - 1, 1)}"
        )


def _attempts(data: Mapping[str, object]) -> Iterator[tuple[str, Attempts]]:
    rows = data["descents"]
    assert isinstance(rows, list)
    made = [Descent.load(row) for row in rows]
    engine, rate, common = str(data["engine"]), data["rate"], data["common_rate"]
    if rate is None:
        yield "", Attempts(None, engine, made)
        return
    for rate_of, own in (("function", rate), ("dimension", common)):
        assert isinstance(own, float | int)
        chosen = [each for each in made if each.rate == own]
        yield rate_of, Attempts(float(own), engine, chosen)


def finite(value: float) -> float | None:
    """Return a number that JSON has, or None."""
    return value if math.isfinite(value) else None
