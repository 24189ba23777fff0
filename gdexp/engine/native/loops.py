"""The form for larger programs: x and states in memory, each step a function with loops."""

from __future__ import annotations

from gdexp.engine.native.forms import Computed, Steps
from gdexp.engine.native.kernel import Kernel, result_type
from gdexp.engine.native.memory import ALIGNMENT, Pool
from gdexp.engine.native.writer import Types, Writer
from gdexp.engine.operations import Kind

_COPY = """
define internal void @copy(ptr noalias %target, ptr noalias %source, i64 %count) noinline {{
entry:
  br label %head
head:
  %i = phi i64 [ 0, %entry ], [ %next, %more ]
  %there = icmp ult i64 %i, %count
  br i1 %there, label %more, label %done
more:
  %p = getelementptr inbounds {integer}, ptr %target, i64 %i
  %q = getelementptr inbounds {integer}, ptr %source, i64 %i
  %a = load {integer}, ptr %q
  store {integer} %a, ptr %p
  %next = add nuw nsw i64 %i, 1
  br label %head
done:
  ret void
}}
"""

_POINTERS = ("current", "previous", "following")


class Loops:
    """Current, previous and next are areas of scratch memory that change their roles.

    Args:
        types: of the numbers.
        steps: the programs.
    """

    def __init__(self, types: Types, steps: Steps) -> None:
        self.steps = steps
        pool = Pool()
        kernels = [Kernel(types, "later", steps.update, steps.results(), pool, 1)]
        texts = [kernels[0].function()]
        if not steps.same:
            metadata = kernels[0].regions.end
            kernels.append(Kernel(types, "first", steps.first, steps.results(), pool, metadata))
            texts.append(kernels[1].function())
        self.functions = "\n".join([_COPY.format(integer=types.integer), *texts])
        self.constants = bytes(pool.data)
        size = steps.width * types.size(Kind.FLOAT)
        self._area = size + -size % ALIGNMENT
        self.scratch = 3 * self._area + max(kernel.scratch.size for kernel in kernels)

    def begin(self, w: Writer) -> None:
        """Declare the addresses of the three areas."""
        for i, name in enumerate(_POINTERS):
            w.do(f"%{name} = alloca ptr")
            w.do(f"%area.{i} = getelementptr inbounds i8, ptr %scratch, i64 {i * self._area}")
        w.do(f"%memory = getelementptr inbounds i8, ptr %scratch, i64 {3 * self._area}")

    def load(self, w: Writer, x: str, state: str, last: str) -> None:
        """Copy the row."""
        for i, name in enumerate(_POINTERS):
            w.store("ptr", f"%area.{i}", f"%{name}")
        n = self.steps.n
        self._copy(w, "%area.0", x, n)
        self._copy(w, w.at(w.types.number, "%area.0", n), state, self.steps.width - n)
        self._copy(w, "%area.1", last, self.steps.width)

    def step(self, w: Writer, first: bool, coefficients: str) -> Computed:
        """Call the function of the step."""
        made = result_type(w.types, self.steps.has_norms)
        current, following = w.load("ptr", "%current"), w.load("ptr", "%following")
        found = w.set(
            f"call {made} @{'first' if first else 'later'}(ptr {current}, ptr {following}, "
            f"ptr {coefficients}, ptr %t.constants, ptr %memory)"
        )
        loss, accepted, norm = w.set(f"extractvalue {made} {found}, 0"), None, None
        if "accepted" in self.steps.program(first).outputs:
            accepted = w.set(f"extractvalue {made} {found}, 1")
        if self.steps.has_norms:
            norm = w.set(f"extractvalue {made} {found}, 2")
        return Computed(loss, accepted, norm)

    def advance(self, w: Writer) -> None:
        """Let each area take the next role."""
        current, previous, following = (w.load("ptr", f"%{name}") for name in _POINTERS)
        w.store("ptr", following, "%current")
        w.store("ptr", current, "%previous")
        w.store("ptr", previous, "%following")

    def retry(self, w: Writer) -> None:
        """Let current and next change places."""
        current, following = w.load("ptr", "%current"), w.load("ptr", "%following")
        w.store("ptr", following, "%current")
        w.store("ptr", current, "%following")

    def store(self, w: Writer, x: str, state: str | None) -> None:
        """Copy current."""
        current, n = w.load("ptr", "%current"), self.steps.n
        self._copy(w, x, current, n)
        if state is not None:
            self._copy(w, state, w.at(w.types.number, current, n), self.steps.width - n)

    def store_last(self, w: Writer, last: str) -> None:
        """Copy previous."""
        self._copy(w, last, w.load("ptr", "%previous"), self.steps.width)

    def equals(self, w: Writer, other: str | None) -> str:
        """Call the comparison."""
        right = other or w.load("ptr", "%previous")
        left = w.load("ptr", "%current")
        return w.set(f"call i1 @same(ptr {left}, ptr {right}, i64 {self.steps.width})")

    def _copy(self, w: Writer, target: str, source: str, count: int) -> None:
        if count:
            w.do(f"call void @copy(ptr {target}, ptr {source}, i64 {count})")
