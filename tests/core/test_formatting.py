"""Numbers, counts and durations as a person reads them."""

from __future__ import annotations

import math

import pytest

from gdexp.core.formatting import (
    format_count,
    format_counts,
    format_duration,
    format_large_count,
    format_number,
    format_value,
    gap_formula,
    gap_name,
)


@pytest.mark.parametrize(
    ("text", "wanted"),
    [
        (format_number(1234567.0), "1,234,567"),
        (format_number(0.1234567), "0.123457"),
        (format_number(math.inf), "inf"),
        (format_value(0.1 + 0.2), "0.3"),
        (format_value("adam"), "adam"),
        (format_count(1, "iteration"), "1 iteration"),
        (format_count(1200, "iteration"), "1,200 iterations"),
        (format_count(22.333333333, "iteration"), "22.3333 iterations"),
        (format_counts({"converged": 1200, "diverged": 1}), "1,200 converged, 1 diverged"),
        (format_counts({}), ""),
        (format_large_count(1, "step"), "1 step"),
        (format_large_count(9_999_999, "step"), "9,999,999 steps"),
        (format_large_count(12_345_678, "step"), "12.3M steps"),
        (format_large_count(2.5, "iteration"), "2.5 iterations"),
        (format_large_count(math.inf, "iteration"), "? iterations"),
        (format_duration(0.2), "1 s"),
        (format_duration(99.5), "2 min"),
        (format_duration(2 * 3600), "2 h 0 min"),
        (format_duration(1e7), "2,778 h"),
        (gap_name(0), "loss"),
        (gap_name(0.25), "loss - f*"),
        (gap_formula(0.25), "loss - (0.25)"),
    ],
)
def test_a_person_reads(text: str, wanted: str) -> None:
    assert text == wanted
