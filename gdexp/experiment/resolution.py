"""The smallest loss that a dtype can resolve near a minimiser."""

from __future__ import annotations

from typing import Any

import torch

from gdexp.optimizers import UpdateRule
from gdexp.problems import Problem


def resolution_warning(
    problem: Problem, rule: UpdateRule, threshold: float, dtype: torch.dtype
) -> str | None:
    """Return a warning when a threshold is below what the dtype can resolve, else None.

    Args:
        problem: with what it declares of its curvature and minimiser.
        rule: the update rule.
        threshold: of the loss above f*.
        dtype: of x.
    """
    floor, stuck = _rounding_floor(problem, dtype), _stuck_floor(problem, rule, dtype)
    if threshold >= max(floor, stuck):
        return None
    name = str(dtype).removeprefix("torch.")
    where, ways = "here", []
    if stuck > floor:
        where = f"with optimizer.lr={getattr(rule, 'lr', None):g}, whose steps become "
        where += "smaller than half a unit in the last place of x"
        ways.append("a larger lr")
    if dtype is not torch.float64:
        ways.append("dtype=float64")
    lower = f"; {' or '.join(ways)} goes lower" if ways else ""
    return (
        f"stopping.threshold={threshold:g} is below the smallest loss that "
        f"{name} can be relied on to reach {where} (about {max(floor, stuck):.0e}){lower}"
    )


def _rounding_floor(problem: Problem, dtype: torch.dtype) -> float:
    """Return the loss at a point four rounding errors away from the minimiser.

    That far in every coordinate, with the curvature that the problem declares.
    """
    info = torch.finfo(dtype)
    step = 4 * info.eps * _scale(problem)
    top = problem.curvature[1] if problem.curvature else 1.0
    return max(0.5 * top * _numbers(problem) * step * step, 0.5 * info.eps * abs(problem.reference))


def _stuck_floor(problem: Problem, rule: Any, dtype: torch.dtype) -> float:  # noqa: ANN401
    """Return the loss at which a constant learning rate can no longer move x.

    A step of less than half a unit in the last place rounds to none: with error e along an
    eigenvalue λ a step is lr λ e, so descents stop at e = ulp / (2 lr λ), where the loss is
    ulp² / (8 lr² λ). It is largest for the smallest λ. With momentum β steps add up to
    lr λ e / (1 − β). 0 for other rules, and where no curvature is declared.
    """
    mu = problem.curvature[0] if problem.curvature else 0.0
    if mu <= 0 or rule.name not in ("gd", "momentum", "nesterov") or not rule.constant:
        return 0.0
    share = (1 - getattr(rule, "dampening", 0.0)) / (1 - getattr(rule, "momentum", 0.0))
    unit = torch.finfo(dtype).eps * _scale(problem)
    error = unit / (2 * rule.lr * share * mu)
    return float(0.5 * mu * _numbers(problem) * error * error)


def _scale(problem: Problem) -> float:
    """Return the largest coordinate of the minimiser; 1 where it is not known."""
    x_star = problem.x_star
    return 1.0 if x_star is None else max(float(x_star.abs().max()), 2.0**-10)


def _numbers(problem: Problem) -> int:
    return torch.Size(problem.shape).numel()
