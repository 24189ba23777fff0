"""Closed forms for the gap after N fixed steps, for L = 1 and |x0 - x*| = 1."""

from __future__ import annotations

import math
from typing import Any, NamedTuple

from gdexp.optimizers import UpdateRule, nesterov_sequence, ogm_g_sequence, silver_bound

SAME = 1e-12
"""A rate is 1 / L up to this share."""


class Proven(NamedTuple):
    """A bound with its proof.

    Attributes:
        bound: of the gap.
        exact: whether a function of the class attains it.
        source: the paper.
    """

    bound: float
    exact: bool
    source: str


def proven_bound(rule: UpdateRule, steps: int, scale: float, mu: float) -> Proven | None:
    """Return the best bound that is known in closed form; None where none is.

    Args:
        rule: with fixed steps.
        steps: N.
        scale: L, by which its rate is multiplied.
        mu: of strong convexity, as a share of L; 0 for convex functions.
    """
    if steps == 0:
        return Proven(0.5, True, "the definition of L")
    rate = constant_rate(rule, scale)
    if rate is not None:
        return _gradient_descent(rate, steps, mu)
    found = _of_convex(rule, steps, scale)
    # With mu > 0 the class is smaller: a worst case of the larger one is a bound.
    return found if found is None or mu == 0 else found._replace(exact=False)


def floor_of_convex(steps: int) -> tuple[float, str]:
    """Return the least worst case of all first-order methods over convex functions."""
    theta = float(ogm_g_sequence(steps)[0])
    return 1 / (2 * theta * theta), (
        "Y. Drori, The exact information-based complexity of smooth convex minimization, Journal "
        "of Complexity 39, 2017"
    )


def constant_rate(rule: UpdateRule, scale: float) -> float | None:
    """Return the rate of gd times L where it never changes, else None."""
    if rule.name != "gd" or not rule.constant:
        return None
    return float(rule.coefficients(1)[0]) * scale


def _of_convex(rule: UpdateRule, steps: int, scale: float) -> Proven | None:
    """Return the bound over convex functions of a rule whose steps change."""
    if rule.name == "gd" and rule.schedule.name == "silver":
        power_of_2 = steps & (steps + 1) == 0
        if not power_of_2 or not _is_inverse(rule, scale):
            return None
        return Proven(
            silver_bound(steps),
            False,
            "J. M. Altschuler, P. A. Parrilo, Acceleration by stepsize hedging II, Mathematical "
            "Programming 213, 2025, theorem 1.1",
        )
    if rule.name not in ("ogm", "fast_gradient") or not _is_inverse(rule, scale):
        return None
    source = (
        "D. Kim, J. A. Fessler, Optimized first-order methods for smooth convex minimization, "
        "Mathematical Programming 159, 2016"
    )
    if rule.name == "fast_gradient":
        t = float(nesterov_sequence(steps)[steps])
        return Proven(1 / (2 * t * t), False, source)
    if getattr(rule, "horizon", None) == steps:
        theta = float(ogm_g_sequence(steps)[0])
        return Proven(1 / (2 * theta * theta), True, source)
    return None


def _gradient_descent(rate: float, steps: int, mu: float) -> Proven | None:
    """Return the worst case of a constant step, whose rate times L is given; None from 2 on.

    Either a parabola of curvature L or a function with curvature L near x* and mu beyond attains
    it: `max((1 - h)^(2N), mu / (mu - 1 + (1 - h mu)^(-2N))) / 2`, where mu = 0 stands for the limit
    `1 / (1 + 2 N h)`.
    """
    if not 0 < rate < 2:
        return None
    bound = max(abs(1 - rate) ** (2 * steps), _bent_share(rate, steps, mu)) / 2
    if mu == 0 and rate <= 1:
        return Proven(
            bound,
            True,
            "Y. Drori, M. Teboulle, Performance of first-order methods for smooth convex "
            "minimization, Mathematical Programming 145, 2014, theorem 3.1",
        )
    return Proven(
        bound,
        True,
        "J. Kim, A proof of the exact convergence rate of gradient descent, arXiv:2412.04427, 2024",
    )


def _bent_share(rate: float, steps: int, mu: float) -> float:
    """Return `mu / (mu - 1 + (1 - rate mu)^(-2N))`, without cancellation for a small mu."""
    if mu == 0:
        return 1 / (1 + 2 * steps * rate)
    if rate * mu == 1:
        return 0.0
    exponent = (
        2 * steps * math.log(abs(1 - rate * mu))
        if rate * mu > 0.5
        else (2 * steps * math.log1p(-rate * mu))
    )
    left = math.exp(exponent)
    return mu * left / (mu * left - math.expm1(exponent))


def _is_inverse(rule: UpdateRule, scale: float) -> bool:
    """Return whether lr is 1 / L, and scheduled by nothing but silver steps."""
    own: Any = rule
    plain = rule.schedule.constant or (rule.name == "gd" and rule.schedule.name == "silver")
    return plain and math.isclose(own.lr * scale, 1, rel_tol=SAME)
