"""The functions of COCO's bbob suite as problems."""

from gdexp.problems.bbob.problem import FORMULAS, Bbob

__all__ = ["FORMULAS", "Bbob"]
