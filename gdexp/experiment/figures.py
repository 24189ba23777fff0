"""Figures of a single run, as PNG files by name."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from gdexp.core import format_count
from gdexp.descent import GRADIENT_NORM, LOSS, Result
from gdexp.display import BLUE, LIGHT_GREY, ORANGE, Chart, Panel, heatmaps_png
from gdexp.experiment.experiment import Experiment
from gdexp.problems import Curve, Problem

MOST_POINTS = 20_000

MOST_DRAWN = 2**20
"""Numbers of a tensor that are drawn as an image; of more the image would hold copies."""


def pictures(experiment: Experiment, result: Result) -> Mapping[str, bytes]:
    """Draw the pictures of one run: its losses, and its final x as an image or a curve."""
    drawn = {"loss.png": loss_png(result)} if len(result.trace) else {}
    if result.stopping.metric != LOSS or result.stopping.of_norm:
        drawn["metric.png"] = metric_png(result)
    function = experiment.function
    if function is None:
        return drawn
    curve = function.to(result.final.dtype, result.final.device).curve(result.final)
    if curve is not None:
        drawn["curve.png"] = curve_png(curve, result)
    elif not left_out(experiment, result):
        drawn["final.png"] = tensor_png(experiment, result)
    return drawn


def left_out(experiment: Experiment, result: Result) -> str:
    """Return which picture is left out because it would be too large, and why; else nothing."""
    numbers, function = result.final.numel(), experiment.function
    if function is None or numbers <= MOST_DRAWN or type(function).curve is not Problem.curve:
        return ""
    return f"final.png: {numbers:,} numbers are more than the {MOST_DRAWN:,} that are drawn"


def loss_png(result: Result) -> bytes:
    """Draw the loss gap over iterations on a log axis, with the threshold."""
    steps = np.unique(np.linspace(0, len(result.trace) - 1, MOST_POINTS).astype(int))
    gaps = result.trace[steps] - result.f_star
    of_loss = result.stopping.metric == LOSS
    absolute = result.stopping.absolute and of_loss
    seen = np.isfinite(gaps) & (absolute | (gaps > 0))
    name = "loss" if absolute else "loss - f*"
    chart = Chart(
        6.4,
        3.6,
        title=f"{result.problem}: {result.status} after {_steps(result)}",
        x_label="iteration",
        y_label=name,
        y_log=not absolute,
    )
    chart.line(steps[seen].tolist(), gaps[seen].tolist(), BLUE, label=name)
    if of_loss and result.stopping.has_threshold and not result.stopping.of_norm:
        chart.level(result.threshold, ORANGE, "threshold")
    return chart.png()


def metric_png(result: Result) -> bytes:
    """Draw the metric that ends a training, or the gradient norm, with the threshold."""
    of_norm = result.stopping.of_norm
    metric = GRADIENT_NORM if of_norm else result.stopping.metric
    readings = result.curve(metric)
    readings = readings[np.isfinite(readings[:, 1])]
    if of_norm:
        readings = readings[readings[:, 1] > 0]
        places = np.linspace(0, len(readings) - 1, min(MOST_POINTS, len(readings)))
        readings = readings[np.unique(places.astype(int))]
    name, step = ("gradient norm", "iteration") if of_norm else (metric, "update")
    title = f"{result.problem}: {result.status} after {_steps(result, step)}"
    chart = Chart(6.4, 3.6, title=title, x_label=step, y_label=name, y_log=of_norm)
    chart.line(readings[:, 0].tolist(), readings[:, 1].tolist(), BLUE, label=name)
    if result.stopping.has_threshold:
        chart.level(result.threshold, ORANGE, "threshold")
    return chart.png()


def tensor_png(experiment: Experiment, result: Result) -> bytes:
    """Draw the final tensor, its target and their difference as images."""
    found = {"final x": _image(result.final.double().numpy())}
    target = experiment.problem.target
    if target is not None:
        found["target"] = _image(target.double().cpu().numpy())
    shown = np.concatenate([values.ravel() for values in found.values()])
    finite = shown[np.isfinite(shown)]
    together = (float(finite.min()), float(finite.max())) if finite.size else (0.0, 1.0)
    panels = [Panel(name, values, together) for name, values in found.items()]
    if target is not None:  # a difference has a scale of its own
        panels.append(Panel("final x - target", found["final x"] - found["target"]))
    return heatmaps_png(panels)


def curve_png(curve: Curve, result: Result) -> bytes:
    """Draw the fitted function over the wanted one."""
    title = f"after {_steps(result)}, loss {result.final_loss:.3g}"
    chart = Chart(6.4, 3.6, title=title, x_label="t")
    # Doubles, because NumPy has no bfloat16.
    grid, wanted, fitted = (
        v.double().cpu().reshape(-1).tolist() for v in (curve.grid, curve.wanted, curve.fitted)
    )
    chart.line(grid, wanted, LIGHT_GREY, width=4, label="wanted")
    chart.line(grid, fitted, BLUE, label="fitted")
    return chart.png()


def _image(
    values: np.ndarray[tuple[int, ...], np.dtype[np.float64]],
) -> np.ndarray[tuple[int, ...], np.dtype[np.float64]]:
    """Return any tensor as rows and columns; a vector is one row, a long one several."""
    if values.ndim <= 1:
        flat = values.reshape(-1)
        columns = flat.size if flat.size <= 64 else int(np.ceil(np.sqrt(flat.size)))
        padded = np.full(-(-flat.size // columns) * columns, np.nan)
        padded[: flat.size] = flat
        return padded.reshape(-1, columns)
    return values.reshape(-1, values.shape[-1])


def _steps(result: Result, noun: str = "iteration") -> str:
    return format_count(result.iterations, noun)
