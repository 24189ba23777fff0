"""The distance between two final tensors."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import numpy as np

from gdexp.runs import TrackedRun, UnreadableRun

OTHER_SHAPE = "other shape"


@dataclass(frozen=True)
class Distance:
    """The distance of a final tensor x from that of the reference, element by element.

    Attributes:
        largest: max |x − reference|; NaN if one of the tensors is not finite.
        mean: the mean of |x − reference|.
        missing: why there is no distance; empty if there is one.
    """

    largest: float = math.nan
    mean: float = math.nan
    missing: str = ""


def final_distance(run: TrackedRun, origin: np.ndarray[Any, np.dtype[np.float64]]) -> Distance:
    """Return the distance of a run's final tensor from another one."""
    try:
        final = np.asarray(run.final, dtype=np.float64)
    except (UnreadableRun, ValueError) as error:
        return Distance(missing=str(error))
    if final.shape != origin.shape:
        return Distance(missing=OTHER_SHAPE)
    with np.errstate(invalid="ignore"):
        apart = np.abs(final - origin)
    if not np.isfinite(apart).all():
        return Distance()
    return Distance(float(apart.max(initial=0.0)), float(apart.mean()) if apart.size else 0.0)
