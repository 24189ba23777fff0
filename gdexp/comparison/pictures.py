"""The pictures of a comparison; each is made only if the runs have the data for it."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence

import numpy as np

from gdexp.comparison.comparison import Comparison
from gdexp.comparison.descent_paths import path_contours
from gdexp.comparison.figure_model import (
    GREY,
    MOST_NAMED,
    PALETTE,
    THRESHOLD,
    Chart,
    Floats,
    Images,
    Picture,
    Series,
    Surface,
)
from gdexp.comparison.formatting import mark
from gdexp.comparison.loss_curves import MOST_CURVES, loss_chart
from gdexp.comparison.profile_charts import (
    data_profile_chart,
    ecdf_chart,
    performance_profile_chart,
)
from gdexp.comparison.reported import has_curves
from gdexp.core import BadInput
from gdexp.descent import SECONDS, Status
from gdexp.runs import TrackedRun, UnreadableRun
from gdexp.theory import stability_limit

LR = "optimizer.lr"
MARKERS = {
    Status.CONVERGED: ("circle", PALETTE[0]),
    Status.MAX_ITERATIONS: ("triangle", PALETTE[1]),
    Status.CAPPED: ("triangle", PALETTE[4]),
    Status.STALLED: ("square", PALETTE[3]),
    Status.DIVERGED: ("cross", PALETTE[6]),
    Status.BELOW_MINIMUM: ("cross", PALETTE[2]),
    Status.FAILED: ("cross", PALETTE[5]),
    Status.PRUNED: ("triangle", PALETTE[4]),
    Status.PLATEAU: ("square", PALETTE[3]),
    Status.OUT_OF_TIME: ("triangle", PALETTE[1]),
    Status.MAX_EPOCHS: ("triangle", PALETTE[1]),
}
MOST_CELLS = 25
BINS = 14
MOST_PANELS = 4
MOST_PIXELS = 10_000


def make_pictures(comparison: Comparison, curves: int = MOST_CURVES) -> list[Picture]:
    """Make every picture for which the runs have data, the most important first.

    Args:
        comparison: the compared runs.
        curves: the most loss curves in a chart; the best runs are drawn.
    """
    makers: list[Callable[[Comparison], Picture | None]] = [
        lr_chart,
        fewest_chart,
        heat_map,
        path_contours,
        incumbent_chart,
        ecdf_chart,
        performance_profile_chart,
        data_profile_chart,
        final_tensors,
    ]
    first = [loss_chart(comparison, curves)] if has_curves(comparison.runs) else []
    drawn = [*first, *(make(comparison) for make in makers)]
    return [picture for picture in drawn if picture is not None]


def lr_chart(comparison: Comparison) -> Chart | None:
    """Make the chart of iterations to the common threshold by lr, with censored runs marked."""
    if LR not in comparison.numeric:
        return None
    threshold = comparison.common_threshold
    kinds: dict[Status | None, list[tuple[float, float, str]]] = {}
    for run in comparison.runs:
        lr = run.values.get(LR)
        if not isinstance(lr, int | float) or lr <= 0:
            continue
        time = run.hitting_time(threshold)
        kind = _status_of(run) if time is None else Status.CONVERGED
        if kind is Status.CONVERGED and time is None:  # it met a looser threshold of its own
            censored = run.at_least(threshold) is not None
            kind = Status.CAPPED if censored else Status.MAX_ITERATIONS
        count = math.ceil(time) if time is not None else run.updates
        kinds.setdefault(kind, []).append((float(lr), max(count, 0.5), comparison.label(run)))
    if not kinds:
        return None
    named = {Status.CONVERGED: "reached", Status.MAX_ITERATIONS: "not reached when it ended"}
    named[Status.CAPPED] = "not continued"
    series = []
    for status, (marker, colour) in MARKERS.items():
        points = kinds.get(status)
        if points:
            x, y, notes = zip(*points, strict=True)
            name = named.get(status, str(status))
            series.append(
                Series(name, np.array(x), np.array(y), "points", colour, marker, notes=notes)
            )
    limit, where = _stability_limit(comparison)
    if limit is not None and series:
        heights = np.concatenate([each.y for each in series])
        ends = np.array([heights.min(), heights.max()])
        name = f"stability limit{where} {limit:.4g}"
        series.append(Series(name, np.full(2, limit), ends, "dashes", THRESHOLD))
    return Chart(
        name="iterations_by_lr",
        title=f"iterations to {mark(threshold)} by learning rate",
        x_label="learning rate",
        y_label="iterations",
        series=series,
        x_log=True,
        y_log=True,
        y_whole=True,
        note="A triangle marks a run that ended before the threshold: it needs more than is drawn."
        if any(each.marker == "triangle" for each in series)
        else "",
    )


def fewest_chart(comparison: Comparison) -> Chart | None:
    """Make the chart of the fewest iterations at each threshold, by update rule or by run."""
    by_rule: dict[str, list[TrackedRun]] = {}
    for run in comparison.ranked:
        by_rule.setdefault(str(run.values.get("optimizer.name", "unknown")), []).append(run)
    each_run = len(comparison.runs) <= MOST_NAMED and comparison.sweep is None
    groups = {comparison.label(r): [r] for r in comparison.runs} if each_run else by_rule
    series = []
    for i, (name, runs) in enumerate(sorted(groups.items(), key=lambda g: len(g[1]))):
        times = [comparison.fewest(threshold, runs) for threshold in comparison.thresholds]
        y = np.array([math.nan if t is None else comparison.rounded(t) for t in times], dtype=float)
        if np.isfinite(y).any():
            x = np.array(comparison.thresholds)
            named = i < MOST_NAMED
            colour = PALETTE[i] if named else GREY
            series.append(Series(name, x, y, "line", colour, legend=named and len(groups) > 1))
    if not series:
        return None
    most = max(float(np.nanmax(each.y)) for each in series)
    least = min(
        float(np.nanmin(np.where(each.y > 0, each.y, np.nan))) if (each.y > 0).any() else 1.0
        for each in series
    )
    return Chart(
        name="fewest",
        title="fewest of the traces that reach each threshold",
        x_label="threshold (tighter to the right)",
        y_label=comparison.cost_name,
        series=series,
        x_log=True,
        y_log=most > 50 * least and all((each.y[np.isfinite(each.y)] > 0).all() for each in series),
        falling=True,
        y_whole=comparison.cost != SECONDS,
    )


def heat_map(comparison: Comparison) -> Surface | None:
    """Make the heat map of the fewest iterations over two swept params."""
    keys = list(comparison.numeric)[:2]
    if len(keys) < 2:
        return None
    rows, measured = [], []
    own = "stopping.threshold" in keys
    for run, x, y in zip(
        comparison.runs, comparison.numeric[keys[0]], comparison.numeric[keys[1]], strict=True
    ):
        threshold = run.threshold if own else comparison.common_threshold
        time = run.hitting_time(threshold) if threshold is not None else None
        if x is not None and y is not None:
            rows.append((x, y))
            measured.append(math.nan if time is None else math.ceil(time))
    if len(rows) < 4:
        return None
    points, values = np.array(rows), np.array(measured, dtype=np.float64)
    columns, column = _cells(points[:, 0])
    lines, line = _cells(points[:, 1])
    z = np.full((lines.size, columns.size), np.nan)
    for i, j, value in zip(line, column, values, strict=True):
        z[i, j] = np.nanmin([z[i, j], value]) if not np.isnan([z[i, j], value]).all() else np.nan
    if np.isfinite(z).sum() < 4:
        return None
    least, most = np.nanmin(z), np.nanmax(z)
    return Surface(
        name="heat_map",
        title="iterations to each run's own threshold"
        if own
        else f"fewest iterations to {mark(comparison.common_threshold)}",
        x_label=keys[0],
        y_label=keys[1],
        x=columns,
        y=lines,
        z=z,
        z_label="iterations",
        x_log=_is_log(columns),
        y_log=_is_log(lines),
        z_log=bool(least > 0 and most > 10 * least),
        note="An empty cell holds no run, or none whose trace reaches the threshold.",
    )


def incumbent_chart(comparison: Comparison) -> Chart | None:
    """Make the chart of a sweep's best hitting time so far by the gradient steps spent."""
    numbers = [run.trial for run in comparison.runs]
    if comparison.sweep is None or None in numbers or len(set(numbers)) < len(numbers):
        return None
    spent, best, x, y = 0, math.inf, [], []
    for run in sorted(comparison.runs, key=lambda run: run.trial or 0):
        spent += run.updates
        if run.converged:
            best = min(best, run.recorded_time)
        x.append(max(spent, 1))
        y.append(best)
    if not math.isfinite(best):
        return None
    values = np.where(np.isfinite(y), y, np.nan)
    series = [Series("best so far", np.array(x, dtype=float), values, "steps", legend=False)]
    low, high = np.nanmin(values), np.nanmax(values)
    return Chart(
        name="incumbent",
        title="what the sweep spent for its answer",
        x_label="gradient steps spent",
        y_label="best hitting time so far",
        series=series,
        x_log=True,
        y_log=bool(low > 0 and high > 20 * low),
        x_whole=True,
    )


def final_tensors(comparison: Comparison) -> Images | None:
    """Make images of the final tensors of the best runs and of their target."""
    best: list[tuple[str, Floats]] = []
    shape = None
    target = None
    for run in comparison.ranked[:MOST_PANELS]:
        try:
            final = np.asarray(run.final, dtype=np.float64)
        except (UnreadableRun, ValueError):
            continue
        if shape is None:
            shape, target = final.shape, _target(run)
        if final.shape == shape and 1 < final.size <= MOST_PIXELS:
            best.append((comparison.label(run), _image(final)))
    if not best or (target is None and len(best) < 2 and best[0][1].size < 4):
        return None
    if target is not None and target.shape == shape:
        best.append(("target", _image(target)))
    return Images("final", "final tensors of the best runs", best)


def _target(run: TrackedRun) -> Floats | None:
    try:
        target = run.experiment().problem.target
    except (BadInput, UnreadableRun):
        return None
    return None if target is None else target.double().cpu().numpy()


def _image(values: Floats) -> Floats:
    """Return any tensor as a matrix; a long vector is folded."""
    if values.ndim > 1:
        return values.reshape(-1, values.shape[-1])
    columns = values.size if values.size <= 64 else math.ceil(math.sqrt(values.size))
    padded = np.full(-(-values.size // columns) * columns, np.nan)
    padded[: values.size] = values.reshape(-1)
    return padded.reshape(-1, columns)


def _status_of(run: TrackedRun) -> Status | None:
    return Status(run.status) if run.status in list(Status) else None


def _stability_limit(comparison: Comparison) -> tuple[float | None, str]:
    """Return the stability limit of lr, 2 / L for gd, if all runs share rule and problem.

    With it comes a word for a problem with several minima, which differ in their limits.
    """
    settled = [k for k in comparison.params if k.startswith(("problem", "optimizer")) and k != LR]
    if settled:
        return None, ""
    try:
        experiment = comparison.best.experiment()
    except (BadInput, UnreadableRun):
        return None, ""
    problem = experiment.function
    if problem is None:
        return None, ""
    return stability_limit(problem, experiment.rule), "" if problem.unique else " of one minimum"


def _cells(values: Floats) -> tuple[Floats, Sequence[int]]:
    """Return the places along an axis, and for each value the index of its place or bin."""
    own, where = np.unique(values, return_inverse=True)
    if own.size <= MOST_CELLS and own.size <= values.size / 2:
        return own, where.tolist()
    log = _is_log(own)
    scaled = np.log(values) if log else values
    edges = np.linspace(scaled.min(), scaled.max(), BINS + 1)
    middles = (edges[1:] + edges[:-1]) / 2
    places = np.clip(np.searchsorted(edges, scaled, side="right") - 1, 0, BINS - 1)
    return (np.exp(middles) if log else middles), places.tolist()


def _is_log(values: Floats) -> bool:
    return bool(values.min() > 0 and values.max() > 10 * values.min())
