"""How good an answer is: the fewest iterations that any learning rate, or any method, needs."""

from __future__ import annotations

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
from gdexp.theory.settings import best_lr, optimal, stability_limit

LONGEST = 1_000_000
"""No search for a best count goes further than this."""

GRID = 400
"""Learning rates that are tried for momentum and Nesterov's method."""

WORK = 100_000_000
"""Numbers that one such trial of the whole grid may compute, about a second's worth."""

MAX_DISTINCT = 4096
"""With more distinct eigenvalues no floor is computed."""


MOST_MODES = 256
"""Above so many numbers the closed forms take longer than a person waits."""


@dataclass(frozen=True)
class Best:
    """The fewest iterations that were found possible, and a setting that needs no more.

    Attributes:
        iterations: the count.
        lr: a learning rate that has it.
        momentum: that goes with it; 0 for gd.
        certain: whether no other setting can need fewer (gd), or none on a fine grid did.
    """

    iterations: int
    lr: float
    momentum: float = 0.0
    certain: bool = True


@dataclass(frozen=True)
class Distance:
    """How far an outcome is from the best possible one.

    Attributes:
        iterations: what it needed; None when it did not converge.
        best: the fewest with the same rule, only the learning rate changed.
        floor: what every method needs that moves within the span of the gradients.
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
        would = (
            f"no other lr needs fewer{'' if self.best.certain else ' on a fine grid'}"
            if self.iterations is not None and self.iterations <= self.best.iterations
            else f"lr {self.best.lr!r} would need {self.best.iterations:,}"
        )
        return f"{needs}; {would}; any method of this kind needs at least {self.floor:,}"


def distance_from_best(problem: Problem, result: Result) -> Distance | None:
    """How far a descent is from the best; None where theory does not apply.

    Args:
        problem: the one that was minimised.
        result: its outcome, which also holds the start, the rule and the threshold.
    """
    count = result.iterations if result.converged else None
    return distance(problem, result.rule, result.threshold, count, result.initial)


def distance(
    problem: Problem,
    rule: UpdateRule,
    threshold: float,
    iterations: int | None,
    x0: torch.Tensor,
) -> Distance | None:
    """`distance_from_best` from its pieces; `iterations` is None when it did not converge."""
    best = fewest(problem, rule, x0, threshold)
    floor = krylov_floor(problem, x0, threshold)
    if best is None or floor is None:
        return None
    return Distance(iterations, best, floor)


def fewest(problem: Problem, rule: UpdateRule, x0: torch.Tensor, threshold: float) -> Best | None:
    """The fewest iterations over all constant learning rates, the rule's other settings kept.

    Exact for gd. For momentum and Nesterov's method the best of a logarithmic grid below the
    stability limit, of the rate-optimal lr and of the lr with the lowest loss after one step;
    of a problem too large for that, the rate-optimal lr alone.

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
    """The fewest iterations over all constant settings of a rule, the momentum included.

    Exact for gd. For momentum and nesterov the best of `fewest` over a grid of β that holds 0
    and the rate-optimal β.

    Returns:
        None where theory does not apply, or when more than a million iterations are needed.
    """
    plain = fewest(problem, GradientDescent(), x0, threshold)
    setting = optimal(problem, rule_name)
    if plain is None or setting is None or rule_name == "gd" or plain.iterations <= 1:
        return plain if setting is not None else None
    found = [replace(plain, certain=False)]
    for beta in sorted({setting.momentum, *np.linspace(0.05, 0.95, 19).tolist()}):
        rule = Nesterov(momentum=beta) if rule_name == "nesterov" else Momentum(momentum=beta)
        one = fewest(problem, rule, x0, threshold)
        if one is not None:
            found.append(one)
    return min(found, key=lambda best: best.iterations)


def krylov_floor(problem: Problem, x0: torch.Tensor, threshold: float) -> int | None:
    """The iterations below which no method from this start comes within the threshold.

    Every method whose steps are combinations of the gradients it has seen (gd, momentum,
    Nesterov, at any learning rates) has after n iterations the gap `Σ w_i p(λ_i)²` for some
    polynomial p of degree n with p(0) = 1. The conjugate-gradient method attains the smallest,
    which is what is computed; it is 0 after as many iterations as there are distinct
    eigenvalues. Coordinate-wise rules (Adam and its kin) are not bound by it. None where theory
    does not apply, or with more than 4096 distinct eigenvalues.
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
    basis = np.empty((0, len(values)))
    direction = values * left
    for n in range(1, len(values)):
        direction = _orthogonal(direction / np.linalg.norm(direction), basis)
        basis = np.vstack([basis, direction])
        left = left - (direction @ left) * direction
        if float(left @ left) <= threshold:
            return n
        direction = values * direction
    return len(values)


def _merged(m: Modes) -> tuple[Floats, Floats]:
    """The distinct eigenvalues and their weights; those that differ by rounding are one."""
    order = np.argsort(m.curvatures)
    values, weights = m.curvatures[order], m.weights[order]
    first = np.concatenate([[True], np.diff(values) > 1e-12 * values[-1]])
    return values[first], np.add.reduceat(weights, np.flatnonzero(first))


def _orthogonal(vector: Floats, basis: Floats) -> Floats:
    """What of a vector is outside the rows of the basis, at length 1."""
    for _ in range(2):  # once leaves what rounding put back
        vector = vector - (basis @ vector) @ basis
    return vector / max(float(np.linalg.norm(vector)), 1e-300)


def _fewest_descent(m: Modes, threshold: float, usual: float) -> Best | None:
    """The exact minimum over lr.

    For a fixed n the gap is convex in lr. Its least value over lr <= 2 / L cannot rise with n,
    since no factor is then above 1: bisection finds the first n that is good enough. A larger lr
    can do better for small n only, while the weight at L is negligible; those n are all tried.
    """
    top = float(m.curvatures.max())

    def good(n: int) -> bool:
        return descent_gap(m, min(float(_lowest_lr(m, np.array([n]))[0]), 2 / top), n) <= threshold

    high = 1
    while not good(high):
        high *= 2
        if high > LONGEST:
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
    """The lr with as few digits as still do after n iterations."""
    for digits in range(2, 17):
        rounded = float(f"{lr:.{digits}g}")
        if descent_gap(m, rounded, n) <= threshold:
            return rounded
    return lr


def _last_beyond(m: Modes, high: int) -> int:
    """A count below `high` from which on no lr above 2 / L is the best one.

    The gap's slope at 2 / L is not negative once the mode at L outweighs all those that a larger
    lr would still help, which shrink with n.
    """
    top = float(m.curvatures.max())
    factors = 1 - 2 * m.curvatures / top
    shares = m.weights * m.curvatures
    helped = factors > 0
    heaviest = float(shares[factors == -1].sum())

    def outweighed(n: int) -> bool:
        with np.errstate(under="ignore"):
            return float(shares[helped] @ factors[helped] ** (2.0 * n - 1)) <= heaviest

    settled = first_true(outweighed, 1, high)
    return high - 1 if settled is None else settled - 1


def _lowest_lr(m: Modes, counts: np.ndarray[Any, Any]) -> Floats:
    """The lr with the lowest gap after each count of iterations, (k,).

    It lies between the inverses of the extreme eigenvalues. There the sign of the slope,
    Σ w λ (lr λ − 1)^{2n − 1}, is bisected; powers are scaled by the largest factor.
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
    """All learning rates of the grid at once, until the first of them is within the threshold."""
    beta = coefficient(rule, "momentum")
    usually: UpdateRule = replace(cast(Any, rule), lr=usual)
    bound = count_modes(m, usually, threshold, LONGEST).count
    cauchy = float(_lowest_lr(m, np.array([1]))[0]) / (1 + beta * (rule.name == "nesterov"))
    rates = np.concatenate([[usual, cauchy], limit * np.geomspace(1e-4, 0.999, GRID)])
    rates = np.array([float(f"{rate:.4g}") for rate in rates])  # what a person would type
    first, later = transition(m.curvatures, rule, rates[:, None])
    state = first[..., 0]
    steps = min(WORK // state.size, LONGEST if bound is None else bound)
    with np.errstate(all="ignore"):
        for n in range(1, steps + 1):
            gaps = np.square(state[..., 0]) @ m.weights
            winner = int(np.nanargmin(gaps))
            if gaps[winner] <= threshold:
                return Best(n, float(rates[winner]), beta, certain=n == 1)
            e, u = state[..., 0], state[..., 1]
            state = np.stack(
                [
                    later[..., 0, 0] * e + later[..., 0, 1] * u,
                    later[..., 1, 0] * e + later[..., 1, 1] * u,
                ],
                axis=-1,
            )
    return None if bound is None else Best(bound, usual, beta, certain=False)
