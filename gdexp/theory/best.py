"""The fewest iterations that any learning rate, or any gradient method, needs in exact arithmetic.

A descent rounds, so its own count may be smaller or larger: bfloat16 can land on the minimiser.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from typing import Any, cast

import numpy as np
import torch

from gdexp.core import format_count
from gdexp.descent import Result
from gdexp.optimizers import GradientDescent, Momentum, Nesterov, UpdateRule
from gdexp.problems import Problem
from gdexp.theory.counts import count_modes, first_true
from gdexp.theory.modes import Floats, Modes, coefficient, descent_gap, is_linear, modes, transition
from gdexp.theory.settings import best_lr, optimal_setting, stability_limit

MAX_COUNT = 1_000_000
"""The largest count that is searched for."""

GRID_SIZE = 400
"""The number of learning rates on the grid for momentum and Nesterov's method."""

MAX_WORK = 100_000_000
"""The most numbers that a search of the grid computes, in about a second."""

MAX_DISTINCT = 4096
"""The most distinct eigenvalues for which a floor is computed."""

MOST_MODES = 256
"""For a larger x a person would have to wait for the closed forms."""

RESOLVED = 1e-24
"""The share of the first gap below which rounding errors of doubles could hide a gap."""

EVERY, GRID, ONE = "every", "grid", "one"
"""The learning rates that a `Best` was chosen from."""


@dataclass(frozen=True)
class Best:
    """The fewest iterations, and a setting that needs no more.

    Attributes:
        iterations: the count.
        lr: a learning rate with this count.
        momentum: its momentum; 0 for gd.
        among: the settings that it was compared with: `every` one, as for gd; those of a fine
            `grid`; or `one`, where even a grid would take too long.
    """

    iterations: int
    lr: float
    momentum: float = 0.0
    among: str = EVERY

    @property
    def certain(self) -> bool:
        """Whether no other setting needs fewer."""
        return self.among == EVERY


@dataclass(frozen=True)
class Distance:
    """A descent's iterations beside the fewest possible.

    Attributes:
        iterations: the descent's count; None when it did not converge.
        best: the fewest with the same rule at any learning rate.
        floor: the least count of all methods whose steps combine the gradients.
    """

    iterations: int | None
    best: Best
    floor: int

    def __str__(self) -> str:
        needs = (
            "does not get there"
            if self.iterations is None
            else f"needs {format_count(self.iterations, 'iteration')}"
        )
        floor = f"and any method of this kind at least {self.floor:,}"
        return f"{needs}; in exact arithmetic {self._best()}, {floor}"

    def _best(self) -> str:
        """Return a clause about the other learning rates, as far as they were compared."""
        best = self.best
        if self.iterations is None or self.iterations > best.iterations:
            return f"lr {best.lr!r} needs {best.iterations:,}"
        if best.among == ONE:
            return "no faster lr is known"
        where = "" if best.certain else " of a fine grid"
        return f"no lr{where} needs fewer than {best.iterations:,}"


def distance_from_best(problem: Problem, result: Result) -> Distance | None:
    """Return how far a descent is from the best; None where theory does not apply.

    Args:
        problem: the problem of the descent.
        result: the descent's result, with its start, rule and threshold.
    """
    stopping = result.stopping
    if result.status.ended_early or not stopping.has_threshold or stopping.of_norm:
        return None  # nothing is known of what it would have needed, or of gradient norms
    count = result.iterations if result.converged else None
    return distance(problem, result.rule, result.threshold, count, result.initial)


def distance(
    problem: Problem,
    rule: UpdateRule,
    threshold: float,
    iterations: int | None,
    x0: torch.Tensor,
) -> Distance | None:
    """Return `distance_from_best` from single values.

    Args:
        problem: the problem.
        rule: the update rule.
        threshold: of the stopping rule.
        iterations: that were made; None if the descent did not converge.
        x0: the start.

    Returns:
        None where theory does not apply, or where the threshold is so far below the first gap
        that the rounding errors of x0 − x* decide.
    """
    known = modes(problem, x0) if is_linear(rule) else None
    if known is None or threshold < RESOLVED * known.gap:
        return None
    best = fewest(problem, rule, x0, threshold)
    floor = krylov_floor(problem, x0, threshold)
    if best is None or floor is None:
        return None
    return Distance(iterations, best, floor)


def fewest(problem: Problem, rule: UpdateRule, x0: torch.Tensor, threshold: float) -> Best | None:
    """Return the fewest iterations of a rule over all constant learning rates.

    The result is exact for gd. For momentum and Nesterov's method it is the best of a logarithmic
    grid below the stability limit, of the lr with the best rate and of the lr with the lowest
    loss after one step. For a problem too large for that, only the lr with the best rate counts.

    Returns:
        None where theory does not apply, or when more than a million iterations are needed.
    """
    m = modes(problem, x0) if is_linear(rule) else None
    usual = best_lr(problem, rule)
    limit = stability_limit(problem, rule)
    if m is None or usual is None or limit is None:
        return None
    if m.gap <= threshold:
        return Best(0, usual, coefficient(rule, "momentum"))
    if coefficient(rule, "momentum") == 0 and coefficient(rule, "dampening") == 0:
        return _fewest_descent(m, threshold, usual)
    return _best_of_grid(m, rule, threshold, usual, limit)


def best_possible(
    problem: Problem, rule_name: str, x0: torch.Tensor, threshold: float
) -> Best | None:
    """Return the fewest iterations over all constant learning rates and momenta of a rule.

    The result is exact for gd. For momentum and nesterov it is the best of `fewest` over a grid
    of β that includes 0 and the β with the best rate.

    Returns:
        None where theory does not apply, or when more than a million iterations are needed.
    """
    plain = fewest(problem, GradientDescent(), x0, threshold)
    setting = optimal_setting(problem, rule_name)
    if plain is None or setting is None or rule_name == "gd" or plain.iterations <= 1:
        return plain if setting is not None else None
    found = [replace(plain, among=GRID)]
    for beta in sorted({setting.momentum, *np.linspace(0.05, 0.95, 19).tolist()}):
        rule = Nesterov(momentum=beta) if rule_name == "nesterov" else Momentum(momentum=beta)
        one = fewest(problem, rule, x0, threshold)
        if one is not None:
            found.append(one)
    return min(found, key=lambda best: best.iterations)


def krylov_floor(problem: Problem, x0: torch.Tensor, threshold: float) -> int | None:
    """Return the fewest iterations of any gradient method from this start to the threshold.

    Every method whose steps are combinations of its gradients (gd, momentum, Nesterov, at any
    learning rates) has after n iterations the gap `Σ w_i p(λ_i)²` for some polynomial p of
    degree n with p(0) = 1. The conjugate-gradient method attains the smallest such gap, which is
    computed here; it is 0 after as many iterations as there are distinct eigenvalues. A gap
    that rounding errors could hide (see `RESOLVED`) counts as reached, so the bound is never too
    high. It is one of exact arithmetic, and does not hold for coordinate-wise rules such as Adam.
    None where theory does not apply, or with more than 4096 distinct eigenvalues.
    """
    m = modes(problem, x0)
    if m is None:
        return None
    if m.gap <= threshold:
        return 0
    values, weights = _merged(m)
    if len(values) > MAX_DISTINCT:
        return None
    left = np.sqrt(weights)
    small = math.sqrt(threshold) + math.sqrt(RESOLVED) * float(np.linalg.norm(left))
    basis = np.empty((0, len(values)))
    direction = values * left
    for n in range(1, len(values)):
        direction = _orthogonal(direction / np.linalg.norm(direction), basis)
        basis = np.vstack([basis, direction])
        left = left - (direction @ left) * direction
        if float(np.linalg.norm(left)) <= small:
            return n
        direction = values * direction
    return len(values)


def _merged(m: Modes) -> tuple[Floats, Floats]:
    """Return the distinct eigenvalues, up to rounding, and their total weights."""
    order = np.argsort(m.curvatures)
    values, weights = m.curvatures[order], m.weights[order]
    first = np.concatenate([[True], np.diff(values) > 1e-12 * values[-1]])
    return values[first], np.add.reduceat(weights, np.flatnonzero(first))


def _orthogonal(vector: Floats, basis: Floats) -> Floats:
    """Return the unit vector of a vector's part that is orthogonal to the rows of the basis."""
    for _ in range(2):  # the second pass removes the first one's rounding errors
        vector = vector - (basis @ vector) @ basis
    return vector / max(float(np.linalg.norm(vector)), 1e-300)


def _fewest_descent(m: Modes, threshold: float, usual: float) -> Best | None:
    """Return the exact minimum over lr.

    For a fixed n the gap is convex in lr. For lr <= 2 / L no factor is above 1, so the least gap
    does not increase with n, and bisection finds the first n within the threshold. A larger lr
    can be better only for small n, where the weight at L is negligible; all those n are tried.
    """
    top = float(m.curvatures.max())

    def good(n: int) -> bool:
        return descent_gap(m, min(float(_lowest_lr(m, np.array([n]))[0]), 2 / top), n) <= threshold

    high = 1
    while not good(high):
        high *= 2
        if high > MAX_COUNT:
            return None
    low = high // 2 + 1
    while low < high:
        middle = (low + high) // 2
        low, high = (low, middle) if good(middle) else (middle + 1, high)
    for start in range(1, _last_beyond(m, high) + 1, 1024):
        counts = np.arange(start, min(start + 1024, high))
        rates = _lowest_lr(m, counts)
        for n, lr in zip(counts[rates > 2 / top], rates[rates > 2 / top], strict=True):
            if descent_gap(m, float(lr), int(n)) <= threshold:
                return Best(int(n), _short(m, float(lr), int(n), threshold))
    lr = min(float(_lowest_lr(m, np.array([high]))[0]), 2 / top)
    return Best(high, _short(m, lr, high, threshold))


def _short(m: Modes, lr: float, n: int, threshold: float) -> float:
    """Return the lr with the fewest digits that is within the threshold after n iterations."""
    for digits in range(2, 17):
        rounded = float(f"{lr:.{digits}g}")
        if descent_gap(m, rounded, n) <= threshold:
            return rounded
    return lr


def _last_beyond(m: Modes, high: int) -> int:
    """Return the last count below `high` at which an lr above 2 / L may be the best.

    At later counts the gap's slope at 2 / L is not negative: the mode at L outweighs the modes
    that a larger lr reduces, whose weights shrink with n.
    """
    top = float(m.curvatures.max())
    factors = 1 - 2 * m.curvatures / top
    shares = m.weights * m.curvatures
    reduced = factors > 0
    heaviest = float(shares[factors == -1].sum())

    def outweighed(n: int) -> bool:
        with np.errstate(under="ignore"):
            return float(shares[reduced] @ factors[reduced] ** (2.0 * n - 1)) <= heaviest

    first = first_true(outweighed, 1, high)
    return high - 1 if first is None else first - 1


def _lowest_lr(m: Modes, counts: np.ndarray[Any, Any]) -> Floats:
    """Return the lr with the lowest gap after each of k counts of iterations, (k,).

    It lies between the inverses of the extreme eigenvalues. Bisection finds the zero of the
    slope Σ w λ (lr λ − 1)^{2n − 1}; powers are scaled by the largest factor.
    """
    low: Floats = np.full(len(counts), 1 / m.curvatures.max())
    high: Floats = np.full(len(counts), 1 / m.curvatures.min())
    power = (2.0 * counts - 1)[:, None]
    with np.errstate(under="ignore"):
        for _ in range(60):
            middle = (low + high) / 2
            factors = middle[:, None] * m.curvatures - 1
            size = np.abs(factors)
            scaled = (size / np.maximum(size.max(1, keepdims=True), 1e-300)) ** power
            falls = (np.sign(factors) * scaled) @ (m.weights * m.curvatures) < 0
            low, high = np.where(falls, middle, low), np.where(falls, high, middle)
    return np.asarray((low + high) / 2, dtype=np.float64)


def _best_of_grid(
    m: Modes, rule: UpdateRule, threshold: float, usual: float, limit: float
) -> Best | None:
    """Iterate all learning rates of the grid until one of them is within the threshold."""
    beta = coefficient(rule, "momentum")
    usual_rule: UpdateRule = replace(cast(Any, rule), lr=usual)
    bound = count_modes(m, usual_rule, threshold, MAX_COUNT).count
    cauchy = float(_lowest_lr(m, np.array([1]))[0]) / (1 + beta * (rule.name == "nesterov"))
    rates = np.concatenate([[usual, cauchy], limit * np.geomspace(1e-4, 0.999, GRID_SIZE)])
    rates = np.array([float(f"{rate:.4g}") for rate in rates])  # what a person would type
    first, later = transition(m.curvatures, rule, rates[:, None])
    state = first[..., 0]
    most = min(MAX_WORK // state.size, MAX_COUNT if bound is None else bound)
    with np.errstate(all="ignore"):
        for n in range(1, most + 1):
            gaps = np.square(state[..., 0]) @ m.weights
            winner = int(np.nanargmin(gaps))
            if gaps[winner] <= threshold:
                return Best(n, float(rates[winner]), beta, EVERY if n == 1 else GRID)
            e, u = state[..., 0], state[..., 1]
            state = np.stack(
                [
                    later[..., 0, 0] * e + later[..., 0, 1] * u,
                    later[..., 1, 0] * e + later[..., 1, 1] * u,
                ],
                axis=-1,
            )
    if bound is None:
        return None
    return Best(bound, usual, beta, GRID if most >= bound else ONE)
