"""Figures of a single run, as PNG files by name."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

import numpy as np

from gdexp.descent import Result
from gdexp.display import BLUE, GREY, ORANGE, empty_figure, figure_with_axes, png
from gdexp.experiment.experiment import Experiment
from gdexp.problems import Curve, Problem

if TYPE_CHECKING:
    from matplotlib.figure import Figure

MOST_POINTS = 20_000

MOST_DRAWN = 2**20
"""Numbers of a tensor that are drawn as an image; of more the image would hold copies."""


def pictures(experiment: Experiment, result: Result) -> Mapping[str, bytes]:
    """Draw the pictures of one run: its losses, and its final x as an image or a curve."""
    drawn = {"loss.png": png(loss_figure(result))}
    curve = experiment.problem.to(result.final.dtype, result.final.device).curve(result.final)
    if curve is not None:
        drawn["curve.png"] = png(curve_figure(curve, result))
    elif not left_out(experiment, result):
        drawn["final.png"] = png(tensor_figure(experiment, result))
    return drawn


def left_out(experiment: Experiment, result: Result) -> str:
    """Return which picture is left out because it would be too large, and why; else nothing."""
    numbers = result.final.numel()
    if numbers <= MOST_DRAWN or type(experiment.problem).curve is not Problem.curve:
        return ""
    return f"final.png: {numbers:,} numbers are more than the {MOST_DRAWN:,} that are drawn"


def loss_figure(result: Result) -> Figure:
    """Draw the loss gap over iterations on a log axis, with the threshold."""
    figure, axes = figure_with_axes(6.4, 3.6)
    steps = np.unique(np.linspace(0, result.updates, MOST_POINTS).astype(int))
    gaps = result.trace[steps] - result.f_star
    absolute = result.stopping.absolute
    seen = np.isfinite(gaps) & (absolute | (gaps > 0))
    name = "loss" if absolute else "loss - f*"
    axes.plot(steps[seen], gaps[seen], color=BLUE, linewidth=1.5, label=name)
    axes.axhline(result.threshold, color=ORANGE, linestyle="--", label="threshold")
    axes.set_yscale("linear" if absolute else "log")
    axes.set_xlabel("iteration")
    axes.set_ylabel(name)
    axes.set_title(f"{result.problem}: {result.status} after {result.iterations:,} iterations")
    axes.legend(frameon=False)
    return figure


def tensor_figure(experiment: Experiment, result: Result) -> Figure:
    """Draw the final tensor, its target and their difference as images."""
    panels = [("final x", _image(result.final.double().numpy()))]
    target = experiment.problem.target
    if target is not None:
        wanted = _image(target.double().cpu().numpy())
        panels += [("target", wanted), ("final x - target", panels[0][1] - wanted)]
    figure = empty_figure(3.0 * len(panels), 3.0)
    shown = np.concatenate([panel.ravel() for name, panel in panels if "-" not in name])
    finite = shown[np.isfinite(shown)]
    low, high = (float(finite.min()), float(finite.max())) if finite.size else (0.0, 1.0)
    for i, (name, panel) in enumerate(panels):
        axes = figure.add_subplot(1, len(panels), i + 1)
        own = "-" in name  # a difference has a scale of its own
        image = axes.imshow(
            panel,
            cmap="viridis",
            aspect="auto",
            vmin=None if own else low,
            vmax=None if own else high,
        )
        axes.set_title(name, fontsize=10)
        axes.set_xticks([])
        axes.set_yticks([])
        figure.colorbar(image, ax=axes, fraction=0.046)
        if panel.size <= 36:
            for (row, column), value in np.ndenumerate(panel):
                axes.text(column, row, f"{value:.3g}", ha="center", va="center", color="white")
    return figure


def curve_figure(curve: Curve, result: Result) -> Figure:
    """Draw the fitted function over the wanted one."""
    figure, axes = figure_with_axes(6.4, 3.6)
    # Doubles, because NumPy has no bfloat16.
    grid, wanted, fitted = (v.double().cpu() for v in (curve.grid, curve.wanted, curve.fitted))
    axes.plot(grid, wanted, color=GREY, linewidth=4, alpha=0.5, label="wanted")
    axes.plot(grid, fitted, color=BLUE, linewidth=1.5, label="fitted")
    axes.set_xlabel("t")
    axes.set_title(f"after {result.iterations:,} iterations, loss {result.final_loss:.3g}")
    axes.legend(frameon=False)
    return figure


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
