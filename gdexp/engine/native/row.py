"""The variables of the native loop, and a row's entries in the arrays of `Rows`."""

from __future__ import annotations

from gdexp.engine.native.forms import Steps
from gdexp.engine.native.writer import Types, Writer

_COUNTS = ("k", "event", "evaluations")
LOSSES = ("last_loss", "anchor_loss", "lowest", "highest")
VARIABLES = {"i64": _COUNTS, "double": ("threshold", "recorded"), "i32": ("code",)}
"""The loop's variables by type; those in `LOSSES` have the plan's type."""

NORMS = ("norm", "last_norm")
"""More of them, of a plan with gradient norms."""

_FLAGS = ("code", "checked")
_DOUBLES = (*LOSSES, *NORMS, "loss", "midway", "before", "threshold", "goal", "f_star")

SAME = """
define internal i1 @same(ptr readonly %left, ptr readonly %right, i64 %count) noinline {{
entry:
  br label %head
head:
  %i = phi i64 [ 0, %entry ], [ %next, %more ]
  %there = icmp ult i64 %i, %count
  br i1 %there, label %more, label %yes
more:
  %p = getelementptr inbounds {integer}, ptr %left, i64 %i
  %q = getelementptr inbounds {integer}, ptr %right, i64 %i
  %a = load {integer}, ptr %p
  %b = load {integer}, ptr %q
  %next = add nuw nsw i64 %i, 1
  %equal = icmp eq {integer} %a, %b
  br i1 %equal, label %head, label %no
yes:
  ret i1 true
no:
  ret i1 false
}}
"""
"""Whether two arrays have the same bits."""


class RowWriter:
    """Writes accesses to variables and to the entries of the row in register `%r`.

    Args:
        types: of the numbers.
        steps: the plan's programs.
    """

    def __init__(self, types: Types, steps: Steps) -> None:
        self.w = Writer(types)
        self.types, self.steps = types, steps
        self.numbers = LOSSES + NORMS if steps.has_norms else LOSSES

    def _type(self, name: str) -> str:
        if name in _DOUBLES:
            return "double"
        return "i32" if name in _FLAGS else "i64"

    def _of_row(self, name: str) -> str:
        """Return the row's entry of an array of `Rows`."""
        return self.w.load(self._type(name), self._place(name))

    def _put(self, name: str, value: str) -> None:
        """Replace the row's entry of an array of `Rows`."""
        self.w.store(self._type(name), value, self._place(name))

    def _place(self, name: str) -> str:
        return self.w.at(self._type(name), f"%t.{name}", "%r")

    def _vector(self, name: str) -> str:
        """Return the address of the row's numbers."""
        n, width = self.steps.n, self.steps.width
        size = {"x": n, "hit_x": n, "state": width - n}.get(name, width)
        start = self.w.set(f"mul nsw i64 %r, {size}")
        return self.w.at(self.types.number, f"%t.{name}", start)

    def _kind(self, name: str) -> str:
        found = [kind for kind, names in VARIABLES.items() if name in names]
        return found[0] if found else self.types.number

    def _get(self, name: str) -> str:
        """Return a variable of the loop."""
        return self.w.load(self._kind(name), f"%{name}")

    def _let(self, name: str, value: str) -> None:
        """Set a variable of the loop."""
        self.w.store(self._kind(name), value, f"%{name}")

    def _wide(self, value: str) -> str:
        """Return a number as a double."""
        return value if self.types.bits == 64 else self.w.set(f"fpext float {value} to double")

    def _narrow(self, value: str) -> str:
        """Return a double that came from the plan's type as that type."""
        return value if self.types.bits == 64 else self.w.set(f"fptrunc double {value} to float")

    def _bits(self, value: str) -> str:
        return self.w.set(f"bitcast {self.types.number} {value} to {self.types.integer}")
