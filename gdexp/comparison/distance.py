"""The distance between two final tensors."""

from __future__ import annotations

import math
from dataclasses import dataclass


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
