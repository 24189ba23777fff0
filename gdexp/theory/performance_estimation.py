"""Worst cases as semidefinite programs, solved through PEPit (the extra `gdexp[pep]`).

Y. Drori, M. Teboulle, Performance of first-order methods for smooth convex minimization: a novel
approach, Mathematical Programming 145, 2014; A. B. Taylor, J. M. Hendrickx, F. Glineur, Smooth
strongly convex interpolation and exact worst-case performance of first-order methods, Mathematical
Programming 161, 2017; B. Goujaud et al., PEPit: computer-assisted worst-case analyses of
first-order optimization methods in Python, Mathematical Programming Computation 16, 2024.
"""

from __future__ import annotations

import contextlib
import io
import warnings
from importlib.metadata import version
from importlib.util import find_spec
from typing import Any, NamedTuple

from gdexp.core import BadInput, GdexpError
from gdexp.theory.modes import Floats

MOST_STEPS = 100
"""A larger program takes hours."""

SOLVER = "CLARABEL"

ACCURACY = 5e-5
"""The share of a bound to which a solver's result is trusted. The 248 stored worst cases were
solved again with the same programs: they differed by up to 2.1e-5 of the bound (ogm, N = 31), more
than the solver's own gaps say, and 235 of them by less than 1e-6."""


class Solved(NamedTuple):
    """A worst case by a solver.

    Attributes:
        bound: of the dual program: an upper bound, to about `ACCURACY`.
        gap: between the bound and the example that the solver found; both are its own, so it is
            no limit of the error.
        source: the programs with their versions.
        exact: whether it is of the class itself, not of a larger one.
    """

    bound: float
    gap: float
    source: str
    exact: bool = True


def available() -> bool:
    """Return whether PEPit can be imported."""
    return find_spec("PEPit") is not None


def solve(steps: Floats, smoothness: float, strong_convexity: float) -> Solved:
    """Return the largest gap after fixed steps from a point at distance 1 of a minimiser.

    Args:
        steps: as `step_matrix` returns them.
        smoothness: L.
        strong_convexity: mu, 0 for convex functions.

    Raises:
        BadInput: there are too many steps.
        GdexpError: PEPit is not installed, or its solver fails.
    """
    if len(steps) > MOST_STEPS:
        raise BadInput("certify.steps", len(steps), f"must be <= {MOST_STEPS} for the solver")
    if not available():
        raise GdexpError("a solver is needed: pip install 'gdexp[pep]'")
    with warnings.catch_warnings(), contextlib.redirect_stdout(io.StringIO()):
        warnings.simplefilter("ignore")
        try:
            bound, example = _solved(steps, smoothness, strong_convexity)
        except Exception as error:
            raise GdexpError(f"the solver failed: {type(error).__name__}: {error}") from error
    names = ", ".join(f"{name} {version(name)}" for name in ("PEPit", "cvxpy", "clarabel"))
    return Solved(bound, abs(bound - example), names)


def _solved(steps: Floats, smoothness: float, strong_convexity: float) -> tuple[float, float]:
    from PEPit import PEP
    from PEPit.functions import SmoothConvexFunction, SmoothStronglyConvexFunction

    problem = PEP()
    if strong_convexity > 0:
        function = problem.declare_function(
            SmoothStronglyConvexFunction, mu=strong_convexity, L=smoothness
        )
    else:
        function = problem.declare_function(SmoothConvexFunction, L=smoothness)
    minimiser: Any = function.stationary_point()
    start = problem.set_initial_point()
    problem.set_initial_condition((start - minimiser) ** 2 <= 1)
    x: Any = start
    gradients: list[Any] = []
    for row in steps:
        gradients.append(function.gradient(x))
        x = start
        for share, gradient in zip(row, gradients, strict=False):
            if share:
                x = x - float(share) * gradient
    problem.set_performance_metric(function(x) - function(minimiser))
    bound = float(problem.solve(verbose=0, wrapper="cvxpy", solver=SOLVER))
    return bound, float(problem.objective.eval())
