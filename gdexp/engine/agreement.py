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

SLACK = 4.0
"""What the bound is multiplied by, for terms of second order and for torch's inner formulas."""


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
    dtype: torch.dtype = getattr(torch, plan.dtype)
    point = leaf(x.to("cpu", dtype))
    converted = problem.to(dtype, torch.device("cpu"))
    recording = record(partial(loss_and_gradient, converted), {"x": point})
    if (found := is_recorded_as(recording, plan.evaluate)) is not None:
        raise NotPortable(f"its operations depend on x or on time: {found}")
    builder = BoundBuilder(plan.dtype, given={"x": point.detach().numpy()})
    bounds = lower(recording, builder)
    ours = _interpreted(plan, point) if computed is None else computed
    smallest = float(np.finfo(plan.dtype).tiny)
    for name, array in zip(("loss", "gradient"), ours, strict=True):
        theirs = recording.values[name].numpy().astype(np.float64)
        _compare(
            name,
            np.reshape(array, theirs.shape),
            theirs,
            builder.bounded(bounds[name]).error,
            smallest,
        )


def _interpreted(plan: Plan, point: torch.Tensor) -> tuple[Array, Array]:
    results = Interpreter(plan.evaluate)({"x": point.detach().unsqueeze(0)})
    return results["loss"].numpy(), results["gradient"].numpy()


def _compare(name: str, ours: Array, theirs: Array, error: Doubles, smallest: float) -> None:
    ours = ours.astype(np.float64)
    with np.errstate(all="ignore"):
        far = np.abs(ours - theirs) > SLACK * error + smallest
        lost = np.isfinite(ours) != np.isfinite(theirs)
    wrong = np.flatnonzero((far & np.isfinite(error)) | (lost & np.isfinite(error)))
    if len(wrong):
        i = int(wrong[0])
        values = f"{ours.reshape(-1)[i]:.17g}, torch's {theirs.reshape(-1)[i]:.17g}"
        raise NotPortable(f"its {name} is not torch's: {values}")
