"""The thresholds at which runs are compared, where the metric is not the loss."""

from __future__ import annotations

from collections.abc import Iterable

from gdexp.descent.stopping import THRESHOLDS

SHARES = (0.5, 0.6, 0.7, 0.8, 0.9, 0.95, 0.98, 0.99)
"""Thresholds of a metric that is a share, such as accuracy."""

STEPS = (1.0, 0.1, 0.01, 0.001)
"""Distances from a threshold of 0."""

DOUBLINGS = range(5, -2, -1)


def metric_thresholds(asked: Iterable[float], mode: str) -> tuple[float, ...]:
    """Return thresholds around those that were asked, the loosest first.

    Those of a share are round shares. Others differ by factors of two from the tightest one, five
    of them looser and one tighter.

    Args:
        asked: none where no threshold ends the runs.
        mode: `min` or `max`, the better direction of the metric.
    """
    given = set(asked)
    if not given:
        return SHARES if mode == "max" else THRESHOLDS
    tightest = max(given) if mode == "max" else min(given)
    if mode == "max" and 0 < tightest <= 1:
        found = {*given, *SHARES}
    elif tightest == 0:
        found = {*given, *(-each if mode == "max" else each for each in STEPS)}
    else:
        looser = (tightest > 0) == (mode == "min")  # whether a factor above 1 makes it looser
        found = {*given, *(tightest * 2.0 ** (k if looser else -k) for k in DOUBLINGS)}
    return tuple(sorted(found, reverse=mode == "min"))
