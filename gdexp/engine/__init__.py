"""How a descent is computed: one portable arithmetic, with the same bits everywhere."""

from gdexp.engine import functions, scalars
from gdexp.engine.agreement import check_against_torch, difference_from_torch
from gdexp.engine.arrays import compute, linspace
from gdexp.engine.fingerprint import HIDDEN, fingerprint
from gdexp.engine.gradient_norm import GRADIENT_NORM, gradient_norm
from gdexp.engine.interpreted import InterpretedEngine
from gdexp.engine.interpreter import Interpreter
from gdexp.engine.make_plan import evaluation_for, leaf, plan_for
from gdexp.engine.native import CompiledPlans, NativeEngine, available
from gdexp.engine.not_portable import LARGEST, NotPortable
from gdexp.engine.numpy_evaluation import tree_sum
from gdexp.engine.plan import Plan
from gdexp.engine.plans import Kept, Plans, Prepared, StoredPlans, plans_of
from gdexp.engine.processor_mode import exact_processor
from gdexp.engine.program import Array, Program
from gdexp.engine.rows import (
    NEVER,
    Block,
    Code,
    Counts,
    Doubles,
    Rows,
    compared,
    compared_before,
)
from gdexp.engine.saved_rows import load_rows, save_rows
from gdexp.engine.stored_plan import MOST_STORED, StoredPlan
from gdexp.engine.tensor_digests import TensorDigests

__all__ = [
    "GRADIENT_NORM",
    "HIDDEN",
    "LARGEST",
    "MOST_STORED",
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
    "StoredPlan",
    "StoredPlans",
    "TensorDigests",
    "available",
    "check_against_torch",
    "compared",
    "compared_before",
    "compute",
    "difference_from_torch",
    "evaluation_for",
    "exact_processor",
    "fingerprint",
    "functions",
    "gradient_norm",
    "leaf",
    "linspace",
    "load_rows",
    "plan_for",
    "plans_of",
    "save_rows",
    "scalars",
    "tree_sum",
]
