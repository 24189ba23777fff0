"""What is known without running: exact counts, best settings, and floors that no rule beats.

All of it is for quadratics (a constant Hessian with eigenvalues in [mu, L], κ = L / mu), exact but
for the rounding of doubles; where theory does not apply the answer is None. Sources: B. T. Polyak,
Some methods of speeding up the convergence of iteration methods, 1964; Y. Nesterov, Introductory
Lectures on Convex Optimization, 2004; L. Lessard, B. Recht, A. Packard, Analysis and design of
optimization algorithms via integral quadratic constraints, 2016; A. Greenbaum, Iterative Methods
for Solving Linear Systems, 1997.
"""

from __future__ import annotations

from gdexp.theory.best import (
    Best,
    Distance,
    best_possible,
    distance,
    distance_from_best,
    fewest,
    krylov_floor,
)
from gdexp.theory.counts import Exact, count_interval, exact, exact_count
from gdexp.theory.modes import Modes, hessian, modes
from gdexp.theory.settings import (
    Setting,
    best_lr,
    chebyshev_floor,
    optimal,
    sharpness,
    stability_limit,
)

__all__ = [
    "Best",
    "Distance",
    "Exact",
    "Modes",
    "Setting",
    "best_lr",
    "best_possible",
    "chebyshev_floor",
    "count_interval",
    "distance",
    "distance_from_best",
    "exact",
    "exact_count",
    "fewest",
    "hessian",
    "krylov_floor",
    "modes",
    "optimal",
    "sharpness",
    "stability_limit",
]
