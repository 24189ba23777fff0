"""The line that shows a sweep going: trials done, best so far, counts by status."""

from __future__ import annotations

import time
from collections import Counter
from contextlib import AbstractContextManager
from types import TracebackType

from rich.console import Console
from rich.live import Live
from rich.progress_bar import ProgressBar
from rich.table import Table
from rich.text import Text

from gdexp.sweep.study import TrialRecord
from gdexp.terminal import steps

LOG_EVERY_SECONDS = 10.0


class Progress(AbstractContextManager["Progress"]):
    """A live line in a terminal; in a log a plain line now and then."""

    def __init__(self, out: Console, total: int) -> None:
        self._out = out
        self._total = total
        self._done = 0
        self._counts: Counter[str] = Counter()
        self._best: tuple[float, TrialRecord] | None = None
        self._said = time.monotonic()
        self._live = Live(console=out, auto_refresh=False, transient=True)

    def __enter__(self) -> Progress:
        if self._out.is_terminal:
            self._live.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._live.stop()

    def add(self, record: TrialRecord, value: float | None) -> None:
        """Count a finished trial."""
        self._done += 1
        self._counts[record.status] += 1
        if value is not None and (self._best is None or value < self._best[0]):
            self._best = (value, record)
        if self._out.is_terminal:
            self._live.update(self._line(), refresh=True)
        elif time.monotonic() - self._said >= LOG_EVERY_SECONDS or self._done == self._total:
            self._said = time.monotonic()
            self._out.print(self.text())

    def text(self) -> str:
        """The state in words."""
        best = ""
        if self._best is not None:
            record = self._best[1]
            best = f"  best {steps(record.iterations)}"
        counts = ", ".join(f"{count} {status}" for status, count in sorted(self._counts.items()))
        return f"{self._done}/{self._total} trials{best}  ({counts})"

    def _line(self) -> Table:
        line = Table.grid(padding=(0, 1))
        line.add_row(ProgressBar(self._total, self._done, width=16), Text(self.text()))
        return line
