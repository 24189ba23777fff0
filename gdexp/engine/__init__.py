"""How a descent is computed: one portable arithmetic, with the same bits everywhere."""

from gdexp.engine.arrays import compute
from gdexp.engine.interpreted import InterpretedEngine
from gdexp.engine.interpreter import Interpreter
from gdexp.engine.not_portable import NotPortable
from gdexp.engine.plan import Plan
from gdexp.engine.plans import Plans, Prepared, fingerprint, plans_of
from gdexp.engine.program import Array, Program
from gdexp.engine.rows import NEVER, Block, Code, Counts, Doubles, Rows
from gdexp.engine.saved_rows import load_rows, save_rows

__all__ = [
    "NEVER",
    "Array",
    "Block",
    "Code",
    "Counts",
    "Doubles",
    "InterpretedEngine",
    "Interpreter",
    "NotPortable",
    "Plan",
    "Plans",
    "Prepared",
    "Program",
    "Rows",
    "compute",
    "fingerprint",
    "load_rows",
    "plans_of",
    "save_rows",
]
