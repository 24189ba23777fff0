"""The best settings and rates of the linear rules on a quadratic, and their stability limits."""

from __future__ import annotations

import math
from dataclasses import dataclass
from decimal import Decimal, localcontext

import torch

from gdexp.core import BadInput, validation
from gdexp.optimizers import UpdateRule
from gdexp.problems import Problem
from gdexp.theory.modes import MAX_DIMENSION, coefficient, hessian, is_linear


@dataclass(frozen=True)
class Setting:
    """Hyperparameters and their rate: the worst factor of the error at every step."""

    lr: float
    momentum: float
    rate: float


def optimal_setting(problem: Problem, rule_name: str, tuned: bool = True) -> Setting | None:
    """Return the setting with the best rate for any start on a quadratic with spectrum [mu, L].

    ::

        gd        lr = 2 / (mu + L)                              rate (κ − 1) / (κ + 1)
        momentum  lr = 4 / (√L + √mu)², β = rate²                rate (√κ − 1) / (√κ + 1)
        nesterov  lr = 4 / (3 L + mu), β = (√(3κ+1) − 2) / (√(3κ+1) + 2)    1 − 2 / √(3κ + 1)
                  lr = 1 / L, β = (√κ − 1) / (√κ + 1) when not tuned        1 − 1 / √κ

    Args:
        problem: with known curvature.
        rule_name: gd, momentum or nesterov.
        tuned: which of the two settings for nesterov.

    Returns:
        None for another rule or an unknown curvature, or when mu is 0.
    """
    if problem.curvature is None or problem.curvature[0] <= 0:
        return None
    mu, top = problem.curvature
    kappa = top / mu
    if rule_name == "gd":
        return Setting(2 / (mu + top), 0.0, (kappa - 1) / (kappa + 1))
    if rule_name == "momentum":
        rate = (math.sqrt(kappa) - 1) / (math.sqrt(kappa) + 1)
        return Setting(4 / (math.sqrt(top) + math.sqrt(mu)) ** 2, rate**2, rate)
    if rule_name == "nesterov" and tuned:
        root = math.sqrt(3 * kappa + 1)
        return Setting(4 / (3 * top + mu), (root - 2) / (root + 2), 1 - 2 / root)
    if rule_name == "nesterov":
        root = math.sqrt(kappa)
        return Setting(1 / top, (root - 1) / (root + 1), 1 - 1 / root)
    return None


def best_lr(problem: Problem, rule: UpdateRule) -> float | None:
    """Return the learning rate with the best worst-case rate for the rule's other settings.

    It is 2 / (mu + L) for gd, and 2 (1 + β) / ((mu + L) (1 − dampening)) for heavy ball, where
    the roots of both extreme eigenvalues have equal size. For Nesterov's method bisection finds
    the same balance between 1 / L and the stability limit. None where theory does not apply.
    """
    if problem.curvature is None or problem.curvature[0] <= 0 or not is_linear(rule):
        return None
    mu, top = problem.curvature
    beta, share = _momentum(rule)
    if rule.name != "nesterov":
        return 2 * (1 + beta) / ((mu + top) * share)
    low, high = 1 / top, 2 * (1 + beta) / ((1 + 2 * beta) * top)
    for _ in range(80):
        middle = (low + high) / 2
        if _nesterov_radius(1 - middle * mu, beta) > _nesterov_radius(1 - middle * top, beta):
            low = middle
        else:
            high = middle
    return low


def stability_limit(problem: Problem, rule: UpdateRule) -> float | None:
    """Return the learning rate from which on the rule is unstable at the minimum.

    It is 2 / L for gd, 2 (1 + β) / (L (1 − dampening)) for heavy ball, 2 (1 + β) / ((1 + 2β) L) for
    Nesterov's method. Where the Hessian is not constant, L is its largest eigenvalue at x*: the
    limit is local, and of this one minimum where there are several. None where neither is known.
    """
    if not is_linear(rule):
        return None
    top = sharpness(problem)
    if top is None or top <= 0:
        return None
    beta, share = _momentum(rule)
    if rule.name == "nesterov":
        return 2 * (1 + beta) / ((1 + 2 * beta) * top)
    return 2 * (1 + beta) / (top * share)


def sharpness(problem: Problem) -> float | None:
    """Return the Hessian's largest eigenvalue, at x* unless it is constant; None if unknown."""
    if problem.curvature is not None:
        return problem.curvature[1]
    if problem.x_star is None or not problem.smooth or problem.x_star.numel() > MAX_DIMENSION:
        return None
    return float(torch.linalg.eigvalsh(hessian(problem, problem.x_star))[-1])


def chebyshev_floor(kappa: float, relative: float) -> int:
    """Return the iterations that reduce the gap of any quadratic with this κ to a share of it.

    From the worst start, after n iterations, no method whose steps combine the gradients has a
    gap below 1 / T_n((κ+1)/(κ-1))² of the first (exactly so when the spectrum is the interval
    [mu, L]); Chebyshev's method attains it. So n is the smallest with T_n >= 1 / √relative:
    acosh(1 / √relative) / acosh((κ+1)/(κ-1)), computed with 60 digits and rounded up. The gap is
    the square of the error's energy norm: κ = 100 and 1e-6 (1e-3 in that norm) give 38.

    Args:
        kappa: L / mu, >= 1.
        relative: the share of the first gap, in (0, 1).
    """
    if validation.positive("kappa", kappa) < 1:
        raise BadInput("kappa", kappa, "must be >= 1")
    if not 0 < validation.number("relative", relative) < 1:
        raise BadInput("relative", relative, "must be above 0 and below 1")
    if kappa == 1:
        return 1
    with localcontext() as context:
        # √κ must be told from 1, and n rounded up at the right place.
        context.prec = 60 + abs(Decimal(kappa).adjusted())
        root, norm = Decimal(kappa).sqrt(), 1 / Decimal(relative).sqrt()
        steps = (norm + (norm * norm - 1).sqrt()).ln() / ((root + 1) / (root - 1)).ln()
        return max(1, math.ceil(steps - Decimal("1e-40")))


def _momentum(rule: UpdateRule) -> tuple[float, float]:
    """Return β and 1 − dampening."""
    return coefficient(rule, "momentum"), 1 - coefficient(rule, "dampening")


def _nesterov_radius(q: float, beta: float) -> float:
    """Return the larger root's size of z² − (1 + β) q z + β q, for a mode with q = 1 − lr λ."""
    half = (1 + beta) * q / 2
    under = half * half - beta * q
    return math.sqrt(beta * q) if under < 0 else abs(half) + math.sqrt(under)
