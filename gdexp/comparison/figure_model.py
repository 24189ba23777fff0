"""Pictures as plain data, so that one description becomes a PNG file and an interactive chart."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float64]

PALETTE = (
    "#3b82f6", "#ea580c", "#059669", "#c026d3", "#ca8a04", "#0891b2", "#dc2626", "#7c3aed",
)  # fmt: skip
"""Told apart on white and on black, by most colour-blind people too."""

HEIGHTS = ("#f4f5f7", "#7d8590")
"""Low and high under paths, light enough to see them."""

GREY = "#8b93a1"
THRESHOLD = "#e11d48"


@dataclass(frozen=True)
class Series:
    """One curve or one cloud of points.

    Attributes:
        name: in the legend and when pointed at.
        x, y: shape (n,); NaN leaves a gap.
        kind: line, steps, points, or dashes (a line that is no data, such as a threshold).
        colour: as #rrggbb.
        marker: of points: circle, triangle, square or cross.
        bold: drawn thicker and above the others.
        legend: whether it is listed.
        low, high: the edges of a band around a line, shape (n,); None: no band.
        notes: said of each point when pointed at; empty: only its numbers.
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
class Scale:
    """What the colours of a chart's lines mean.

    Attributes:
        label: of the quantity.
        low, high: its range.
        log: whether colours go by its logarithm.
    """

    label: str
    low: float
    high: float
    log: bool


@dataclass(frozen=True)
class Chart:
    """Curves over one pair of axes.

    Attributes:
        name: file name without ending.
        title: one line that says what is seen.
        note: what to know before it is read; may be empty.
        falling: whether the x axis runs from large to small.
        scale: the colours' meaning, when they stand for a number.
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
    note: str = ""
    scale: Scale | None = None
    share: bool = False


@dataclass(frozen=True)
class Surface:
    """A quantity over two others: a heat map, or contours with paths on them.

    Attributes:
        x, y: the places of columns and rows, shapes (m,) and (n,).
        z: shape (n, m); NaN where nothing is known.
        z_label: of the quantity.
        z_log: whether colours go by its logarithm.
        contours: drawn as contour lines instead of cells.
        series: drawn on top.
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
    """Tensors side by side on one scale.

    Attributes:
        panels: a heading and rows and columns of numbers for each.
    """

    name: str
    title: str
    panels: Sequence[tuple[str, Floats]]
    note: str = ""


Picture = Chart | Surface | Images
