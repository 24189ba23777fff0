"""The whole LLVM module of a plan."""

from __future__ import annotations

from dataclasses import dataclass

from gdexp.engine.native.descent import Descent
from gdexp.engine.native.forms import Form, Steps, Unrolled
from gdexp.engine.native.loops import Loops
from gdexp.engine.native.mode import entry
from gdexp.engine.native.unrolled import instructions
from gdexp.engine.native.writer import Types
from gdexp.engine.plan import Plan

LARGEST_UNROLLED = 200
"""The most instructions of an iteration that is written without loops."""


@dataclass(frozen=True)
class Code:
    """A plan as LLVM code.

    Attributes:
        text: of the module.
        constants: bytes that the code reads beside its arguments.
        scratch: bytes of memory that each call needs for itself.
        form: unrolled or loops.
    """

    text: str
    constants: bytes
    scratch: int
    form: str


def generate(plan: Plan, architecture: str, form: str | None = None) -> Code:
    """Return the code of a plan.

    Args:
        plan: of the descents.
        architecture: x86_64 or aarch64.
        form: unrolled or loops; None chooses by the number of operations.
    """
    types, steps = Types(plan.dtype), Steps(plan)
    if form is None:
        small = instructions(steps.update) <= LARGEST_UNROLLED
        form = "unrolled" if small else "loops"
    made: Form = Unrolled(steps) if form == "unrolled" else Loops(types, steps)
    function = Descent(types, steps, made).function()
    parts = [
        f"declare {types.number} @llvm.sqrt.f{types.bits}({types.number})",
        "declare i64 @llvm.ctlz.i64(i64, i1)",
        made.functions,
        function,
        entry(architecture),
        'attributes #0 = { nounwind "no-builtins" }',
    ]
    return Code("\n".join(parts), made.constants, made.scratch, form)
