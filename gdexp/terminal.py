"""What a person sees in the terminal: losses as they come, tensors side by side, short facts."""

from __future__ import annotations

import math
import os
import sys
import time
from array import array
from collections.abc import Sequence
from contextlib import AbstractContextManager
from types import TracebackType
from typing import TYPE_CHECKING

from rich.console import Console
from rich.markup import escape
from rich.progress import BarColumn, Progress, TaskID, TextColumn, TimeElapsedColumn
from rich.table import Table

from gdexp import interrupts
from gdexp.errors import printable as printable

if TYPE_CHECKING:
    import torch

    from gdexp.problems import Curve
    from gdexp.stopping import Trace

WIDTH = 80
EVERY_UNTIL = 20
MAX_ROWS, MAX_COLUMNS = 10, 6
BAR_AFTER_SECONDS = 1.0
LISTEN_EVERY = 10_000
"""Iterations, some tenths of a second, between looks for a signal that was swallowed."""


class _Console(Console):
    def on_broken_pipe(self) -> None:
        """The reader left (`| head`): the work goes on and is recorded, nothing more is said."""
        self.quiet = True
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def console(stderr: bool = False) -> Console:
    """A console of at most 80 columns for logs, of the terminal's own width for a person."""
    stream = sys.stderr if stderr else sys.stdout
    width = None if stream.isatty() else WIDTH
    return _Console(file=stream, width=width, highlight=False, soft_wrap=False)


def facts(out: Console, pairs: Sequence[tuple[str, str]]) -> None:
    """Short names with their values, aligned; a long value wraps under itself."""
    grid = Table.grid(padding=(0, 2))
    grid.add_column(style="dim", no_wrap=True)
    grid.add_column(overflow="fold")
    for name, value in pairs:
        grid.add_row(name, value)
    out.print(grid)


def line(out: Console, text: str) -> None:
    """A command or an address on one line, however long, so that it can be copied."""
    out.print(printable(text), soft_wrap=True, markup=False)


def shown(text: str) -> str:
    """A text that is not ours, for a console: it is no markup and steers no terminal."""
    return escape(printable(text))


def number(value: float) -> str:
    """Six significant digits, short where it can be; large whole numbers in full."""
    if abs(value) < 1e12 and value == round(value):
        return f"{value:,.0f}"
    return f"{value:,.6g}"


def steps(iterations: int) -> str:
    """A count with its word."""
    return "1 iteration" if iterations == 1 else f"{iterations:,} iterations"


def shown_at(iteration: int) -> int:
    """The next iteration whose loss is printed: all to 20, then 50, 100, 200, 500 and so on."""
    if iteration < EVERY_UNTIL:
        return iteration + 1
    power = 10
    while True:
        for step in (1, 2, 5):
            if step * power > iteration and step * power > EVERY_UNTIL:
                return step * power
        power *= 10


class Losses(AbstractContextManager["Losses"]):
    """Prints losses as a descent goes, with a bar under them when it takes long.

    Give the instance to `descend(watch=…)`. The bar runs from the first gap to the threshold
    on a log axis; output that is no terminal gets plain lines and no bar.
    """

    def __init__(self, out: Console, threshold: float, f_star: float) -> None:
        self._out = out
        self._threshold = threshold
        self._f_star = f_star
        self._next = 0
        self._last = -1
        self._began = time.monotonic()
        self._looked = (0, self._began)
        self._bar: Progress | None = None
        self._task: TaskID | None = None

    def __enter__(self) -> Losses:
        heading = "loss" if self._f_star == 0 else "loss - f*"
        self._out.print(f"[dim]{'iteration':>10}  {heading:>12}[/dim]")
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if self._bar is not None:
            self._bar.stop()

    def __call__(self, iteration: int, trace: array[float]) -> int:
        """Print what is due; returns the iteration at which to be called again."""
        if iteration >= self._next:
            self._print(iteration, trace[-1])
            self._next = shown_at(iteration)
        interrupts.check()
        if not self._out.is_terminal:
            return min(self._next, iteration + LISTEN_EVERY)
        now = time.monotonic()
        if now - self._began > BAR_AFTER_SECONDS:
            self._advance(trace)
        # About ten looks a second, whatever an iteration costs.
        done, then = self._looked
        rate = (iteration - done) / max(now - then, 1e-6)
        self._looked = (iteration, now)
        return min(self._next, iteration + max(1, min(int(rate / 10), 100_000)))

    def close(self, trace: Trace) -> None:
        """Print the last loss, unless it stands there already."""
        last = len(trace) - 1
        if last > self._last:
            self._print(last, float(trace[last]))

    def _print(self, iteration: int, loss: float) -> None:
        out = self._out if self._bar is None else self._bar.console
        out.print(f"{iteration:>10,}  {loss - self._f_star:>12.6g}")
        self._last = iteration

    def _advance(self, trace: array[float]) -> None:
        if self._bar is None:
            self._bar = Progress(
                TextColumn("[dim]{task.description}[/dim]"),
                BarColumn(bar_width=30),
                TextColumn("loss {task.fields[loss]}"),
                TimeElapsedColumn(),
                console=self._out,
                transient=True,
            )
            self._task = self._bar.add_task("to the threshold", total=1.0, loss="")
            self._bar.start()
        first, gap = trace[0] - self._f_star, trace[-1] - self._f_star
        share = 0.0
        if 0 < gap < first:
            share = math.log(first / gap) / math.log(first / self._threshold)
        if self._task is not None:
            self._bar.update(self._task, completed=min(share, 1.0), loss=number(trace[-1]))


def tensors(out: Console, named: Sequence[tuple[str, torch.Tensor]]) -> None:
    """Tensors side by side, one heading each; large ones as their size and range."""
    grid = Table.grid(padding=(0, 4))
    for _ in named:
        grid.add_column()
    grid.add_row(*(f"[bold]{name}[/bold]" for name, _ in named))
    grid.add_row(*(tensor_text(value) for _, value in named))
    out.print(grid)


def tensor_text(value: torch.Tensor) -> str:
    """A tensor's numbers in rows, or its shape and range when there are many."""
    value = value.detach().cpu().double()
    rows = value.reshape(1, -1) if value.ndim < 2 else value.flatten(0, -2)
    if rows.shape[0] > MAX_ROWS or rows.shape[1] > MAX_COLUMNS:
        shape = "×".join(map(str, value.shape))
        return f"{shape} numbers\nfrom {value.min():.6g}\nto   {value.max():.6g}"
    lines = [
        [f"{item:.4f}" if abs(item) < 1e4 else f"{item:.3e}" for item in r] for r in rows.tolist()
    ]
    width = max(len(item) for line in lines for item in line)
    return "\n".join("  ".join(item.rjust(width) for item in line) for line in lines)


def curve(out: Console, drawn: Curve, rows: int = 9) -> None:
    """The wanted function and the fitted one at a few places, and the largest error."""
    table = Table(box=None, padding=(0, 2), header_style="bold")
    for name in ("t", "wanted", "fitted", "error"):
        table.add_column(name, justify="right")
    last = len(drawn.grid) - 1
    for i in sorted({round(j * last / (rows - 1)) for j in range(rows)}):
        t, wanted, fitted = (float(v[i]) for v in (drawn.grid, drawn.wanted, drawn.fitted))
        table.add_row(f"{t:.3f}", f"{wanted:.4f}", f"{fitted:.4f}", f"{fitted - wanted:+.4f}")
    out.print(table)
    worst = (drawn.fitted - drawn.wanted).abs().max()
    out.print(f"largest error {worst:.4g} at {last + 1} points")
