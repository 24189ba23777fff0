"""Lines of text for a terminal of some width."""

from __future__ import annotations

from collections.abc import Sequence

from rich.text import Text


def pack(pieces: Sequence[Text], between: str, width: int) -> list[Text]:
    """Return the pieces, in their order, in as few lines as hold them."""
    lines: list[Text] = []
    for piece in pieces:
        if lines and lines[-1].cell_len + len(between) + piece.cell_len <= width:
            lines[-1] = Text(between).join([lines[-1], piece])
        else:
            lines.append(piece)
    return lines


def cut(line: Text, width: int, end: str) -> Text:
    """Return a line cut to a width."""
    line.no_wrap = True
    if line.cell_len > width:
        line.truncate(max(width - len(end), 0))
        line.append(end[:width])
    return line
