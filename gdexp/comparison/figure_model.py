"""Pictures as plain data: one description for the PNG file and for the interactive chart."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float64]

PALETTE = (
    "#3b82f6", "#ea580c", "#059669", "#c026d3", "#ca8a04", "#0891b2", "#dc2626", "#7c3aed",
    "#65a30d", "#db2777",
)  # fmt: skip
"""Distinguishable on white and on black, also by most colour-blind people."""

MOST_NAMED = len(PALETTE)
"""Curves of a chart that have a colour and a name; all others are grey."""

CONTOUR_COLOURS = ("#f4f5f7", "#7d8590")
"""The colours of the lowest and highest contour, light enough for paths on top."""

MOST_WRITTEN_NUMBERS = 36
"""The numbers of an image are written into its cells if there are at most so many."""

GREY = "#8b93a1"
THRESHOLD = "#e11d48"


@dataclass(frozen=True)
class Series:
    """One curve or one cloud of points.

    Attributes:
        name: shown in the legend and on hover.
        x, y: shape (n,); NaN leaves a gap.
        kind: line, steps, points, or dashes (for a level that is not data, such as a threshold).
        colour: as #rrggbb.
        marker: the marker of points: circle, triangle, square or cross.
        bold: whether it is drawn thicker and above the others.
        legend: whether the legend lists it.
        low, high: the edges of a band around a line, shape (n,); None: no band.
        notes: the hover text of each point; empty: only its numbers.
    """

    name: str
    x: Floats
    y: Floats
    kind: str = "line"
    colour: str = PALETTE[0]
    marker: str = "circle"
    bold: bool = False
    legend: bool = True
    low: Floats | None = None
    high: Floats | None = None
    notes: Sequence[str] = ()


@dataclass(frozen=True)
class Chart:
    """Curves on one pair of axes.

    Attributes:
        name: the file name without suffix.
        title: one line.
        note: a sentence that helps to read the chart; may be empty.
        falling: whether the x axis runs from large to small.
        x_whole, y_whole: whether every value is a count, so that ticks are whole numbers.
        share: whether y is a share, drawn from 0 to 1.
    """

    name: str
    title: str
    x_label: str
    y_label: str
    series: Sequence[Series]
    x_log: bool = False
    y_log: bool = False
    falling: bool = False
    x_whole: bool = False
    y_whole: bool = False
    note: str = ""
    share: bool = False


@dataclass(frozen=True)
class Surface:
    """A quantity over two others: a heat map, or contours with paths.

    Attributes:
        x, y: the coordinates of columns and rows, shapes (m,) and (n,).
        z: the quantity, shape (n, m); NaN: unknown.
        z_label: its name.
        z_log: whether the colour scale is logarithmic.
        contours: whether contour lines are drawn instead of cells.
        series: the curves on top.
    """

    name: str
    title: str
    x_label: str
    y_label: str
    x: Floats
    y: Floats
    z: Floats
    z_label: str
    x_log: bool = False
    y_log: bool = False
    z_log: bool = True
    contours: bool = False
    series: Sequence[Series] = ()
    note: str = ""


@dataclass(frozen=True)
class Images:
    """Matrices side by side on one colour scale.

    Attributes:
        panels: the heading and the matrix of each.
    """

    name: str
    title: str
    panels: Sequence[tuple[str, Floats]]
    note: str = ""

    def value_range(self) -> tuple[float, float]:
        """Return the smallest and the largest finite number of all panels; 0 and 1 if none."""
        numbers = np.concatenate([panel.ravel() for _, panel in self.panels])
        finite = numbers[np.isfinite(numbers)]
        return (float(finite.min()), float(finite.max())) if finite.size else (0.0, 1.0)


Picture = Chart | Surface | Images
