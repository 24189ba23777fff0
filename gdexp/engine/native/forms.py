"""What the loop over iterations needs of a form of code: where x and the states are."""

from __future__ import annotations

from typing import NamedTuple, Protocol

from gdexp.engine.gradient_norm import GRADIENT_NORM
from gdexp.engine.native.compose import compose
from gdexp.engine.native.unrolled import unroll
from gdexp.engine.native.writer import Writer
from gdexp.engine.plan import Plan
from gdexp.engine.program import Program


class Computed(NamedTuple):
    """The registers of what a step computed; None where the plan has no such result."""

    loss: str
    accepted: str | None
    norm: str | None


class Form(Protocol):
    """A form of code for one plan.

    "Current" is the point that is evaluated next, with its states; "previous" is that of one
    iteration ago; "next" is what the last step computed.
    """

    functions: str
    scratch: int
    constants: bytes

    def begin(self, w: Writer) -> None:
        """Write what the function needs once."""

    def load(self, w: Writer, x: str, state: str, last: str) -> None:
        """Make the row's arrays current and previous."""

    def step(self, w: Writer, first: bool, coefficients: str) -> Computed:
        """Compute loss and next."""

    def advance(self, w: Writer) -> None:
        """Current becomes previous, next becomes current."""

    def retry(self, w: Writer) -> None:
        """Next becomes current."""

    def store(self, w: Writer, x: str, state: str | None) -> None:
        """Copy current to memory; without a place for the states x alone."""

    def store_last(self, w: Writer, last: str) -> None:
        """Copy previous to memory."""

    def equals(self, w: Writer, other: str | None) -> str:
        """Return whether current has the bits of previous, or of an array in memory."""


class Steps:
    """The programs of a plan's iterations.

    Args:
        plan: of the descents.
    """

    def __init__(self, plan: Plan) -> None:
        self.update = compose(plan.evaluate, plan.update)
        self.first = compose(plan.evaluate, plan.first)
        self.same = self.first.stored == self.update.stored
        nodes = self.update.nodes
        outputs = self.update.outputs
        self.n = nodes[outputs["x"]].size
        self.states = [
            nodes[outputs[f"state{i}"]].size
            for i in range(sum(name.startswith("state") for name in outputs))
        ]
        self.width = self.n + sum(self.states)
        self.coefficients, self.has_norms = plan.coefficients, plan.has_norms

    def results(self) -> list[str]:
        """Return the names of what moves from step to step, in the order of memory."""
        return ["x", *(f"state{i}" for i in range(len(self.states)))]

    def program(self, first: bool) -> Program:
        """Return the program of the first step or of a later one."""
        return self.first if first else self.update


class Unrolled:
    """Each number of x and of the states is a variable that LLVM keeps in a register.

    Args:
        steps: the programs.
    """

    functions = ""
    constants = b""

    def __init__(self, steps: Steps) -> None:
        self.steps = steps
        self.scratch = 0
        self._next: list[str] = []

    def begin(self, w: Writer) -> None:
        """Declare the variables."""
        for i in range(self.steps.width):
            w.do(f"%current.{i} = alloca {w.types.number}")
            w.do(f"%previous.{i} = alloca {w.types.number}")
        if self.steps.width:
            for name in ("left", "right"):
                w.do(f"%{name} = alloca [{self.steps.width} x {w.types.number}]")

    def load(self, w: Writer, x: str, state: str, last: str) -> None:
        """Read the row."""
        n, number = self.steps.n, w.types.number
        for i in range(self.steps.width):
            source = w.at(number, x, i) if i < n else w.at(number, state, i - n)
            w.store(number, w.load(number, source), f"%current.{i}")
            w.store(number, w.load(number, w.at(number, last, i)), f"%previous.{i}")

    def step(self, w: Writer, first: bool, coefficients: str) -> Computed:
        """Write the program for single numbers."""
        number = w.types.number
        current = [w.load(number, f"%current.{i}") for i in range(self.steps.width)]
        inputs = {"x": current[: self.steps.n]}
        place = self.steps.n
        for i, size in enumerate(self.steps.states):
            inputs[f"state{i}"] = current[place : place + size]
            place += size
        for i in range(self.steps.coefficients):
            inputs[f"coefficient{i}"] = [w.load(number, w.at(number, coefficients, i))]
        found = unroll(w, self.steps.program(first), inputs)
        self._next = [name for result in self.steps.results() for name in found[result]]
        accepted, norm = (
            str(found[name][0]) if name in found else None for name in ("accepted", GRADIENT_NORM)
        )
        return Computed(str(found["loss"][0]), accepted, norm)

    def advance(self, w: Writer) -> None:
        """Move registers."""
        for i in range(self.steps.width):
            value = w.load(w.types.number, f"%current.{i}")
            w.store(w.types.number, value, f"%previous.{i}")
        self.retry(w)

    def retry(self, w: Writer) -> None:
        """Move registers."""
        for i, value in enumerate(self._next):
            w.store(w.types.number, value, f"%current.{i}")

    def store(self, w: Writer, x: str, state: str | None) -> None:
        """Write each number."""
        n = self.steps.n
        self._write(w, "current", x, 0, n)
        if state is not None:
            self._write(w, "current", state, n, self.steps.width)

    def store_last(self, w: Writer, last: str) -> None:
        """Write each number."""
        self._write(w, "previous", last, 0, self.steps.width)

    def equals(self, w: Writer, other: str | None) -> str:
        """Write both to memory and call the comparison: this happens rarely."""
        if not self.steps.width:
            return "true"
        self._write(w, "current", "%left", 0, self.steps.width)
        if other is None:
            self._write(w, "previous", "%right", 0, self.steps.width)
        right = other or "%right"
        return w.set(f"call i1 @same(ptr %left, ptr {right}, i64 {self.steps.width})")

    def _write(self, w: Writer, which: str, target: str, begin: int, end: int) -> None:
        number = w.types.number
        for i in range(begin, end):
            value = w.load(number, f"%{which}.{i}")
            w.store(number, value, w.at(number, target, i - begin))
