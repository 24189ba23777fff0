"""Pictures as the data and layout of plotly.js, in plain dictionaries."""

from __future__ import annotations

import html
import math
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from gdexp.comparison.figure_model import (
    CONTOUR_COLOURS,
    MOST_WRITTEN_NUMBERS,
    Chart,
    Floats,
    Images,
    Picture,
    Series,
    Surface,
)

MARKERS = {
    "circle": "circle",
    "triangle": "triangle-up",
    "square": "square",
    "cross": "x-thin-open",
}
DIGITS = 6

FEW_COUNTS = 8
"""Plotly has ticks between whole numbers on an axis that is not longer."""


def plotly_json(picture: Picture) -> list[dict[str, Any]]:
    """Return `data` and `layout` for `Plotly.newPlot`, escaped; images give one for each panel."""
    if isinstance(picture, Chart):
        return [_chart(picture)]
    if isinstance(picture, Surface):
        return [_surface(picture)]
    return _images(picture)


def plotly_figure(picture: Chart | Surface) -> Any:  # noqa: ANN401
    """Return a picture as a figure of plotly's, with its title."""
    from plotly import graph_objects

    (made,) = plotly_json(picture)
    title = {"text": html.escape(picture.title)}
    layout = {**made["layout"], "title": title, "template": "plotly_white"}
    layout["margin"] = {**layout["margin"], "t": 64}
    return graph_objects.Figure(data=made["data"], layout=layout)


def _chart(chart: Chart) -> dict[str, Any]:
    above = len(chart.series)
    data = [
        {**trace, "zorder": above - place}  # the first, the best, is above the others
        for place, series in enumerate(chart.series)
        for trace in _traces(series)
    ]
    x, y = [series.x for series in chart.series], [series.y for series in chart.series]
    x_axis = _axis(chart.x_label, chart.x_log, *x, whole=chart.x_whole)
    y_axis = _axis(chart.y_label, chart.y_log, *y, whole=chart.y_whole)
    if chart.share:
        y_axis["range"] = [0, 1.02]
    if chart.falling:
        x_axis["autorange"] = "reversed"
    rows = sum(series.legend for series in chart.series)
    layout = {
        "xaxis": x_axis,
        "yaxis": y_axis,
        "showlegend": rows > 0,
        "legend": {"orientation": "h", "y": -0.25, "yanchor": "top", "x": 0},
        "hovermode": "closest",
        "height": 420 + 18 * min(rows, 12),
        "margin": {"l": 64, "r": 16, "t": 36, "b": 56},
    }
    return {"data": data, "layout": layout}


def _traces(series: Series) -> list[dict[str, Any]]:
    name = html.escape(series.name)
    trace: dict[str, Any] = {
        "type": "scatter",
        "name": name,
        "x": json_numbers(series.x),
        "y": json_numbers(series.y),
        "showlegend": series.legend,
        "hovertemplate": f"{name}<br>%{{x:.6g}}, %{{y:.6g}}<extra></extra>",
    }
    if series.kind == "points":
        trace |= {
            "mode": "markers",
            "marker": {
                "symbol": MARKERS[series.marker],
                "color": series.colour,
                "size": 8,
                "opacity": 0.8,
                "line": {"color": series.colour, "width": 1.5},
            },
        }
        if series.notes:
            trace["text"] = [html.escape(note) for note in series.notes]
            trace["hovertemplate"] = "%{text}<br>%{x:.6g}, %{y:.6g}<extra></extra>"
        return [trace]
    few = len(series.x) <= 12 and series.kind == "line"
    trace |= {
        "mode": "lines+markers" if few else "lines",
        "line": {
            "color": series.colour,
            "width": 3 if series.bold else 1.5,
            "dash": "dash" if series.kind == "dashes" else "solid",
            "shape": "hv" if series.kind == "steps" else "linear",
        },
        "opacity": 1 if series.bold or series.legend else 0.75,
    }
    if series.low is None or series.high is None:
        return [trace]
    edge = {
        "type": "scatter",
        "x": trace["x"],
        "mode": "lines",
        "line": {"width": 0, "color": series.colour, "shape": trace["line"]["shape"]},
        "showlegend": False,
        "hoverinfo": "skip",
    }
    # Plotly fills down to the previous trace, so the lower edge comes first.
    filled = {"fill": "tonexty", "fillcolor": _band_colour(series.colour)}
    return [
        {**edge, "y": json_numbers(series.low)},
        {**edge, "y": json_numbers(series.high), **filled},
        trace,
    ]


def _surface(surface: Surface) -> dict[str, Any]:
    values = np.log10(surface.z) if surface.z_log else surface.z
    heat: dict[str, Any] = {
        "type": "contour" if surface.contours else "heatmap",
        "x": json_numbers(surface.x),
        "y": json_numbers(surface.y),
        "z": [json_numbers(row) for row in values],
        "text": [[f"{v:.6g}" for v in row] for row in surface.z],
        "hovertemplate": "%{x:.6g}, %{y:.6g}<br>"
        + html.escape(surface.z_label)
        + " %{text}<extra></extra>",
        "colorscale": [[0, CONTOUR_COLOURS[0]], [1, CONTOUR_COLOURS[1]]]
        if surface.contours
        else "Viridis",
        "reversescale": not surface.contours,
        "colorbar": _ticks(values, surface.z_label)
        if surface.z_log
        else {"title": {"text": html.escape(surface.z_label)}, "thickness": 12},
    }
    if surface.contours:
        heat |= {"ncontours": 24, "line": {"width": 0.5}, "opacity": 0.85}
    data = [heat, *(trace for series in surface.series for trace in _traces(series))]
    rows = len(surface.series)
    layout = {
        "xaxis": _axis(surface.x_label, surface.x_log, surface.x),
        "yaxis": _axis(surface.y_label, surface.y_log, surface.y),
        "showlegend": rows > 0,
        "legend": {"orientation": "h", "y": -0.25, "yanchor": "top", "x": 0},
        "height": 440 + 18 * min(rows, 12),
        "margin": {"l": 64, "r": 16, "t": 36, "b": 56},
    }
    return {"data": data, "layout": layout}


def _images(images: Images) -> list[dict[str, Any]]:
    low, high = images.value_range()
    hidden = {"visible": False}
    return [
        {
            "data": [
                {
                    "type": "heatmap",
                    "z": [json_numbers(row) for row in panel],
                    "zmin": low,
                    "zmax": high,
                    "colorscale": "Viridis",
                    "colorbar": {"thickness": 10},
                    "hovertemplate": "%{z:.6g}<extra></extra>",
                    "texttemplate": "%{z:.3g}" if panel.size <= MOST_WRITTEN_NUMBERS else "",
                }
            ],
            "layout": {
                "xaxis": hidden,
                "yaxis": {**hidden, "autorange": "reversed"},
                "height": 230,
                "margin": {"l": 0, "r": 0, "t": 8, "b": 0},
            },
        }
        for _, panel in images.panels
    ]


def json_numbers(values: Sequence[float] | np.ndarray[Any, Any]) -> list[float | None]:
    """Return numbers for JSON, with six digits; None for those that are not finite."""
    return [float(f"{v:.{DIGITS}g}") if math.isfinite(v) else None for v in map(float, values)]


def _axis(label: str, log: bool, *values: Floats, whole: bool = False) -> dict[str, Any]:
    axis: dict[str, Any] = {
        "title": {"text": html.escape(label)},
        "type": "log" if log else "linear",
        "exponentformat": "power",
    }
    known = np.concatenate(values) if values else np.empty(0)
    known = known[np.isfinite(known)]
    if log and (known > 0).any():
        known = known[known > 0]
        # Powers of ten on long axes, 1, 2 and 5 on short ones; plotly's default has more ticks.
        decades = math.log10(known.max() / known.min())
        axis |= (
            _log_ticks(math.log10(known.min()), math.log10(known.max()), place=lambda mark: mark)
            if decades < 2
            else {"dtick": max(1, round(decades / 8))}
        )
    elif whole and known.size and known.max() - known.min() <= FEW_COUNTS:
        axis["dtick"] = 1
    return axis


def _ticks(logs: np.ndarray[Any, Any], label: str) -> dict[str, Any]:
    """Return a colour bar over decimal logarithms, labelled with the numbers themselves."""
    return {
        "title": {"text": html.escape(label), "side": "right"},
        "thickness": 12,
        **_log_ticks(float(np.nanmin(logs)), float(np.nanmax(logs)), place=math.log10),
    }


def _log_ticks(low: float, high: float, place: Callable[[float], float]) -> dict[str, Any]:
    """Return ticks at powers of ten, on a short axis at 1, 2 and 5 times them too.

    Args:
        low: the decimal logarithm of the smallest number.
        high: that of the largest.
        place: where on the axis a number is.
    """
    steps = (1, 2, 5) if high - low < 3 else (1,)
    marks = [
        s * 10.0**k
        for k in range(math.floor(low), math.ceil(high) + 1)
        for s in steps
        if low <= math.log10(s) + k <= high
    ]
    while len(marks) > 10:
        marks = marks[::2]
    if len(marks) < 2:
        marks = [10**low, 10**high]
    return {
        "tickvals": [place(mark) for mark in marks],
        "ticktext": [f"{mark:,.3g}" if mark < 1e3 else f"{mark:,.0f}" for mark in marks],
    }


def _band_colour(colour: str) -> str:
    red, green, blue = (int(colour[i : i + 2], 16) for i in (1, 3, 5))
    return f"rgba({red},{green},{blue},0.2)"
