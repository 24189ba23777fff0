"""A chart: lines and marks over two axes, with title and legend."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from gdexp.display.drawing.canvas import BLACK, Canvas, Point, points, text_size
from gdexp.display.drawing.scale import Scale

GRID, SPINE = "#ebebeb", "#000000"

Shape = Callable[[Canvas, Point, float, str], None]
"""Draws one mark: on a canvas, at a place, with half its size, in a colour."""


@dataclass(frozen=True)
class _Series:
    """Values that belong together.

    Attributes:
        x: of each point.
        y: of each point.
        colour: `#rrggbb`.
        label: in the legend; empty: none.
        width: of the line in points; 0 draws none.
        dashed: whether the line is.
        marker: the name of the mark at each point; empty: none.
        size: of a mark, in points.
    """

    x: Sequence[float]
    y: Sequence[float]
    colour: str
    label: str
    width: float = 0.0
    dashed: bool = False
    marker: str = ""
    size: float = 5.0


class Chart:
    """A chart that is drawn when its PNG is asked for.

    Args:
        width: in inches.
        height: in inches.
        title: above it.
        x_label: below the horizontal axis.
        y_label: beside the vertical axis.
        x_log: whether the horizontal axis is logarithmic.
        y_log: whether the vertical axis is logarithmic.
        x_inverted: whether the largest x is at the left.
        y_floor: where the vertical axis begins; None: below the smallest y.
    """

    def __init__(
        self,
        width: float,
        height: float,
        title: str = "",
        x_label: str = "",
        y_label: str = "",
        x_log: bool = False,
        y_log: bool = False,
        x_inverted: bool = False,
        y_floor: float | None = None,
    ) -> None:
        self._size = width, height
        self._texts = _one_line(title), _one_line(x_label), _one_line(y_label)
        self._log, self._inverted, self._floor = (x_log, y_log), x_inverted, y_floor
        self._series: list[_Series] = []
        self._levels: list[_Series] = []

    def line(
        self,
        x: Sequence[float],
        y: Sequence[float],
        colour: str,
        width: float = 1.5,
        label: str = "",
        marker: str = "",
    ) -> None:
        """Add a line; on a log axis points that are not positive are left out."""
        self._series.append(_Series(x, y, colour, label, width, marker=marker))

    def steps(self, x: Sequence[float], y: Sequence[float], colour: str) -> None:
        """Add a line that keeps each y until the next x."""
        across = [each for value in x for each in (value, value)][1:]
        up = [each for value in y for each in (value, value)][:-1]
        self.line(across, up, colour)

    def level(self, y: float, colour: str, label: str) -> None:
        """Add a dashed horizontal line across the chart."""
        self._levels.append(_Series((), (y,), colour, label, 1.5, dashed=True))

    def marks(
        self,
        x: Sequence[float],
        y: Sequence[float],
        colour: str,
        marker: str = "o",
        size: float = 4.7,
        label: str = "",
    ) -> None:
        """Add a mark for each point: `o`, `x`, `s`, `^` or `v`."""
        self._series.append(_Series(x, y, colour, label, marker=marker, size=size))

    def png(self) -> bytes:
        """Return the chart as the bytes of a PNG file."""
        canvas = Canvas(*self._size)
        x = Scale.around(
            (value for each in self._series for value in each.x), self._log[0], self._inverted
        )
        shown = [*self._series, *self._levels]
        y = Scale.around(
            (value for each in shown for value in each.y), self._log[1], floor=self._floor
        )
        area = _Area(canvas, x, y, self._texts)
        for each in self._levels:
            height = area.place(0, each.y[0])[1]
            ends = [(area.left, height), (area.right, height)]
            canvas.line(ends, each.colour, points(each.width), dashed=True)
        places = [self._draw(canvas, area, each) for each in self._series]
        _legend(canvas, area, shown, [place for found in places for place in found])
        return canvas.png()

    def _draw(self, canvas: Canvas, area: _Area, series: _Series) -> list[Point]:
        """Draw one series; return the places of its points."""
        places = [
            area.place(x, y)
            for x, y in zip(series.x, series.y, strict=True)
            if _is_shown(x, self._log[0]) and _is_shown(y, self._log[1])
        ]
        if series.width and len(places) > 1:
            canvas.line(places, series.colour, points(series.width))
        if series.marker:
            for place in places:
                MARKS[series.marker](canvas, place, points(series.size) / 2, series.colour)
        return places


class _Area:
    """Where the data are drawn: inside the axes, which it draws with their labels."""

    def __init__(self, canvas: Canvas, x: Scale, y: Scale, texts: tuple[str, str, str]) -> None:
        self._x, self._y = x, y
        title, x_label, y_label = texts
        tick, line = points(3.5), text_size("0")[1]
        y_ticks, x_ticks = y.ticks(), x.ticks()
        widest = max((text_size(label)[0] for _, label in y_ticks), default=0.0)
        self.left = 2 * tick + widest + (1.3 * line if y_label else 0) + points(3)
        self.right = canvas.width - points(12)
        self.top = (1.8 if title else 0.5) * line
        self.bottom = canvas.height - 2 * tick - line - (1.1 * line if x_label else 0)
        taken = -math.inf
        for at, label in sorted(x_ticks):
            across = self.left + at * (self.right - self.left)
            canvas.line([(across, self.top), (across, self.bottom)], GRID, points(0.8))
            canvas.line([(across, self.bottom), (across, self.bottom + tick)], SPINE, points(0.8))
            half = text_size(label)[0] / 2
            if across - half > taken + points(8):  # labels never touch: one of them is left out
                canvas.text(label, (across, self.bottom + 1.7 * tick), anchor="mt")
                taken = across + half
        for at, label in y_ticks:
            up = self.bottom - at * (self.bottom - self.top)
            canvas.line([(self.left, up), (self.right, up)], GRID, points(0.8))
            canvas.line([(self.left - tick, up), (self.left, up)], SPINE, points(0.8))
            canvas.text(label, (self.left - 1.7 * tick, up), anchor="rm")
        spine = [(self.left, self.top), (self.left, self.bottom), (self.right, self.bottom)]
        canvas.line(spine, SPINE, points(0.8))
        middle = (self.left + self.right) / 2
        canvas.text(shortened(title, 12, self.right), (middle, 0.9 * line), 12)
        canvas.text(x_label, (middle, canvas.height - 0.7 * line))
        if y_label:
            canvas.text(y_label, (0.8 * line, (self.top + self.bottom) / 2), upward=True)

    def place(self, x: float, y: float) -> Point:
        """Return where a point is."""
        return (
            self.left + self._x.place(x) * (self.right - self.left),
            self.bottom - self._y.place(y) * (self.bottom - self.top),
        )


def shortened(text: str, size: float, width: float) -> str:
    """Return a text, cut so that it is at most so many pixels wide.

    Args:
        text: on one line.
        size: of the letters, in points.
        width: in pixels of the picture.
    """
    if text_size(text, size)[0] <= width:
        return text
    while text and text_size(f"{text}…", size)[0] > width:
        text = text[: -max(1, len(text) // 16)]
    return f"{text}…"


def _one_line(text: str) -> str:
    return " ".join("".join(c if c.isprintable() else " " for c in text).split())[:500]


def _is_shown(value: float, log: bool) -> bool:
    return math.isfinite(value) and (value > 0 or not log)


def _legend(canvas: Canvas, area: _Area, series: Sequence[_Series], places: list[Point]) -> None:
    """Draw the legend in the corner that has the fewest points."""
    named = [each for each in series if each.label]
    if not named:
        return
    line, sample = 1.15 * text_size("0")[1], points(20)
    width = sample + points(8) + max(text_size(each.label)[0] for each in named)
    height = line * len(named)
    gap = points(5)
    corners = [
        (x, y)
        for x in (area.right - width - gap, area.left + gap)
        for y in (area.top + gap, area.bottom - height - gap)
    ]

    def covered(corner: Point) -> int:
        x, y = corner
        return sum(x <= px <= x + width and y <= py <= y + height for px, py in places)

    left, top = min(corners, key=covered)
    for row, each in enumerate(named):
        y = top + (row + 0.5) * line
        if each.width:
            ends = [(left, y), (left + sample, y)]
            canvas.line(ends, each.colour, points(each.width), each.dashed)
        if each.marker:
            at = (left + sample / 2, y)
            MARKS[each.marker](canvas, at, points(each.size) / 2, each.colour)
        canvas.text(each.label, (left + sample + points(8), y), 10, BLACK, "lm")


def _disc(canvas: Canvas, at: Point, half: float, colour: str) -> None:
    canvas.disc(at, half, colour)


def _cross(canvas: Canvas, at: Point, half: float, colour: str) -> None:
    x, y = at
    canvas.line([(x - half, y - half), (x + half, y + half)], colour, points(1.5))
    canvas.line([(x - half, y + half), (x + half, y - half)], colour, points(1.5))


def _corners(*corners: Point) -> Shape:
    """Return a mark that fills the area between corners, given in halves of its size."""

    def draw(canvas: Canvas, at: Point, half: float, colour: str) -> None:
        canvas.polygon([(at[0] + x * half, at[1] + y * half) for x, y in corners], colour)

    return draw


MARKS: dict[str, Shape] = {
    "o": _disc,
    "x": _cross,
    "s": _corners((-1, -1), (1, -1), (1, 1), (-1, 1)),
    "^": _corners((0, -1), (1, 1), (-1, 1)),
    "v": _corners((0, 1), (1, -1), (-1, -1)),
}
"""The marks by name."""
