"""Comparing tracked runs: what differs, when each threshold was reached, pictures and a report."""

from __future__ import annotations

from gdexp.compare.charts import charts
from gdexp.compare.comparison import Comparison, Distance, LeftOut
from gdexp.compare.page import page
from gdexp.compare.png import png_of
from gdexp.compare.profiles import (
    data_profile,
    ecdf,
    expected_running_time,
    performance_profile,
)

__all__ = [
    "Comparison",
    "Distance",
    "LeftOut",
    "charts",
    "data_profile",
    "ecdf",
    "expected_running_time",
    "page",
    "performance_profile",
    "png_of",
]
