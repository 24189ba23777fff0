"""Rules whose points are fixed combinations of the start and the gradients."""

from __future__ import annotations

from dataclasses import replace
from typing import Any, cast

import numpy as np
import torch

from gdexp.core import BadInput
from gdexp.optimizers import State, UpdateRule
from gdexp.theory.modes import Floats

FIXED = (
    *("gd", "momentum", "nesterov", "fast_gradient", "ogm", "ogm_g"),
    *("triple_momentum", "chebyshev_semi_iteration"),
)
"""The rules whose coefficients do not depend on the function."""


def with_condition(rule: UpdateRule, smoothness: float, strong_convexity: float) -> UpdateRule:
    """Return a rule with the condition number of a class, where it takes one and has none.

    Raises:
        BadInput: it needs one, and mu is 0.
    """
    if rule.name not in FIXED:
        known = ", ".join(FIXED)
        raise BadInput("optimizer.name", rule.name, f"must have fixed steps: {known}")
    if not hasattr(rule, "condition") or rule.condition is not None:
        return rule
    if strong_convexity == 0:
        raise BadInput("certify.strong_convexity", 0, f"must be > 0 with optimizer={rule.name}")
    return cast(UpdateRule, replace(cast(Any, rule), condition=smoothness / strong_convexity))


def step_matrix(rule: UpdateRule, steps: int) -> Floats:
    """Return h with `x_k = x_0 - Σ h[k-1, j] gradient(x_j)` over j < k; shape (steps, steps).

    The rule itself is run on the coefficients of x_0 and of the gradients.
    """
    basis = torch.eye(steps, dtype=torch.float64)
    x, state = torch.zeros(steps, dtype=torch.float64), cast(State, ())
    rows = []
    for k in range(steps):
        x, state = rule.update(x, basis[k], state, *rule.coefficients(k + 1))
        rows.append(-x.numpy())
    return np.array(rows)


def residuals(rule: UpdateRule, steps: int, eigenvalues: Floats) -> Floats:
    """Return what each eigenvector's error is multiplied by after some updates on a quadratic."""
    curvature = torch.from_numpy(np.ascontiguousarray(eigenvalues))
    x, state = torch.ones_like(curvature), cast(State, ())
    for k in range(1, steps + 1):
        x, state = rule.update(x, curvature * x, state, *rule.coefficients(k))
    return x.numpy()
