"""Plans as data: that of a descent, and how a stored one compares with what is recorded here."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import torch

from gdexp.config import ARITHMETIC
from gdexp.descent.portable.choice import booleans, find_plan
from gdexp.engine import NotPortable, Plan, Prepared, StoredPlan, difference_from_torch
from gdexp.optimizers import UpdateRule
from gdexp.problems import Problem


class RecordedHere(NamedTuple):
    """How the plan that is recorded on this machine compares with a stored one.

    Attributes:
        others: what is not as it was stored, in words.
        refused: why nothing portable can be recorded here; None where it can.
        wrong: how the stored loss is another function than the problem's; None where it is not,
            or where this cannot be told because nothing is recorded.
    """

    others: tuple[str, ...] = ()
    refused: str | None = None
    wrong: str | None = None


def as_data(prepared: Prepared, rule: UpdateRule) -> StoredPlan:
    """Return the plan of a descent as data."""
    return prepared.as_data(lambda plan: StoredPlan(plan, rule.name, booleans(rule), ARITHMETIC))


def misfit(
    stored: StoredPlan,
    rule: UpdateRule,
    dtype: torch.dtype,
    shape: Sequence[int],
    norms: bool = False,
) -> str | None:
    """Return why a stored plan is none of a descent with this rule, dtype and shape; else None.

    `norms` says whether its thresholds are of the gradient norm.
    """
    plan = stored.plan
    if plan.has_norms != norms:
        return "gives gradient norms" if plan.has_norms else "gives no gradient norms"
    if (stored.rule, stored.choices) != (rule.name, booleans(rule)):
        return f"is one of {stored.rule} with other settings"
    if plan.coefficients != sum(each is None for each in stored.choices):
        return "takes another count of coefficients"
    if plan.dtype != str(dtype).removeprefix("torch."):
        return f"is one in {plan.dtype}"
    if plan.shape != tuple(shape):
        return f"is one of shape {plan.shape}"
    return None


def recorded_here(
    stored: StoredPlan,
    problem: Problem,
    rule: UpdateRule,
    device: torch.device,
    points: Sequence[torch.Tensor],
) -> RecordedHere:
    """Record the loss and the rule of a problem here, and compare them with a stored plan.

    Args:
        stored: the plan; it fits the problem and the rule.
        problem: the problem.
        rule: the update rule.
        device: of the descent.
        points: where both losses are computed if the programs differ; the first is the start.
    """
    plan, dtype = stored.plan, getattr(torch, stored.plan.dtype)
    try:
        form = problem.portable_form()
        x = points[0].to("cpu", dtype)
        here = find_plan(form, rule, dtype, device, x, norms=plan.has_norms).prepared.plan
    except NotPortable as error:
        return RecordedHere(refused=str(error))
    others = []
    if here.evaluate.sha256 != plan.evaluate.sha256:
        same = here.evaluate.nodes == plan.evaluate.nodes
        others.append("the constants of the loss" if same else "the loss with its gradient")
    if (here.first.sha256, here.update.sha256) != (plan.first.sha256, plan.update.sha256):
        others.append("the update")
    wrong = _difference(plan, form, points) if others else None
    return RecordedHere(tuple(others), None, wrong)


def _difference(plan: Plan, problem: Problem, points: Sequence[torch.Tensor]) -> str | None:
    """Return how a plan is another function than a problem's loss at one of some points."""
    with torch.enable_grad():
        for x in points:
            try:
                found = difference_from_torch(plan, problem, x)
            except NotPortable:
                continue
            if found is not None:
                return found
    return None
