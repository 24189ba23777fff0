"""Problems: one family per file, and the registry that a config chooses from."""

from gdexp.problems.autograd import Autograd
from gdexp.problems.base import (
    ROUNDING,
    Problem,
    first_loss,
    loss_at,
    unchanged_loss,
)
from gdexp.problems.bbob import FORMULAS, Bbob
from gdexp.problems.by_path import load_by_path, user_modules_first
from gdexp.problems.custom import FunctionProblem, ModuleProblem
from gdexp.problems.factorization import Factorization
from gdexp.problems.facts import ABSOLUTE, Curve, ProblemFacts
from gdexp.problems.function import Function
from gdexp.problems.gradient_check import gradient_error
from gdexp.problems.landscapes import (
    Beale,
    Booth,
    Himmelblau,
    Hyperbola,
    Matyas,
    Rastrigin,
    Rosenbrock,
)
from gdexp.problems.matrix import Matrix
from gdexp.problems.problem_check import CheckFailed, check_problem
from gdexp.problems.quadratic import Quadratic
from gdexp.problems.registry import CUSTOM, PROBLEMS, build_problem, check_trust
from gdexp.problems.regression import Logistic, Ols
from gdexp.problems.transformed import Transformed

__all__ = [
    "ABSOLUTE",
    "CUSTOM",
    "FORMULAS",
    "PROBLEMS",
    "ROUNDING",
    "Autograd",
    "Bbob",
    "Beale",
    "Booth",
    "CheckFailed",
    "Curve",
    "Factorization",
    "Function",
    "FunctionProblem",
    "Himmelblau",
    "Hyperbola",
    "Logistic",
    "Matrix",
    "Matyas",
    "ModuleProblem",
    "Ols",
    "Problem",
    "ProblemFacts",
    "Quadratic",
    "Rastrigin",
    "Rosenbrock",
    "Transformed",
    "build_problem",
    "check_problem",
    "check_trust",
    "first_loss",
    "gradient_error",
    "load_by_path",
    "loss_at",
    "unchanged_loss",
    "user_modules_first",
]
