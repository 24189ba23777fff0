"""A white picture that lines, marks and words are drawn on, and its PNG bytes.

It is drawn larger and then reduced, so that edges are smooth. matplotlib would need longer for its
import and one picture than most descents take.
"""

from __future__ import annotations

import io
from collections.abc import Sequence
from functools import cache
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from PIL.Image import Image
    from PIL.ImageFont import FreeTypeFont
    from PIL.ImageFont import ImageFont as BuiltInFont

DPI = 110
FINER = 3
"""How many drawn pixels are one of the picture, in each direction."""

FONT = ("matplotlib", "mpl-data/fonts/ttf/DejaVuSans.ttf")
"""The package that has the font as a file, and where. The package itself is not imported."""

BLACK = "#000000"

Point = tuple[float, float]
"""A place in pixels of the picture, from the left and from the top."""

DASH = (5.5, 2.4)
"""Length of a dash and of a gap, in points."""


class Canvas:
    """A picture while it is drawn. All lengths are in pixels of the picture.

    Args:
        width: of the picture, in inches.
        height: of the picture, in inches.
    """

    def __init__(self, width: float, height: float) -> None:
        from PIL import Image, ImageDraw

        self.width, self.height = round(width * DPI), round(height * DPI)
        self._image = Image.new("RGB", (self.width * FINER, self.height * FINER), "#ffffff")
        self._draw = ImageDraw.Draw(self._image)

    def line(
        self, points: Sequence[Point], colour: str, width: float = 1.0, dashed: bool = False
    ) -> None:
        """Draw a line through points."""
        for part in _dashes(points) if dashed else [points]:
            scaled = [(x * FINER, y * FINER) for x, y in part]
            joint = "curve" if len(scaled) < 1000 else None
            self._draw.line(scaled, colour, max(1, round(width * FINER)), joint)

    def polygon(self, corners: Sequence[Point], colour: str) -> None:
        """Fill the area between corners."""
        self._draw.polygon([(x * FINER, y * FINER) for x, y in corners], colour)

    def disc(self, centre: Point, radius: float, colour: str) -> None:
        """Fill a circle."""
        x, y = centre
        box = (x - radius, y - radius, x + radius, y + radius)
        self._draw.ellipse([each * FINER for each in box], colour)

    def paste(self, image: Image, corner: Point, width: float, height: float) -> None:
        """Draw an image in a box; its pixels stay sharp where they become larger."""
        from PIL.Image import Resampling

        size = (max(1, round(width * FINER)), max(1, round(height * FINER)))
        larger = size[0] >= image.width and size[1] >= image.height
        fitted = image.resize(size, Resampling.NEAREST if larger else Resampling.BOX)
        self._image.paste(fitted, (round(corner[0] * FINER), round(corner[1] * FINER)))

    def text(
        self,
        text: str,
        at: Point,
        size: float = 10,
        colour: str = BLACK,
        anchor: str = "mm",
        upward: bool = False,
    ) -> None:
        """Draw one line of text.

        Args:
            text: the line.
            at: the place of its anchor.
            size: of the letters, in points.
            colour: of the letters.
            anchor: where the place is in the text, in the two letters of Pillow.
            upward: whether the text runs from bottom to top, centred at the place.
        """
        from PIL import Image, ImageDraw

        font = _font(size)
        x, y = at[0] * FINER, at[1] * FINER
        if not upward:
            self._draw.text((x, y), text, colour, font, anchor)
            return
        wide, high = (round(each * FINER) for each in text_size(text, size))
        mask = Image.new("L", (wide, 2 * high), 0)
        ImageDraw.Draw(mask).text((wide / 2, high), text, 255, font, "mm")
        mask = mask.rotate(90, expand=True)
        corner = (round(x - mask.width / 2), round(y - mask.height / 2))
        self._image.paste(colour, corner, mask)

    def png(self) -> bytes:
        """Return the picture as the bytes of a PNG file: equal pictures, equal bytes."""
        buffer = io.BytesIO()
        self._image.reduce(FINER).save(buffer, "png")
        return buffer.getvalue()


def text_size(text: str, size: float = 10) -> tuple[float, float]:
    """Return width and height of a line of text in pixels of the picture.

    Args:
        text: the line.
        size: of the letters, in points.
    """
    left, _, right, _ = _font(size).getbbox(text or " ")
    return (right - left) / FINER, points(size) * 1.2


def points(length: float) -> float:
    """Return a length in points, 1/72 inch, as pixels of the picture."""
    return length * DPI / 72


@cache
def _font(size: float) -> FreeTypeFont | BuiltInFont:
    from PIL import ImageFont

    pixels = points(size) * FINER
    spec = find_spec(FONT[0])
    for place in (spec.submodule_search_locations or ()) if spec else ():
        path = Path(place, FONT[1])
        if path.is_file():
            return ImageFont.truetype(str(path), pixels)
    return ImageFont.load_default(pixels)


def _dashes(line: Sequence[Point]) -> list[list[Point]]:
    """Return the dashes of a line between its first and last point."""
    (x0, y0), (x1, y1) = line[0], line[-1]
    length = max(((x1 - x0) ** 2 + (y1 - y0) ** 2) ** 0.5, 1e-9)
    dash, gap = (points(each) for each in DASH)
    found, begin = [], 0.0
    while begin < length:
        ends = (begin / length, min(begin + dash, length) / length)
        found.append([(x0 + t * (x1 - x0), y0 + t * (y1 - y0)) for t in ends])
        begin += dash + gap
    return found
