"""What a threshold is of; shares of the gap at the start are made into gaps."""

from __future__ import annotations

import math
from dataclasses import replace

import torch

from gdexp.core import BadInput
from gdexp.descent.stopping import GAP, LOSS, RELATIVE, Stopping
from gdexp.problems import Problem, first_loss


def with_measure(stopping: Stopping | None, measure: str | None) -> Stopping:
    """Return a stopping rule, by default the usual one, with a measure; None: its own."""
    stopping = Stopping() if stopping is None else stopping
    return stopping if measure is None else replace(stopping, measure=measure)


def as_gaps(
    stopping: Stopping,
    problem: Problem,
    start: torch.Tensor,
    dtype: torch.dtype,
    device: torch.device,
) -> Stopping:
    """Return a stopping rule whose threshold is a gap; one that is relative is so no more.

    The loss at the start is torch's, in the dtype of the descent.

    Args:
        stopping: the stopping rule.
        problem: the problem.
        start: of the descent.
        dtype: of the descent.
        device: of the descent.

    Raises:
        BadInput: the start has no finite loss above f*, or the threshold is no gap.
    """
    if stopping.measure != RELATIVE:
        return stopping
    if problem.absolute or stopping.metric != LOSS or not stopping.has_threshold:
        raise BadInput("measure", RELATIVE, f"must be {GAP}: the threshold is no gap of the loss")
    with torch.enable_grad():
        x = start.detach().to(device, dtype).requires_grad_()
        loss = first_loss(problem.to(dtype, device), x).item()
    gap = loss - problem.reference
    if not 0 < gap < math.inf:
        raise BadInput(
            "measure", RELATIVE, f"needs a finite loss above f* at the start, not {loss}"
        )
    further = stopping.continue_to
    return replace(
        stopping,
        threshold=stopping.threshold * gap,
        continue_to=None if further is None else further * gap,
        measure=GAP,
    )
