"""Loss curves: one for each run, or a median with a band for each configuration."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np

from gdexp.comparison.comparison import LAST_PARAMS, Comparison
from gdexp.comparison.figure_model import (
    GREY,
    MOST_NAMED,
    PALETTE,
    THRESHOLD,
    Chart,
    Floats,
    Series,
)
from gdexp.comparison.reported import GAP, curve
from gdexp.descent import LOSS, Status, first_hits
from gdexp.runs import SEED_PARAM, TrackedRun

MOST_CURVES = 60
CEILING_FACTOR = 1e3
MOST_POINTS = 300
LOG_AXIS_RATIO = 30
"""The x axis is logarithmic if the longest run has more than so many times the iterations of the
shortest.
"""


def curve_steps(
    gaps: Floats, thresholds: Sequence[float] = (), most: int = MOST_POINTS
) -> list[int]:
    """Return the iterations at which a curve has points.

    The first, the last, the smallest gap, and both sides of the first hit of every threshold are
    included; the others are spread evenly, half of them on a log axis.

    Args:
        gaps: loss − f* at iterations 0 … n, shape (n + 1,).
        thresholds: the thresholds whose first hits are included.
        most: the number of points that are spread.
    """
    last = len(gaps) - 1
    if last < most:
        return list(range(last + 1))
    even = np.linspace(0, last, most // 2)
    geometric = np.geomspace(1, last, most - most // 2)
    kept = {0, last, *even.round().astype(int).tolist(), *geometric.round().astype(int).tolist()}
    finite = np.where(np.isfinite(gaps), gaps, np.inf)
    kept.add(int(finite.argmin()))
    for hit in first_hits(gaps, thresholds):
        if hit is not None:
            kept |= {hit, max(hit - 1, 0)}
    return sorted(kept)


def loss_chart(comparison: Comparison, most: int = MOST_CURVES) -> Chart:
    """Make the chart of the loss gaps: of every run, or median and band over seeds; log y axis.

    The best `MOST_NAMED` have a colour and a name; the other curves are grey, behind them.
    """
    groups = comparison.seed_groups
    seeds = bool(groups) and len(groups) <= MOST_NAMED
    drawn = comparison.runs if seeds else comparison.ranked[:most]
    longest = max(run.updates for run in drawn)
    shortest = max(1, min(run.updates for run in drawn))
    x_log = longest > LOG_AXIS_RATIO * shortest or longest > 10_000
    top = gap_ceiling(comparison.runs)
    note = ""
    what = "loss gap" if comparison.gap_name == GAP else comparison.gap_name
    if seeds:
        series = [
            _band(comparison, group, x_log, PALETTE[i], top) for i, group in enumerate(groups)
        ]
        note = (
            "The median over seeds (of an even number the lower of the middle two); the band "
            "holds the middle half of them."
        )
        title = f"{what}, median and quartiles over seeds"
    else:
        series = [_curve(comparison, run, x_log, i, top) for i, run in enumerate(drawn)]
        title = f"{what} of every run"
        if len(drawn) < len(comparison.runs):
            title = f"{what} of the best {len(drawn)} of {len(comparison.runs):,} runs"
        if len(drawn) > MOST_NAMED:
            note = f"The best {MOST_NAMED} runs have a colour; the others are grey."
    first = comparison.runs[0]
    if not comparison.thresholds_differ and first.threshold is not None and first.metric == LOSS:
        ends = np.array([1.0 if x_log else 0.0, 1.0 + longest if x_log else longest])
        level = np.full(2, first.threshold)
        series.append(Series("threshold", ends, level, kind="dashes", colour=THRESHOLD))
    if any(run.status == Status.DIVERGED for run in drawn):
        limit = f"Diverging curves end at {CEILING_FACTOR:,.0f} times the largest first gap."
        note = f"{note} {limit}".strip()
    return Chart(
        name="loss",
        title=title,
        x_label="iteration + 1" if x_log else "iteration",
        y_label=comparison.gap_name,
        series=series,
        x_log=x_log,
        y_log=True,
        x_whole=True,
        note=note,
    )


def log_axis_values(gaps: Floats, ceiling: float = math.inf) -> Floats:
    """Return the gaps with NaN for values that are not finite, not above 0, or too high."""
    with np.errstate(invalid="ignore"):
        return np.where(np.isfinite(gaps) & (gaps > 0) & (gaps <= ceiling), gaps, np.nan)


def gap_ceiling(runs: Sequence[TrackedRun]) -> float:
    """Return the largest gap that is drawn, so that a diverging run does not flatten the others."""
    first_gaps = [float(curve(run)[0]) for run in runs]
    drawable = [gap for gap in first_gaps if math.isfinite(gap) and gap > 0]
    return CEILING_FACTOR * max(drawable, default=math.inf)


def _curve(comparison: Comparison, run: TrackedRun, x_log: bool, rank: int, top: float) -> Series:
    gaps = curve(run)
    steps = np.array(curve_steps(gaps, comparison.thresholds))
    named = rank < MOST_NAMED
    return Series(
        name=comparison.label(run),
        x=(steps + x_log).astype(np.float64),
        y=log_axis_values(gaps[steps], top),
        colour=PALETTE[rank] if named else GREY,
        bold=rank == 0 and len(comparison.runs) > 1,
        legend=named,
    )


def _band(
    comparison: Comparison, group: Sequence[TrackedRun], x_log: bool, colour: str, top: float
) -> Series:
    """Make the median and quartiles over seeds; a run that has ended keeps its last gap."""
    traces = [curve(run) for run in group]
    longest = max(traces, key=len)
    steps = np.array(curve_steps(longest, comparison.thresholds))
    table = np.stack(
        [log_axis_values(trace[np.minimum(steps, len(trace) - 1)]) for trace in traces]
    )
    # A missing gap of one seed counts as infinite; if all are missing, nothing is drawn.
    filled = np.where(np.isnan(table), np.inf, table)
    with np.errstate(invalid="ignore"):
        low, high = np.quantile(filled, [0.25, 0.75], axis=0, method="nearest")
        middle = np.quantile(filled, 0.5, axis=0, method="lower")
    words = comparison.label_words(group[0], without=(SEED_PARAM, *LAST_PARAMS))
    return Series(
        name=" ".join([*words, f"({len(group)} seeds)"]),
        x=(steps + x_log).astype(np.float64),
        y=log_axis_values(middle, top),
        low=log_axis_values(np.minimum(low, top)),
        high=log_axis_values(np.minimum(high, top)),
        colour=colour,
        bold=True,
    )
