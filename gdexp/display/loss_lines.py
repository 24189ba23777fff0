"""Losses printed during a descent, one line each, with a bar when the descent takes long."""

from __future__ import annotations

import math
import time
from array import array
from collections import deque
from collections.abc import Mapping
from contextlib import AbstractContextManager

from rich.console import Console
from rich.markup import escape
from rich.progress import BarColumn, Progress, TaskID, TextColumn, TimeElapsedColumn

from gdexp.core import format_number, gap_name, signals

EVERY_UNTIL = 20
"""Iterations; every loss is printed until this one."""

BAR_AFTER_SECONDS = 1.0

QUIET_SECONDS = 10.0
"""How long a log goes without a line."""


def next_printed(iteration: int) -> int:
    """Return the next iteration whose loss is printed: all to 20, then 50, 100, 200, 500."""
    if iteration < EVERY_UNTIL:
        return iteration + 1
    power = 10
    while True:
        for step in (1, 2, 5):
            if step * power > iteration and step * power > EVERY_UNTIL:
                return step * power
        power *= 10


class LossPrinter(AbstractContextManager["LossPrinter"]):
    """Prints losses during a descent, with a bar under them when it takes long.

    Give the instance to `descend(watch=…)`. The bar runs from the first gap to the threshold
    on a log axis. Output that is not a terminal gets plain lines and no bar, and a line at least
    every ten seconds.

    Args:
        out: the console.
        threshold: of the loss; where a metric is given, of that.
        f_star: that the losses are measured from.
        name: of what is printed; None: the loss.
        metric: a metric whose newest reading stands beside a loss, with its iteration where that
            is another; None: none. The instance must then hear the readings: it is a monitor that
            never ends a training.
    """

    def __init__(
        self,
        out: Console,
        threshold: float,
        f_star: float,
        name: str | None = None,
        metric: str | None = None,
    ) -> None:
        self._out, self._name, self._metric = out, name or gap_name(f_star), metric
        self._reads: deque[tuple[int, float]] = deque(maxlen=2)
        self._threshold = threshold
        self._f_star = f_star
        self._next = 0
        self._last = -1
        self._began = self._printed = time.monotonic()
        self._called = (0, self._began)
        self._bar: Progress | None = None
        self._task: TaskID | None = None

    def __enter__(self) -> LossPrinter:
        beside = "" if self._metric is None else f"  {escape(self._metric):>12}"
        self._out.print(f"[dim]{'iteration':>10}  {self._name:>12}{beside}[/dim]")
        return self

    def __exit__(self, *ended: object) -> None:
        if self._bar is not None:
            self._bar.stop()

    def __call__(self, iteration: int, trace: array[float]) -> int:
        """Print the loss if it is due; return the iteration of the next call."""
        if iteration >= self._next:
            self._print(iteration, trace[-1])
            self._next = next_printed(iteration)
        signals.check()
        now = time.monotonic()
        if self._out.is_terminal and now - self._began > BAR_AFTER_SECONDS:
            self._advance(trace)
        elif not self._out.is_terminal and now - self._printed > QUIET_SECONDS:
            self._print(iteration, trace[-1])
        # About ten calls a second, whatever an iteration costs.
        done, then = self._called
        rate = (iteration - done) / max(now - then, 1e-6)
        self._called = (iteration, now)
        return min(self._next, iteration + max(1, min(int(rate / 10), 100_000)))

    def reading(self, iteration: int, metrics: Mapping[str, float], seconds: float) -> None:
        """Keep the newest reading of the metric, for the next line."""
        if self._metric is not None and self._metric in metrics:
            self._reads.append((iteration, metrics[self._metric]))

    def close(self, last: tuple[int, float] | None) -> None:
        """Print the last loss and the last reading, unless they were printed already.

        The last reading of a training is of the weights after its last loss: it has its own line.

        Args:
            last: the iteration and the loss; None where there is none.
        """
        if last is not None and last[0] > self._last:
            self._print(*last)
        for iteration, value in self._reads:
            self._line(iteration, "", f"{value:>12.6g}")

    def _print(self, iteration: int, loss: float) -> None:
        """Print a loss, and beside it the newest reading that was not printed yet."""
        beside = ""
        while self._reads and self._reads[0][0] <= iteration:
            read, value = self._reads.popleft()
            beside = f"{value:>12.6g}" + (f" at {read:,}" if read != iteration else "")
        self._line(iteration, f"{loss - self._f_star:.6g}", beside)
        self._last, self._printed = iteration, time.monotonic()

    def _line(self, iteration: int, loss: str, read: str) -> None:
        out = self._out if self._bar is None else self._bar.console
        out.print(f"{iteration:>10,}  {loss:>12}  {read}".rstrip())

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
        if self._metric is None and 0 < gap < first > self._threshold > 0:
            share = math.log(first / gap) / math.log(first / self._threshold)
        if self._task is not None:
            self._bar.update(self._task, completed=min(share, 1.0), loss=format_number(trace[-1]))
