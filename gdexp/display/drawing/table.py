"""A small table of texts, as a picture for places that show pictures only."""

from __future__ import annotations

from collections.abc import Sequence

from gdexp.display.drawing.canvas import BLACK, DPI, Canvas, points, text_size

RULE, SHADE, DIM = "#c9ced6", "#eef2fb", "#5d6675"

SIZE = 10
"""Of the letters, in points."""


def table_png(blocks: Sequence[Sequence[Sequence[str]]], width: float = 0.0) -> bytes:
    """Return tables below one another as the bytes of a PNG file.

    Args:
        blocks: each a table: rows of cells. The first row and the first column are headings; the
            second row is the answer, in front of a shade.
        width: the least width of the picture, in inches.
    """
    gap, line = points(5), 1.5 * text_size("0", SIZE)[1]
    columns = [
        [max(text_size(row[i], SIZE)[0] for row in block) for i in range(len(block[0]))]
        for block in blocks
    ]
    widest = max(sum(wide) + 2 * gap * len(wide) for wide in columns)
    high = sum(line * len(block) + gap for block in blocks)
    canvas = Canvas(max(width, widest / DPI), (high + gap) / DPI)
    top = gap
    for block, wide in zip(blocks, columns, strict=True):
        _draw(canvas, block, wide, top, line)
        top += line * len(block) + gap
    return canvas.png()


def _draw(
    canvas: Canvas, block: Sequence[Sequence[str]], wide: Sequence[float], top: float, line: float
) -> None:
    """Draw one table at a height; what is left of the width is shared by its columns."""
    gap = points(5)
    spare = (canvas.width - sum(wide) - 2 * gap * len(wide)) / max(1, len(wide) - 1)
    ends = [gap + wide[0]]
    for each in wide[1:]:
        ends.append(ends[-1] + 2 * gap + spare + each)
    for row, cells in enumerate(block):
        above, below = top + row * line, top + (row + 1) * line
        if row == 1:
            corners = [(0.0, above), (canvas.width, above), (canvas.width, below), (0.0, below)]
            canvas.polygon(corners, SHADE)
        middle = (above + below) / 2
        canvas.text(cells[0], (gap, middle), SIZE, DIM, "lm")
        for end, cell in zip(ends[1:], cells[1:], strict=True):
            canvas.text(cell, (end, middle), SIZE, DIM if row == 0 else BLACK, "rm")
        canvas.line([(0, below), (canvas.width, below)], RULE, points(0.6))
