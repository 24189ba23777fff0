"""Figures in gdexp's style, drawn without a window system, and their PNG bytes."""

from __future__ import annotations

import io
from collections.abc import Iterable
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure


BLUE, ORANGE, GREY = "#2563eb", "#ea580c", "#6b7280"

LIGHT_BLUE, LIGHT_ORANGE, LIGHT_GREY = "#6692f1", "#f08a55", "#b5b9c0"
"""The same over white, where marks and lines lie on top of each other."""


def png(figure: Figure) -> bytes:
    """Return a figure as the bytes of a PNG file, without the date: equal figures, equal bytes."""
    buffer = io.BytesIO()
    figure.savefig(buffer, format="png", dpi=110, metadata={"Software": None})
    return buffer.getvalue()


def is_light(colour: Iterable[float]) -> bool:
    """Return whether black letters stand out from a colour more than white ones.

    Args:
        colour: red, green and blue, each from 0 to 1.

    Source: the relative luminance and the contrast ratio of WCAG 2.2, with the exponent 2.2.
    """
    luminance = sum(
        share * part**2.2 for share, part in zip((0.2126, 0.7152, 0.0722), colour, strict=True)
    )
    return bool(luminance + 0.05 > (1.05 * 0.05) ** 0.5)


def empty_figure(width: float, height: float) -> Figure:
    """Make a figure of this size in inches, without a window system or global state."""
    from matplotlib.figure import Figure

    return Figure(figsize=(width, height), layout="constrained")


def figure_with_axes(width: float, height: float) -> tuple[Figure, Axes]:
    """Make a figure with one pair of axes in gdexp's style."""
    figure = empty_figure(width, height)
    axes = figure.add_subplot(1, 1, 1)
    axes.spines[["top", "right"]].set_visible(False)
    axes.grid(visible=True, alpha=0.25)
    return figure, axes
