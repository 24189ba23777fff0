"""The geometric mean of counts on several problems."""

from __future__ import annotations

import math
from collections.abc import Sequence

LEAST, LEAST_SECONDS = 1.0, 1e-9
"""A smaller count stands for these: a start within the threshold must not make a mean zero."""


def geometric_mean(counts: Sequence[float], least: float = LEAST) -> float:
    """Return the geometric mean of numbers, each taken for `least` if it is smaller."""
    return math.exp(math.fsum(math.log(max(each, least)) for each in counts) / len(counts))
