"""Text in the terminal: the console, names with values, commands and addresses."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from typing import IO, Any

from rich.console import Console
from rich.markup import escape
from rich.table import Table

from gdexp.core import context_value, printable, streams

WIDTH = 80

_PROGRESS: ContextVar[bool | None] = ContextVar("gdexp_shows_progress", default=None)
_IS_CALLED: ContextVar[bool] = ContextVar("gdexp_called_from_python", default=False)


class _Console(Console):
    """Prints to a stream of the running command, whatever the user's code does to `sys`."""

    def __init__(self, name: streams.Name, **settings: Any) -> None:  # noqa: ANN401
        self._name = name
        super().__init__(**settings)

    @property
    def file(self) -> IO[str]:
        """Where it prints."""
        return streams.own_stream(self._name)

    @file.setter
    def file(self, stream: IO[str]) -> None:
        raise AttributeError("it prints to the command's own stream")

    def on_broken_pipe(self) -> None:
        """Print nothing more when the reader has left (`| head`); the work goes on."""
        self.quiet = True
        os.dup2(os.open(os.devnull, os.O_WRONLY), self.file.fileno())
        streams.note()


def console(stderr: bool = False) -> Console:
    """Make a console: 80 columns wide for logs, as wide as the terminal for a person.

    Of a call from Python standard output stays empty: what it would say is in what it returns.
    """
    name: streams.Name = "stderr" if stderr else "stdout"
    width = None if streams.own_stream(name).isatty() else WIDTH
    quiet = _IS_CALLED.get() and not stderr
    return _Console(name, width=width, highlight=False, soft_wrap=False, quiet=quiet)


@contextmanager
def called_from_python(progress: bool | None) -> Iterator[None]:
    """Print nothing to standard output inside the block, and progress to standard error.

    Args:
        progress: whether progress is shown; None: in a terminal and in a notebook.
    """
    with context_value(_IS_CALLED, True), context_value(_PROGRESS, progress):
        yield


def progress_console(out: Console) -> Console:
    """Return the console that progress is shown on.

    Args:
        out: that of the command.
    """
    if not _IS_CALLED.get():
        return out
    shown = console(stderr=True)
    wanted = _PROGRESS.get()
    shown.quiet = not (shown.is_terminal if wanted is None else wanted)
    return shown


def notebook_display() -> NotebookDisplay | None:
    """Return what shows progress below a cell; None outside of a notebook."""
    ipython: Any = sys.modules.get("IPython")
    if ipython is None or not _IS_CALLED.get() or _PROGRESS.get() is False:
        return None
    shell = ipython.get_ipython()
    if shell is None or getattr(shell, "kernel", None) is None:
        return None
    return NotebookDisplay()


class NotebookDisplay:
    """One output of a notebook's cell that is replaced as often as one likes."""

    def __init__(self) -> None:
        self._handle: Any = None

    def show(self, text: str) -> None:
        """Show a text in place of the last one."""
        from IPython.display import display  # type: ignore[import-not-found]

        if self._handle is None:
            self._handle = display({"text/plain": text}, raw=True, display_id=True)
        else:
            self._handle.update({"text/plain": text}, raw=True)


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


def print_warning(text: str) -> None:
    """Print one line to standard error, where it does not mix with results."""
    print_line(console(stderr=True), f"gdexp: warning: {text}")


def escape_text(text: str) -> str:
    """Return foreign text safe for a console: no markup, no control characters."""
    return escape(printable(text))
