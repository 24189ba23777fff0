"""The worst case of fixed steps over all quadratics with spectrum in [mu, L].

From x0 at a distance R of x*, the gap is a mean of `½ λ p(λ)² R²` over the eigenvalues, where p is
the residual polynomial of the rule. So the worst case is the largest of these numbers.
"""

from __future__ import annotations

import math

import numpy as np

from gdexp.optimizers import UpdateRule
from gdexp.theory.fixed_steps import residuals
from gdexp.theory.modes import Floats

MOST_STEPS = 10_000
"""For more updates the maximum of the polynomial takes too long."""

POINTS = 16
"""Of the grid, for each degree of the polynomial."""

PEAKS = 8
"""The highest peaks on the grid, which are searched."""

NARROWINGS = 60

ENDS = 64
"""The lower ends of intervals that a floor is the best of."""


def worst_of_quadratics(rule: UpdateRule, steps: int, low: float, high: float) -> float:
    """Return the largest `½ λ p(λ)²` on [low, high]: on a grid, and then around its peaks."""

    def gaps(eigenvalues: Floats) -> Floats:
        with np.errstate(all="ignore"):
            return np.asarray(0.5 * eigenvalues * residuals(rule, steps, eigenvalues) ** 2)

    if low == high:
        return float(gaps(np.array([low]))[0])
    count = POINTS * (steps + 1)
    angles = np.linspace(0, math.pi, count)
    grid = low + (high - low) * (1 - np.cos(angles)) / 2
    values = gaps(grid)
    if not np.isfinite(values).all():
        return math.inf
    inner = np.flatnonzero((values[1:-1] >= values[:-2]) & (values[1:-1] >= values[2:])) + 1
    peaks = inner[np.argsort(values[inner])[-PEAKS:]]
    best = float(values.max())
    a, b = grid[peaks - 1], grid[peaks + 1]
    share = (math.sqrt(5) - 1) / 2
    for _ in range(NARROWINGS if peaks.size else 0):  # golden-section search
        left, right = b - share * (b - a), a + share * (b - a)
        both = gaps(np.concatenate([left, right]))
        best = max(best, float(both.max()))
        lower = both[: len(a)] < both[len(a) :]
        a, b = np.where(lower, left, a), np.where(lower, b, right)
    return best


def floor_of_quadratics(steps: int, low: float, high: float) -> float:
    """Return a gap, for R = 1, that no method whose steps combine the gradients can promise.

    With mu = 0 it is the least worst case itself, `L / (2 (2 N + 1)²)` (A. S. Nemirovsky,
    Information-based complexity of linear operator equations, Journal of Complexity 8, 1992).
    Else it is the largest `1 / (2 (Σ |l_i(0)| / √λ_i)²)` with the Lagrange polynomials of the
    extrema λ_i of a Chebyshev polynomial on [a, L], over some a from mu on: from the start whose
    shares are as these numbers, the best polynomial for this one start has that gap. So the least
    worst case is not below it.
    """
    if low == 0:
        return high / (2 * (2 * steps + 1) ** 2)
    if steps == 0 or low == high:
        return high / 2 if steps == 0 else 0.0
    return max(_floor_from(steps, a, high) for a in np.geomspace(low, high, ENDS + 1)[:-1].tolist())


def _floor_from(steps: int, low: float, high: float) -> float:
    """Return the gap of the best polynomial for one start with eigenvalues in [low, high]."""
    center = (high + low) / (high - low)
    points = np.cos(np.arange(steps + 1) * math.pi / steps)
    shares = 1 / (center - points)
    shares[[0, -1]] /= 2
    eigenvalues = (high + low) / 2 - (high - low) / 2 * points
    mean = float((shares / shares.sum()) @ (1 / np.sqrt(eigenvalues)))
    growth = math.exp(-steps * math.acosh(center))
    inverse = 2 * growth / (1 + growth * growth)  # of T_N at 0
    return inverse * inverse / (2 * mean * mean)
