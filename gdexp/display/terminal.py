"""Text in the terminal: the console, names with values, commands and addresses."""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence

from rich.console import Console
from rich.markup import escape
from rich.table import Table

from gdexp.core import printable

WIDTH = 80


class _Console(Console):
    def on_broken_pipe(self) -> None:
        """Print nothing more when the reader has left (`| head`); the work goes on."""
        self.quiet = True
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def console(stderr: bool = False) -> Console:
    """Make a console: 80 columns wide for logs, as wide as the terminal for a person."""
    stream = sys.stderr if stderr else sys.stdout
    width = None if stream.isatty() else WIDTH
    return _Console(file=stream, width=width, highlight=False, soft_wrap=False)


def print_facts(out: Console, pairs: Sequence[tuple[str, str]]) -> None:
    """Print short names with their values, aligned; a long value wraps under itself."""
    grid = Table.grid(padding=(0, 2))
    grid.add_column(style="dim", no_wrap=True)
    grid.add_column(overflow="fold")
    for name, value in pairs:
        grid.add_row(name, value)
    out.print(grid)


def print_line(out: Console, text: str) -> None:
    """Print a command or an address on one line of any length, so that it can be copied."""
    out.print(printable(text), soft_wrap=True, markup=False)


def escape_text(text: str) -> str:
    """Return foreign text safe for a console: no markup, no control characters."""
    return escape(printable(text))
