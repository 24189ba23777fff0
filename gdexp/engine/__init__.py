"""How a descent is computed: one portable arithmetic, with the same bits everywhere."""

from gdexp.engine.choice import ENGINES, Engine, check_engine, refusal
from gdexp.engine.interpreted import InterpretedEngine
from gdexp.engine.interpreter import Interpreter
from gdexp.engine.not_portable import NotPortable
from gdexp.engine.plan import Plan
from gdexp.engine.plans import Plans
from gdexp.engine.program import Array, Program
from gdexp.engine.rows import NEVER, Block, Code, Counts, Doubles, Rows
from gdexp.engine.saved_rows import load_rows, save_rows

__all__ = [
    "ENGINES",
    "NEVER",
    "Array",
    "Block",
    "Code",
    "Counts",
    "Doubles",
    "Engine",
    "InterpretedEngine",
    "Interpreter",
    "NotPortable",
    "Plan",
    "Plans",
    "Program",
    "Rows",
    "check_engine",
    "load_rows",
    "refusal",
    "save_rows",
]
