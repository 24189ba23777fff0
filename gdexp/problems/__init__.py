"""The problems, one family per file, and the names by which a config chooses them."""

from __future__ import annotations

from gdexp.problems.autograd import Autograd
from gdexp.problems.base import Curve, Part, Problem, first_loss
from gdexp.problems.function import Function
from gdexp.problems.matrix import Matrix

PROBLEMS: dict[str, type[Problem]] = {cls.name: cls for cls in (Matrix, Autograd, Function)}

__all__ = [
    "PROBLEMS",
    "Autograd",
    "Curve",
    "Function",
    "Matrix",
    "Part",
    "Problem",
    "first_loss",
]
