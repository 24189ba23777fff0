"""The engine of a descent or of a batch: which one it is, why, and what runs it."""

from __future__ import annotations

from typing import NamedTuple

import torch

from gdexp.descent.portable.checks import Checks
from gdexp.descent.portable.minimum import PortableMinimum
from gdexp.descent.portable.pace import Pace
from gdexp.engine import Plans
from gdexp.engine.choice import (
    Engine,
    Found,
    check_of,
    double_loss,
    find_plan,
    nanoseconds,
    runner,
)
from gdexp.optimizers import UpdateRule
from gdexp.problems import Problem


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
    found: Found


def set_up(
    problem: Problem,
    rule: UpdateRule,
    dtype: torch.dtype,
    device: torch.device,
    x: torch.Tensor,
    plans: Plans | None,
    block: int | None = None,
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

    Raises:
        NotPortable: there is no plan, or it is refused.
    """
    found = find_plan(problem, rule, dtype, device, x, plans)
    prepared = found.prepared
    checks = None
    if not prepared.checked:
        checks = Checks(check_of(problem, prepared.plan))
        checks.at_start(x)
    engine = runner(prepared, device, torch.get_num_threads())

    minimum = PortableMinimum(
        problem, prepared.plan.dtype, lambda: double_loss(prepared, problem, x)
    )
    return Setup(engine, minimum, Pace(nanoseconds(prepared.plan), block), checks, found)
