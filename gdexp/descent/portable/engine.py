"""The engine of a descent or of a batch: which one it is, why, and what runs it."""

from __future__ import annotations

from typing import NamedTuple

import torch

from gdexp.descent.portable.checks import Checks
from gdexp.descent.portable.choice import (
    Engine,
    check_of,
    double_loss,
    find_plan,
    nanoseconds,
    runner,
)
from gdexp.descent.portable.minimum import PortableMinimum
from gdexp.descent.portable.pace import Pace
from gdexp.engine import Interpreter, Kept, NotPortable, Plans, StoredPlans
from gdexp.optimizers import UpdateRule
from gdexp.problems import Problem

OPEN = ("gdexp.problems.custom", "gdexp.problems.transformed")
"""Modules of problems that hold code of the user's own."""

LIKELY = {"float32": 1e-5, "float64": 1e-13}
"""Relative differences of two losses that come from rounding."""


class Setup(NamedTuple):
    """What runs portable descents.

    Attributes:
        engine: computes blocks of iterations.
        minimum: of the problem.
        pace: how long a block is.
        checks: where this is the first descent of the plan.
        found: the plan, and where it is kept.
    """

    engine: Engine
    minimum: PortableMinimum
    pace: Pace
    checks: Checks | None
    found: Kept


def set_up(
    problem: Problem,
    rule: UpdateRule,
    dtype: torch.dtype,
    device: torch.device,
    x: torch.Tensor,
    plans: Plans | None,
    block: int | None = None,
    norms: bool = False,
) -> Setup:
    """Return what runs a descent on the portable engine.

    Args:
        problem: the problem.
        rule: the update rule.
        dtype: of the descent.
        device: of the descent.
        x: a start, on the CPU and in the dtype.
        plans: where plans are kept; None: with the problem.
        block: the iterations of a block; None: chosen.
        norms: whether thresholds are of the gradient norm.

    Raises:
        NotPortable: there is no plan, or it is refused.
    """
    found = find_plan(problem, rule, dtype, device, x, plans, norms)
    replays = isinstance(found.plans, StoredPlans)
    if found.prepared.checked and not replays and not _still_right(found, problem, x):
        found.plans.drop(found.key)
        found = find_plan(problem, rule, dtype, device, x, plans, norms)
    prepared = found.prepared
    checks = None
    if not prepared.checked:
        checks = Checks(check_of(problem, prepared.plan))
        checks.at_start(x)
        if found.plans.losses_known:
            found.plans.agreed(found.key)
            prepared.checked, checks = True, None
    engine = runner(prepared, device, torch.get_num_threads(), found.plans.optimise)

    minimum = PortableMinimum(
        problem, prepared.plan.dtype, lambda: double_loss(prepared, problem, x)
    )
    return Setup(engine, minimum, Pace(nanoseconds(prepared), block), checks, found)


def _still_right(found: Kept, problem: Problem, x: torch.Tensor) -> bool:
    """Return whether a plan that was kept gives torch's loss at a start.

    A loss of the user's own may depend on what its problem's attributes do not show, such as a
    variable of its module.
    """
    kind = type(problem).__module__
    if kind.startswith("gdexp.problems.") and kind not in OPEN:
        return True
    plan = found.prepared.plan
    with torch.no_grad():
        theirs = float(problem.to(x.dtype, torch.device("cpu")).loss(x.clone()))
        interpreter = found.prepared.engines.setdefault("loss", Interpreter(plan.evaluate))
        ours = float(interpreter({"x": x.unsqueeze(0)})["loss"])
    if abs(theirs - ours) <= LIKELY[plan.dtype] * abs(ours):
        return True
    try:
        check_of(problem, plan)(x)
    except NotPortable:
        return False
    return True
