"""Numbers, counts, values and durations as a person reads them."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any


def format_number(value: float) -> str:
    """Format a number with six significant digits, and a whole one below 1e12 with all."""
    if abs(value) < 1e12 and value == round(value):
        return f"{value:,.0f}"
    return f"{value:,.6g}"


def format_value(value: object) -> str:
    """Format the value of a setting; a float with six significant digits."""
    return f"{value:.6g}" if isinstance(value, float) else str(value)


def format_count(count: float, noun: str) -> str:
    """Format a count with its noun: `1 iteration`, `1,200 iterations`.

    An expected count, which is a float, has six significant digits.
    """
    digits = f"{count:,.6g}" if isinstance(count, float) else f"{count:,}"
    return _with_noun(digits, count, noun)


def format_large_count(count: float, noun: str) -> str:
    """Format a count with its noun, from ten million on with a letter: `12.3M iterations`."""
    return _with_noun(_large(count), count, noun)


def _large(count: float) -> str:
    if not math.isfinite(count):
        return "?"
    for letter, unit, least in (("T", 1e12, 1e12), ("G", 1e9, 1e9), ("M", 1e6, 1e7)):
        if count >= least:
            return f"{count / unit:,.3g}{letter}"
    return f"{count:,.0f}" if count == round(count) else f"{count:,.1f}"


def _with_noun(digits: str, count: float, noun: str) -> str:
    return f"{digits} {noun}" if count == 1 else f"{digits} {noun}s"


def format_counts(counts: Mapping[Any, int]) -> str:
    """Format counts by name: `90 converged, 10 diverged`."""
    return ", ".join(f"{count:,} {name}" for name, count in counts.items())


def format_duration(seconds: float) -> str:
    """Format an estimated duration in seconds, minutes or hours, at least 1 second."""
    if seconds < 99.5:
        return f"{max(round(seconds), 1)} s"
    minutes = round(seconds / 60)
    if minutes < 100:
        return f"{minutes} min"
    hours = round(minutes / 60)
    return f"{minutes // 60} h {minutes % 60} min" if hours < 10 else f"{hours:,} h"


def gap_name(f_star: float) -> str:
    """Return the name of loss - f*, which is `loss` where f* is 0."""
    return "loss" if f_star == 0 else "loss - f*"


def gap_formula(f_star: float) -> str:
    """Return loss - f* with the number for f*: `loss - (0.25)`, `loss` where f* is 0."""
    return "loss" if f_star == 0 else f"loss - ({f_star:.6g})"
