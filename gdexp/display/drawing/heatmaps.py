"""Arrays as coloured images side by side, each with its scale of colours."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from gdexp.display.drawing.canvas import BLACK, Canvas, Point, points, text_size
from gdexp.display.drawing.chart import shortened
from gdexp.display.drawing.scale import Scale
from gdexp.display.figures import is_light

VIRIDIS = (
    "440154 48186a 472d7b 424086 3b528b 33638d 2c728e 26828e 21918c 1fa088 28ae80 3fbc73 5ec962 "
    "84d44b addc30 d8e219 fde725"
)
"""Colours of the scale from its low to its high end, equally spaced."""

MOST_LABELLED = 36
"""Numbers of an array that are written into its image."""


@dataclass(frozen=True)
class Panel:
    """One image.

    Attributes:
        title: above it.
        values: rows and columns.
        range: the values of the first and the last colour; None: the smallest and the largest.
    """

    title: str
    values: npt.NDArray[np.float64]
    range: tuple[float, float] | None = None


def heatmaps_png(panels: Sequence[Panel], side: float = 3.0) -> bytes:
    """Return arrays drawn side by side as the bytes of a PNG file.

    Args:
        panels: the images, from left to right.
        side: width and height of one, in inches.
    """
    canvas = Canvas(side * len(panels), side)
    width = canvas.width / len(panels)
    for at, panel in enumerate(panels):
        _draw(canvas, panel, at * width, width)
    return canvas.png()


def _draw(canvas: Canvas, panel: Panel, left: float, width: float) -> None:
    from PIL import Image

    low, high = _range(panel)
    line, gap = text_size("0")[1], points(6)
    scale = Scale(low, high)
    ticks = [(at, label) for at, label in scale.ticks() if 0 <= at <= 1]
    widest = max((text_size(label)[0] for _, label in ticks), default=0.0)
    bar = points(9)
    x, y = left + gap, 1.7 * line
    across = width - 4 * gap - bar - widest
    down = canvas.height - y - gap
    colours = _colours(panel.values, low, high)
    image = Image.fromarray(colours)
    canvas.paste(image, (x, y), across, down)
    _frame(canvas, (x, y), across, down)
    title = shortened(panel.title, 10, width - gap)
    canvas.text(title, (x + across / 2, 0.95 * line))
    if panel.values.size <= MOST_LABELLED:
        rows, columns = panel.values.shape
        for (row, column), value in np.ndenumerate(panel.values):
            at = (x + (column + 0.5) * across / columns, y + (row + 0.5) * down / rows)
            light = is_light(colours[row, column] / 255)
            number = f"{value:.3g}"
            size = min(10.0, 10 * 0.9 * across / columns / text_size(number)[0])
            canvas.text(number, at, size, BLACK if light else "#ffffff")
    beside = x + across + gap
    levels = np.linspace(high, low, 256).reshape(-1, 1)
    canvas.paste(Image.fromarray(_colours(levels, low, high)), (beside, y), bar, down)
    _frame(canvas, (beside, y), bar, down)
    for place, label in ticks:
        up = y + down * (1 - place)
        canvas.line([(beside + bar, up), (beside + bar + gap / 2, up)], BLACK, points(0.8))
        canvas.text(label, (beside + bar + gap, up), 10, BLACK, "lm")


def _frame(canvas: Canvas, corner: Point, width: float, height: float) -> None:
    x, y = corner
    corners = [(x, y), (x + width, y), (x + width, y + height), (x, y + height), (x, y)]
    canvas.line(corners, BLACK, points(0.8))


def _range(panel: Panel) -> tuple[float, float]:
    low, high = panel.range or (np.nan, np.nan)
    if panel.range is None:
        finite = panel.values[np.isfinite(panel.values)]
        low, high = (float(finite.min()), float(finite.max())) if finite.size else (0.0, 1.0)
    if high - low <= 1e-12 * max(abs(low), abs(high)):
        spare = 0.05 * abs(high) or 0.05
        low, high = low - spare, high + spare
    return low, high


def _colours(values: npt.NDArray[np.float64], low: float, high: float) -> npt.NDArray[np.uint8]:
    """Return red, green and blue of each value; white where it is not a finite number."""
    stops = np.array([list(bytes.fromhex(each)) for each in VIRIDIS.split()], dtype=float)
    at = np.linspace(0, 255, len(stops))
    steps = np.arange(256)
    table: Any = np.stack([np.interp(steps, at, stops[:, i]) for i in range(3)], axis=1)
    table = np.vstack([table.round(), [[255, 255, 255]]]).astype(np.uint8)
    with np.errstate(invalid="ignore", over="ignore"):
        part = np.clip((values - low) / (high - low), 0, 1) * 255
    index = np.where(np.isfinite(values), np.nan_to_num(part).round(), 256).astype(np.int64)
    colours: npt.NDArray[np.uint8] = table[index]
    return colours
