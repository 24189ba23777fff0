"""Render pictures as PNG files with matplotlib."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from gdexp.comparison.figure_model import (
    CONTOUR_COLOURS,
    MOST_WRITTEN_NUMBERS,
    Chart,
    Images,
    Picture,
    Series,
    Surface,
)
from gdexp.display import empty_figure, figure_with_axes, is_light, png

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

MARKERS = {"circle": "o", "triangle": "^", "square": "s", "cross": "x"}
LEGEND_BELOW = (0.5, -0.14)


def render_png(picture: Picture) -> bytes:
    """Return a picture as the bytes of a PNG file; equal pictures give equal bytes."""
    return png(matplotlib_figure(picture))


def matplotlib_figure(picture: Picture) -> Figure:
    """Return a picture as a figure of matplotlib's, made without its global state."""
    if isinstance(picture, Chart):
        return _chart(picture)
    if isinstance(picture, Surface):
        return _surface(picture)
    return _images(picture)


def _chart(chart: Chart) -> Figure:
    figure, axes = figure_with_axes(7.2, 4.4)
    for place, series in enumerate(chart.series):
        _draw(axes, series, above=1 - place / len(chart.series))
    axes.set_xscale("log" if chart.x_log else "linear")
    axes.set_yscale("log" if chart.y_log else "linear")
    x, y = (np.concatenate(each) for each in zip(*((s.x, s.y) for s in chart.series), strict=True))
    _set_ticks(axes.xaxis, x, chart.x_log, chart.x_whole)
    _set_ticks(axes.yaxis, y, chart.y_log, chart.y_whole)
    if chart.share:
        axes.set_ylim(0, 1.02)
    if chart.falling:
        axes.invert_xaxis()
    _set_texts(axes, chart)
    named = [each for each in chart.series if each.legend]
    if named:
        below = len(named) > 3 or max(len(each.name) for each in named) > 40
        if below:
            axes.legend(frameon=False, fontsize=8, loc="upper center", bbox_to_anchor=LEGEND_BELOW)
        else:
            axes.legend(frameon=False, fontsize=8)
    return figure


def _draw(axes: Axes, series: Series, above: float = 0.0) -> None:
    """Draw one series; of several the one with the largest `above`, below 1, is on top."""
    name = _escape_text(series.name) if series.legend else "_"
    shared: dict[str, Any] = {"color": series.colour, "label": name}
    if series.kind == "points":
        marker = MARKERS[series.marker]
        axes.scatter(
            series.x, series.y, marker=marker, s=24, alpha=0.75, zorder=3 + above, **shared
        )
        return
    if series.low is not None and series.high is not None:
        axes.fill_between(
            series.x,
            series.low,
            series.high,
            color=series.colour,
            alpha=0.2,
            linewidth=0,
            step="post" if series.kind == "steps" else None,
        )
    if series.kind == "dashes":
        axes.plot(series.x, series.y, linestyle="--", linewidth=1.2, zorder=1, **shared)
        return
    axes.plot(
        series.x,
        series.y,
        drawstyle="steps-post" if series.kind == "steps" else "default",
        linewidth=2.4 if series.bold else 1.3,
        alpha=1.0 if series.bold or series.legend else 0.5,
        zorder=2 + above,
        marker="o" if len(series.x) <= 12 and series.kind == "line" else None,
        markersize=4,
        **shared,
    )


def _surface(surface: Surface) -> Figure:
    from matplotlib.colors import LinearSegmentedColormap, LogNorm, Normalize

    figure, axes = figure_with_axes(6.8, 4.8)
    axes.grid(visible=False)
    known = surface.z[np.isfinite(surface.z)]
    norm = LogNorm if surface.z_log else Normalize
    colours = norm(float(known.min()), float(known.max()))
    if surface.contours:
        levels = np.geomspace(known.min(), known.max(), 24)
        drawn: Any = axes.contourf(
            surface.x,
            surface.y,
            surface.z,
            levels=levels,
            norm=colours,
            cmap=LinearSegmentedColormap.from_list("heights", CONTOUR_COLOURS),
        )
    else:
        drawn = axes.pcolormesh(
            _edges(surface.x, surface.x_log),
            _edges(surface.y, surface.y_log),
            surface.z,
            norm=colours,
            cmap="viridis_r",
        )
    axes.set_xscale("log" if surface.x_log else "linear")
    axes.set_yscale("log" if surface.y_log else "linear")
    bar = figure.colorbar(drawn, ax=axes, label=surface.z_label)
    if surface.z_log:
        _set_ticks(bar.ax.yaxis, known, log=True)
    for series in surface.series:
        _draw(axes, series)
    if surface.series:
        axes.legend(frameon=False, fontsize=8, loc="upper center", bbox_to_anchor=LEGEND_BELOW)
    _set_texts(axes, surface)
    return figure


def _images(images: Images) -> Figure:
    figure = empty_figure(2.7 * len(images.panels), 2.9)
    low, high = images.value_range()
    for i, (name, panel) in enumerate(images.panels):
        axes = figure.add_subplot(1, len(images.panels), i + 1)
        drawn = axes.imshow(panel, cmap="viridis", aspect="auto", vmin=low, vmax=high)
        axes.set_title(_escape_text(name).replace(" (", "\n("), fontsize=8)
        axes.set_xticks([])
        axes.set_yticks([])
        if panel.size <= MOST_WRITTEN_NUMBERS:
            colours = drawn.to_rgba(panel)
            for (row, column), value in np.ndenumerate(panel):
                light = is_light(colours[row, column, :3]) or not np.isfinite(value)
                colour = "black" if light else "white"
                axes.text(column, row, f"{value:.3g}", ha="center", va="center", color=colour)
        if i == len(images.panels) - 1:
            figure.colorbar(drawn, ax=axes, fraction=0.06)
    return figure


def _set_texts(axes: Axes, picture: Chart | Surface) -> None:
    axes.set_title(_escape_text(picture.title), fontsize=11)
    axes.set_xlabel(_escape_text(picture.x_label))
    axes.set_ylabel(_escape_text(picture.y_label))


def _set_ticks(
    axis: Any,  # noqa: ANN401
    values: np.ndarray[Any, Any],
    log: bool,
    whole: bool = False,
) -> None:
    """Set the ticks: of counts whole numbers; of a log axis powers of ten, or 1, 2 and 5."""
    from matplotlib.ticker import FuncFormatter, LogLocator, MaxNLocator, NullFormatter

    if not log:
        if whole:
            axis.set_major_locator(MaxNLocator(integer=True))
        return
    known = values[np.isfinite(values) & (values > 0)]
    if not known.size:
        return
    if known.max() >= 100 * known.min():
        axis.set_major_locator(LogLocator())
    else:
        axis.set_major_locator(LogLocator(subs=(1.0, 2.0, 5.0)))
        axis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:,.12g}"))
    axis.set_minor_formatter(NullFormatter())


def _escape_text(text: str) -> str:
    """Escape a text for matplotlib.

    Matplotlib reads text between two dollars as mathematics, and leaves a name that begins with
    an underscore out of the legend.
    """
    escaped = text.replace("$", r"\$")
    return f" {escaped}" if escaped.startswith("_") else escaped


def _edges(middles: np.ndarray[Any, Any], log: bool) -> np.ndarray[Any, Any]:
    """Return the edges of cells from their middles."""
    places = np.log(middles) if log else middles
    if places.size == 1:
        edges = np.array([places[0] - 0.5, places[0] + 0.5])
    else:
        inner = (places[1:] + places[:-1]) / 2
        edges = np.array([2 * places[0] - inner[0], *inner, 2 * places[-1] - inner[-1]])
    return np.exp(edges) if log else edges
