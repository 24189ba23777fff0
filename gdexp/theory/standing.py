"""Where a descent stands between its class's worst case and what no method can promise."""

from __future__ import annotations

import torch

from gdexp.core import BadInput, format_count
from gdexp.optimizers import UpdateRule
from gdexp.problems import Problem
from gdexp.theory.certificate import QUADRATIC, certify
from gdexp.theory.fixed_steps import FIXED

MOST_ITERATIONS = 1000
"""For more a person would have to wait."""


def standing(
    problem: Problem, rule: UpdateRule, iterations: int, gap: float, x0: torch.Tensor
) -> str | None:
    """Return what a rule and all methods can promise where a descent ran, in one sentence.

    Args:
        problem: whose Hessian is constant, of known curvature and minimiser.
        rule: the update rule.
        iterations: that the descent made.
        gap: that it ended with.
        x0: its start.

    Returns:
        None for other problems and rules, for long descents, and where the rule is unstable for
        some quadratic of the class.
    """
    if problem.curvature is None or problem.x_star is None or rule.name not in FIXED:
        return None
    if not 0 < iterations <= MOST_ITERATIONS:
        return None
    mu, top = problem.curvature
    start = x0.detach().to("cpu", torch.float64)
    distance = float((start - problem.x_star.to("cpu", torch.float64)).norm())
    try:
        known = certify(
            rule,
            iterations,
            smoothness=top,
            strong_convexity=mu,
            functions=QUADRATIC,
            distance=distance,
        )
    except BadInput:
        return None
    least = (
        f", and no method whose steps combine the gradients less than {known.floor:.3g}"
        if known.floor
        else ""
    )
    return (
        f"after {format_count(iterations, 'iteration')} its gap is {gap:.3g}; in exact arithmetic, "
        f"from as far on every quadratic with spectrum in [{mu:.3g}, {top:.3g}], it promises "
        f"{known.bound:.3g}{least}"
    )
