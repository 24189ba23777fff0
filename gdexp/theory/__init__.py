"""Exact counts, best settings and floors of quadratics; worst cases of classes of functions.

A quadratic has a constant Hessian with eigenvalues in [mu, L]; κ = L / mu. Results are exact up to
the rounding of doubles, and None where theory does not apply. Sources: B. T. Polyak,
Some methods of speeding up the convergence of iteration methods, 1964; Y. Nesterov, Introductory
Lectures on Convex Optimization, 2004; L. Lessard, B. Recht, A. Packard, Analysis and design of
optimization algorithms via integral quadratic constraints, 2016; A. Greenbaum, Iterative Methods
for Solving Linear Systems, 1997.
"""

from gdexp.theory.best import MOST_MODES, distance, distance_from_best
from gdexp.theory.certificate import Certificate, certify
from gdexp.theory.counts import exact_count
from gdexp.theory.settings import best_lr, stability_limit
from gdexp.theory.standing import standing

__all__ = [
    "MOST_MODES",
    "Certificate",
    "best_lr",
    "certify",
    "distance",
    "distance_from_best",
    "exact_count",
    "stability_limit",
    "standing",
]
