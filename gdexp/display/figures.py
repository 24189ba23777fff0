"""Figures in gdexp's plain style, drawn without a window system, and their PNG bytes."""

from __future__ import annotations

import io
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure


BLUE, ORANGE, GREY = "#2563eb", "#ea580c", "#6b7280"


def png(figure: Figure) -> bytes:
    """A figure as a PNG file's bytes, without the date, so that equal pictures are equal."""
    buffer = io.BytesIO()
    figure.savefig(buffer, format="png", dpi=110, metadata={"Software": None})
    return buffer.getvalue()


def empty_figure(width: float, height: float) -> Figure:
    """A figure, in inches, that belongs to no window system and no global state."""
    from matplotlib.figure import Figure

    return Figure(figsize=(width, height), layout="constrained")


def figure_with_axes(width: float, height: float) -> tuple[Figure, Axes]:
    """The same with one pair of axes in gdexp's plain style."""
    figure = empty_figure(width, height)
    axes = figure.add_subplot(1, 1, 1)
    axes.spines[["top", "right"]].set_visible(False)
    axes.grid(visible=True, alpha=0.25)
    return figure, axes
