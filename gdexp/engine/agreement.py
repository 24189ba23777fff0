"""Comparing a plan's loss and gradient with torch's own."""

from __future__ import annotations

from functools import partial

import numpy as np
import torch

from gdexp.engine.bounds import BoundBuilder, Doubles
from gdexp.engine.interpreter import Interpreter
from gdexp.engine.lowering import lower
from gdexp.engine.make_plan import LossFunction, is_recorded_as, leaf, loss_and_gradient
from gdexp.engine.not_portable import NotPortable
from gdexp.engine.plan import Plan
from gdexp.engine.program import Array
from gdexp.engine.recorder import record
from gdexp.engine.recording import Recording

SLACK = 4.0
"""What the bound is multiplied by, for terms of second order and for torch's inner formulas."""

LOOSE = 1024.0
"""The same where the operations may be others."""


def check_against_torch(
    plan: Plan,
    problem: LossFunction,
    x: torch.Tensor,
    computed: tuple[Array, Array] | None = None,
) -> None:
    """Check a plan's loss and gradient at a point against torch's.

    They may differ by the rounding of both: `SLACK` times the bound of `bounds`. The recording of
    this point must give the plan's program.

    Args:
        plan: of the descent.
        problem: of the descent; it is converted to the plan's dtype.
        x: the point, of the problem's shape.
        computed: loss and gradient as the plan gives them; by default they are interpreted.

    Raises:
        NotPortable: they differ by more, or the recording differs.
    """
    point, recording = _recorded(plan, problem, x)
    if (found := is_recorded_as(recording, plan.evaluate)) is not None:
        raise NotPortable(f"its operations depend on x or on time: {found}")
    ours = _interpreted(plan, point) if computed is None else computed
    if (found := _difference(recording, point, ours, SLACK)) is not None:
        raise NotPortable(found)


def difference_from_torch(plan: Plan, problem: LossFunction, x: torch.Tensor) -> str | None:
    """Return how a plan computes another loss or gradient than torch does here; None: it does not.

    The plan may come from other operations than those that torch records here: their rounding and
    that of the constants counts more often than in `check_against_torch`.

    Args:
        plan: of a descent.
        problem: the problem; it is converted to the plan's dtype.
        x: the point, of the problem's shape.

    Raises:
        NotPortable: the operations that are recorded here have no portable form.
    """
    point, recording = _recorded(plan, problem, x)
    return _difference(recording, point, _interpreted(plan, point), LOOSE)


def _recorded(plan: Plan, problem: LossFunction, x: torch.Tensor) -> tuple[torch.Tensor, Recording]:
    """Return a point in the plan's dtype, and what torch records there."""
    dtype: torch.dtype = getattr(torch, plan.dtype)
    point = leaf(x.to("cpu", dtype))
    converted = problem.to(dtype, torch.device("cpu"))
    return point, record(partial(loss_and_gradient, converted), {"x": point})


def _difference(
    recording: Recording, point: torch.Tensor, ours: tuple[Array, Array], slack: float
) -> str | None:
    """Return how a plan's loss or gradient is another than the recorded one."""
    name = str(point.dtype).removeprefix("torch.")
    builder = BoundBuilder(name, given={"x": point.detach().numpy()})
    bounds = lower(recording, builder)
    smallest = float(np.finfo(name).tiny)
    for name, array in zip(("loss", "gradient"), ours, strict=True):
        theirs = recording.values[name].numpy().astype(np.float64)
        with np.errstate(over="ignore"):
            error = slack * builder.bounded(bounds[name]).error
        found = _far(name, np.reshape(array, theirs.shape), theirs, error, smallest)
        if found is not None:
            return found
    return None


def _interpreted(plan: Plan, point: torch.Tensor) -> tuple[Array, Array]:
    results = Interpreter(plan.evaluate)({"x": point.detach().unsqueeze(0)})
    return results["loss"].numpy(), results["gradient"].numpy()


def _far(name: str, ours: Array, theirs: Array, error: Doubles, smallest: float) -> str | None:
    """Return the first number that is another one, with torch's; None where there is none."""
    ours = ours.astype(np.float64)
    with np.errstate(all="ignore"):
        far = np.abs(ours - theirs) > error + smallest
        lost = np.isfinite(ours) != np.isfinite(theirs)
    wrong = np.flatnonzero((far & np.isfinite(error)) | (lost & np.isfinite(error)))
    if not len(wrong):
        return None
    i = int(wrong[0])
    values = f"{ours.reshape(-1)[i]:.17g}, torch's {theirs.reshape(-1)[i]:.17g}"
    return f"its {name} is not torch's: {values}"
