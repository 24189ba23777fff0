"""The problems, one family per file, and the names by which a config chooses them."""

from __future__ import annotations

from gdexp.problems.autograd import Autograd
from gdexp.problems.base import Curve, Part, Problem, first_loss, row_sum
from gdexp.problems.custom import FunctionProblem, ModuleProblem, custom_problem, import_by_path
from gdexp.problems.factorization import Factorization
from gdexp.problems.function import Function
from gdexp.problems.gradient_check import gradient_error
from gdexp.problems.landscapes import (
    Beale,
    Booth,
    Himmelblau,
    Hyperbola,
    Landscape,
    Matyas,
    Rastrigin,
    Rosenbrock,
)
from gdexp.problems.matrix import Matrix
from gdexp.problems.quadratic import Quadratic
from gdexp.problems.registry import CUSTOM, PROBLEMS, build_problem
from gdexp.problems.regression import Logistic, Ols
from gdexp.problems.transformed import Transformed

__all__ = [
    "CUSTOM",
    "PROBLEMS",
    "Autograd",
    "Beale",
    "Booth",
    "Curve",
    "Factorization",
    "Function",
    "FunctionProblem",
    "Himmelblau",
    "Hyperbola",
    "Landscape",
    "Logistic",
    "Matrix",
    "Matyas",
    "ModuleProblem",
    "Ols",
    "Part",
    "Problem",
    "Quadratic",
    "Rastrigin",
    "Rosenbrock",
    "Transformed",
    "build_problem",
    "custom_problem",
    "first_loss",
    "gradient_error",
    "import_by_path",
    "row_sum",
]
