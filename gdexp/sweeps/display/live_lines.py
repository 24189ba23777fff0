"""Lines that are drawn again and again: in a terminal, or below a cell of a notebook."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

from rich.console import Console, ConsoleOptions, RenderResult
from rich.live import Live
from rich.text import Text

from gdexp.display import terminal

CELL_WIDTH = 80


class Lines(Protocol):
    """What is drawn."""

    def lines(self, width: int, ascii_only: bool = False) -> Sequence[Text]:
        """Return the lines as they are now, each of at most `width` columns."""


class Drawing(Protocol):
    """What draws the lines."""

    def start(self) -> None:
        """Begin."""

    def refresh(self) -> None:
        """Draw the lines as they are now."""

    def stop(self) -> None:
        """End."""


def drawing(shown: Lines, out: Console, cell: terminal.NotebookDisplay | None) -> Drawing:
    """Return what draws lines into a terminal, or below a cell of a notebook.

    Args:
        shown: has the lines.
        out: the terminal.
        cell: the notebook's; None outside of one.
    """
    if cell is None:
        return Live(_View(shown), console=out, auto_refresh=False, transient=True)
    return _Cell(shown, cell)


class _Cell:
    """The lines below a cell of a notebook; the last ones stay."""

    def __init__(self, shown: Lines, cell: terminal.NotebookDisplay) -> None:
        self._shown, self._cell = shown, cell

    def start(self) -> None:
        """Show the first lines."""
        self.refresh()

    def refresh(self) -> None:
        """Show the lines as they are now."""
        self._cell.show("\n".join(line.plain for line in self._shown.lines(CELL_WIDTH)))

    stop = refresh


class _View:
    """The lines for rich, which asks for them with the current width."""

    def __init__(self, shown: Lines) -> None:
        self._shown = shown

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        yield from self._shown.lines(options.max_width, options.ascii_only)
