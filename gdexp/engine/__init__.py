"""How a descent is computed: one portable arithmetic, with the same bits everywhere."""

from gdexp.engine import functions, scalars
from gdexp.engine.agreement import check_against_torch
from gdexp.engine.arrays import compute
from gdexp.engine.interpreted import InterpretedEngine
from gdexp.engine.interpreter import Interpreter
from gdexp.engine.make_plan import evaluation_for, leaf, plan_for
from gdexp.engine.native import CompiledPlans, NativeEngine, available
from gdexp.engine.not_portable import NotPortable
from gdexp.engine.plan import Plan
from gdexp.engine.plans import Kept, Plans, Prepared, plans_of
from gdexp.engine.program import Array, Program
from gdexp.engine.rows import NEVER, Block, Code, Counts, Doubles, Rows
from gdexp.engine.saved_rows import load_rows, save_rows

__all__ = [
    "NEVER",
    "Array",
    "Block",
    "Code",
    "CompiledPlans",
    "Counts",
    "Doubles",
    "InterpretedEngine",
    "Interpreter",
    "Kept",
    "NativeEngine",
    "NotPortable",
    "Plan",
    "Plans",
    "Prepared",
    "Program",
    "Rows",
    "available",
    "check_against_torch",
    "compute",
    "evaluation_for",
    "functions",
    "leaf",
    "load_rows",
    "plan_for",
    "plans_of",
    "save_rows",
    "scalars",
]
