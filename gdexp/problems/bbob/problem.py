"""The 24 noiseless functions of COCO's bbob suite, with gradients."""

from __future__ import annotations

import math
from collections.abc import Sequence

import torch

from gdexp.core import validation
from gdexp.problems.base import Problem
from gdexp.problems.bbob import (
    gallagher,
    ill_conditioned,
    moderate,
    multimodal,
    separable,
    weakly_structured,
)
from gdexp.problems.bbob.formula import Formula, Tensors
from gdexp.problems.bbob.instance import Instance
from gdexp.problems.bbob.transformations import BOX
from gdexp.problems.constants import TORCH, ConstantFunctions

FORMULAS: Sequence[Formula] = (
    separable.Sphere(),
    separable.Ellipsoid(),
    separable.Rastrigin(),
    separable.BuecheRastrigin(),
    separable.LinearSlope(),
    moderate.AttractiveSector(),
    moderate.StepEllipsoid(),
    moderate.Rosenbrock(),
    moderate.RotatedRosenbrock(),
    ill_conditioned.RotatedEllipsoid(),
    ill_conditioned.Discus(),
    ill_conditioned.BentCigar(),
    ill_conditioned.SharpRidge(),
    ill_conditioned.DifferentPowers(),
    multimodal.RotatedRastrigin(),
    multimodal.Weierstrass(),
    multimodal.Schaffers(10.0, "Schaffers F7"),
    multimodal.Schaffers(1000.0, "Schaffers F7, moderately ill-conditioned"),
    multimodal.GriewankRosenbrock(),
    weakly_structured.Schwefel(),
    gallagher.Gallagher(101, 10.0, math.sqrt(1000.0), "Gallagher's Gaussian 101-me Peaks"),
    gallagher.Gallagher(21, 9.8, 1000.0, "Gallagher's Gaussian 21-hi Peaks"),
    weakly_structured.Katsuura(),
    weakly_structured.Lunacek(),
)
"""f1 … f24."""


class Bbob(Tensors, Problem):
    """A noiseless function of COCO's bbob suite: f1 … f24, with COCO's values.

    N. Hansen, S. Finck, R. Ros, A. Auger, Real-parameter black-box optimization benchmarking
    2009: noiseless functions definitions, RR-6829, 2009. f* has two decimals and is exact. x* is
    the random point of the instance, or a corner of the box in f5, a point of signs in f24. It is
    a formula, rounded to double precision, in f9 and f19 (Rᵀ 1 / 2), f20 (the root of
    tan √y = −√y / 2) and f21, f22. f5, f7, f16 and f23 have other minimisers too.

    COCO has no gradients; here autograd makes them. Loss and gradient together are one iteration
    here. COCO counts evaluations of f: with finite differences a gradient costs n more of them.
    The gradient is that of the formula wherever it exists. f7 is made of plateaus, so within the
    box its gradient is 0 but for a small term around x*. At points without a derivative the
    functions say what is taken: f5 beyond its corner; f13 on its ridge; f14, f17 and f18 at x*;
    f21, f22 and f24 where two peaks or bowls meet; f23 on a grid of 2^−34. T_osz has none at 0
    (f2, f3, f4, f6, f10, f11, f15, f16, f21, f22), but its square has.

    Use dtype float64. f* is part of the loss, so in float32 it hides all gaps below 6e-8 |f*|,
    up to 6e-5; the waves of f16, f19 and f23 are finer still, and float32 does not resolve them.

    With torch's engine values are COCO's to 1e-12 of max(|f|, |f*|), those of f14, f16 to f19 and
    f23 to three times the effect of one unit in the last place of x. On the portable engine the
    rotations come from logarithms and cosines of gdexp's own: there it is 1e-11, and for those
    six 1e-9 (`scripts/bench bbob`).

    The start is uniform on [−5, 5]^n, COCO's search domain, which no constraint enforces. COCO
    itself makes dimensions up to 44; beyond that the same formulas and random numbers go on.

    Args:
        function: 1 … 24.
        instance: 1 … 100,000; COCO's workshops use 1 … 15 and others.
        dimension: the number of variables n, 2 … 1,000.
        x0: the start, n numbers; by default drawn from the seed.
    """

    name = "bbob"
    batchable = True
    most_instances, most_variables = 100_000, 1_000

    def __init__(
        self, function: int = 8, instance: int = 1, dimension: int = 2, x0: object = None
    ) -> None:
        number = validation.integer("function", function, low=1, high=len(FORMULAS))
        variant = validation.integer("instance", instance, low=1, high=self.most_instances)
        n = validation.integer("dimension", dimension, low=2, high=self.most_variables)
        self.shape = (n,)
        super().__init__(x0)
        self._instance, self._formula = (number, variant, n), FORMULAS[number - 1]
        self._set_constants()
        self.f_star = self._with(TORCH).f_opt()
        self.x_star = self._formula.minimiser(self)
        formula = self._formula
        self.unique, self.smooth, self.curvature = formula.unique, formula.smooth, formula.curvature
        self.target = self.x_star if self.unique else None

    def loss(self, x: torch.Tensor) -> torch.Tensor:
        """Return the function's value, one for each row of a batch."""
        return self._formula.gap(self, x) + self.reference

    def _constants(self, functions: ConstantFunctions) -> dict[str, object]:
        return {**self._formula.constants(self._with(functions))}

    def _with(self, functions: ConstantFunctions) -> Instance:
        return Instance(*self._instance, functions)

    def draw(self, generator: torch.Generator) -> torch.Tensor:
        """Draw the start uniformly on the search domain."""
        return (2 * torch.rand(self.shape, generator=generator) - 1) * BOX

    def nodes(self, x: torch.Tensor) -> list[tuple[str, torch.Tensor]]:
        """Return the distance from the minimum, and the loss."""
        return [("gap", self._formula.gap(self, x)), ("loss", self.loss(x))]
