"""HTML for notebooks: facts, tables and pictures, without scripts and without other files."""

from __future__ import annotations

import base64
import html
from collections.abc import Iterable, Sequence

import numpy as np
import numpy.typing as npt

from gdexp.core import format_value
from gdexp.display.drawing import Chart
from gdexp.display.figures import BLUE, ORANGE

Floats = npt.NDArray[np.float64]

MOST_POINTS = 2_000
"""The most points of a curve that are drawn."""


def facts(pairs: Iterable[tuple[str, str]]) -> str:
    """Return names with their values, one pair on a line."""
    rows = "".join(
        f"<tr><th style='text-align:left'>{_escaped(name)}</th>"
        f"<td style='text-align:left'>{_escaped(value)}</td></tr>"
        for name, value in pairs
    )
    return f"<table>{rows}</table>"


def table(headings: Sequence[object], rows: Sequence[Sequence[object]], most: int = 10) -> str:
    """Return a table of the first rows, and how many there are.

    Args:
        headings: of the columns.
        rows: the cells; None is an empty one.
        most: rows that are shown.
    """
    head = "".join(f"<th>{_escaped(each)}</th>" for each in headings)
    body = "".join(
        "<tr>" + "".join(f"<td>{_cell(each)}</td>" for each in row) + "</tr>" for row in rows[:most]
    )
    left = len(rows) - most
    more = f"<p>and {left:,} more</p>" if left > 0 else ""
    return f"<table><thead><tr>{head}</tr></thead><tbody>{body}</tbody></table>{more}"


def image(png: bytes, alt: str) -> str:
    """Return a picture.

    Args:
        png: its bytes.
        alt: what it shows.
    """
    data = base64.b64encode(png).decode()
    style = "max-width:640px;background:white"
    return f"<img alt='{_escaped(alt)}' style='{style}' src='data:image/png;base64,{data}'>"


def curve(values: Floats, name: str, log: bool, level: float | None = None) -> str:
    """Return a picture of values by iteration; nothing where there is none to draw.

    Args:
        values: at iterations 0 … n.
        name: of the values.
        log: whether their axis is logarithmic; then those above 0 are drawn.
        level: of a threshold; None: none.
    """
    chart = Chart(6.4, 3.2, x_label="iteration", y_label=name, y_log=log)
    if not draw(chart, values, BLUE, log):
        return ""
    if level is not None:
        chart.level(level, ORANGE, "threshold")
    return image(chart.png(), f"{name} by iteration")


def draw(chart: Chart, values: Floats, colour: str, log: bool) -> bool:
    """Draw values by iteration, thinned out; return whether there are any to draw.

    Args:
        chart: that is drawn on.
        values: at iterations 0 … n.
        colour: of the line.
        log: whether values of 0 and below are left out.
    """
    steps = np.unique(np.linspace(0, max(len(values) - 1, 0), MOST_POINTS).astype(int))
    chosen = values[steps] if len(values) else values
    seen = np.isfinite(chosen) & (~np.bool_(log) | (chosen > 0))
    if seen.sum() < 2:
        return False
    chart.line(steps[seen].tolist(), chosen[seen].tolist(), colour)
    return True


def heading(text: str) -> str:
    """Return a line in bold."""
    return f"<p><strong>{_escaped(text)}</strong></p>"


def _cell(value: object) -> str:
    missing = value is None or value != value
    return "" if missing else _escaped(format_value(value) if _is_float(value) else value)


def _is_float(value: object) -> bool:
    return isinstance(value, float)


def _escaped(value: object) -> str:
    return html.escape(str(value), quote=True)
