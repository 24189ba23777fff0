"""What shows a sweep going: live lines in a terminal, a plain line now and then in a log."""

from __future__ import annotations

import math
import time
from collections import Counter
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager, suppress
from types import TracebackType
from typing import Protocol

from rich.console import Console, ConsoleOptions, RenderResult
from rich.live import Live
from rich.text import Text

from gdexp.core import format_duration, format_large_count
from gdexp.descent import Status
from gdexp.sweeps.display.descent_line import LONGEST_BAR, SHORTEST_BAR, DescentLine, bar
from gdexp.sweeps.display.time_left import TimeLeft

LOG_EVERY_SECONDS = 10.0
WIDTH = 80
DRAW_EVERY_SECONDS = 0.1
DRAW_SHARE = 0.05
"""Of the time, at most, goes into drawing, however slow the terminal."""

COLOURS: dict[str, str] = {
    Status.CONVERGED: "green",
    Status.CAPPED: "cyan",
    Status.MAX_ITERATIONS: "yellow",
    Status.STALLED: "magenta",
    Status.DIVERGED: "red",
}


class FinishedTrial(Protocol):
    """What is looked at of a finished trial.

    A trial that has `steps` (iterations made) is counted with those, else with `iterations`.
    """

    @property
    def status(self) -> str:
        """Why it ended."""

    @property
    def iterations(self) -> float:
        """What it needed."""

    @property
    def final_loss(self) -> float:
        """The loss at its end."""

    @property
    def threshold(self) -> float:
        """What it was to reach."""


class Progress(AbstractContextManager["Progress"]):
    """Trials by status, the best so far, steps spent, time left, and a long descent's way.

    In a terminal two or three lines (more in a narrow one) that are drawn at most ten times a
    second and vanish at the end; everything else gets one plain line every ten seconds and one
    at the end. Nothing that it is given, and nothing that the terminal does, makes it raise.

    Args:
        out: where to.
        total: trials that there are to be.
        done: of these, finished before and not counted by `add_earlier`.
        clock: seconds; another one for tests.
    """

    def __init__(
        self,
        out: Console,
        total: int,
        done: int = 0,
        *,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._out, self._total, self._done = out, total, done
        self._clock = clock
        self._counts: Counter[str] = Counter()
        self._steps = 0.0
        self._best: tuple[float, FinishedTrial, float | None] | None = None
        self._descent: DescentLine | None = None
        self._time_left = TimeLeft(clock())
        # A dumb terminal cannot move its cursor: what is drawn there stays, as in a log.
        self._is_live = out.is_terminal and not out.is_dumb_terminal
        self._live = Live(_View(self), console=out, auto_refresh=False, transient=True)
        self._next = clock() + (0.0 if self._is_live else LOG_EVERY_SECONDS)
        self._news = False

    def __enter__(self) -> Progress:
        if self._is_live:
            self._without_errors(self._live.start)
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        with suppress(Exception):
            self._live.stop()
        self._descent = None
        if self._news and not self._is_live:
            self._without_errors(lambda: self._log(self._fitting(last=True)))

    def add(self, record: FinishedTrial, value: float | None, lr: float | None = None) -> None:
        """Count a trial that just finished.

        Args:
            record: the trial.
            value: what was told of it, to be minimised; None when it is not to be the best.
            lr: its learning rate, shown with the best when it is given.
        """
        self._time_left.add(self._clock())
        self._count(record, value, lr)
        self._descent = None
        self._news = True
        self._show()

    def add_earlier(
        self, record: FinishedTrial, value: float | None, lr: float | None = None
    ) -> None:
        """Count a trial that was finished before this process began; the pace is not its own."""
        self._count(record, value, lr)

    def show_descent(
        self,
        label: str,
        iteration: int,
        gap: float,
        threshold: float,
        running: int = 1,
        name: str = "loss",
    ) -> None:
        """Say how far a descent is that takes long; to be called as often as one likes.

        Args:
            label: whose it is: `trial 12`, `64 trials at once`.
            iteration: of the descent.
            gap: its loss - f*; not a number where there is no single one.
            threshold: what the gap is to come to; not a number as well then.
            running: descents that go on together.
            name: of the gap: `loss`, or `loss - f*` where that differs.
        """
        now = self._clock()
        known = self._descent
        if known is None or known.label != label or iteration < known.iteration:
            self._descent = known = DescentLine(label, now, gap)
        known.iteration, known.gap, known.threshold = iteration, gap, threshold
        known.running, known.name = running, name
        self._news = True
        self._show()

    def text(self, last: bool = False) -> str:
        """The state in words, on one line of plain ASCII; as the last one without what follows it.

        That is the time left, which is none, and the best, which the answers begin with.
        """
        return ", ".join(word for part in self._parts(last) for word in part)

    def _parts(self, last: bool) -> list[list[str]]:
        """The words of `text`: trials, their statuses, steps, the descent, time left."""
        head = [f"{self._done:,}/{self._total:,} trials", *([] if last else self._best_words())]
        counts = [f"{count:,} {status}" for status, count in self._counts.most_common()]
        descent = [] if self._descent is None else [self._descent.words()]
        left = [] if last else self._left_words()
        return [head, counts, self._spent_words(), descent, left]

    def _fitting(self, last: bool) -> str:
        """As much of `text` as fits into a line of a log; what is going on before what was."""
        head, counts, spent, descent, left = self._parts(last)
        line = ""
        for parts in (
            (head, counts, spent, descent, left),
            *([(head[:1], descent, left)] if descent else []),
            (head, counts, spent, left),
            (head, counts, left),
            (head, counts),
            (head,),
        ):
            line = ", ".join(word for part in parts for word in part)
            if len(line) <= WIDTH:
                break
        return line

    def lines(self, width: int, ascii_only: bool = False) -> list[Text]:
        """The state as it is drawn, in lines of at most `width` columns."""
        between, end = (", ", "") if ascii_only else (" · ", "…")
        pieces = [Text(words, style="bold") for words in self._best_words()]
        pieces += [
            Text(f"{count:,} {status}", style=COLOURS.get(status, ""))
            for status, count in self._counts.most_common()
        ]
        lines = [self._head(width, between, ascii_only), *_packed(pieces, between, width)]
        if self._descent is not None and self._descent.is_long(self._clock()):
            lines.append(self._descent.line(width, ascii_only))
        return [_fitted(line, width, end) for line in lines]

    def _count(self, record: FinishedTrial, value: float | None, lr: float | None) -> None:
        self._done += 1
        self._counts[str(record.status)] += 1
        spent = float(getattr(record, "steps", record.iterations))
        self._steps += spent if math.isfinite(spent) else 0.0
        if value is None or math.isnan(value):
            return
        if self._best is None or value < self._best[0]:
            self._best = (value, record, lr)

    def _best_words(self) -> list[str]:
        if self._best is None:
            return []
        _, record, lr = self._best
        if record.status != Status.CONVERGED:
            return ["none converged yet"] if not self._counts[Status.CONVERGED] else []
        at = "" if lr is None else f" at lr {lr:.6g}"
        return [f"best {format_large_count(record.iterations, 'iteration')}{at}"]

    def _spent_words(self) -> list[str]:
        descent = self._descent
        alone = descent.iteration if descent is not None and descent.running == 1 else 0
        steps = self._steps + alone
        return [format_large_count(steps, "step")] if steps else []

    def _left_words(self) -> list[str]:
        left = self._time_left.seconds(self._clock(), self._total - self._done)
        return [] if left is None else [f"{format_duration(left)} left"]

    def _head(self, width: int, between: str, ascii_only: bool) -> Text:
        """The bar with the most that fits behind it: what matters least goes first."""
        count = f"{self._done:,}/{self._total:,}"
        spent, left = self._spent_words(), self._left_words()
        words = ""
        for parts in (
            [f"{count} trials", *spent, *left],
            [f"{count} trials", *left],
            [count, *left],
            [count],
        ):
            words = between.join(parts)
            if len(words) + 1 + SHORTEST_BAR <= width:
                break
        share = self._done / self._total if self._total > 0 else 1.0
        room = min(width - len(words) - 1, LONGEST_BAR)
        return bar(share, room, "green" if share >= 1 else "cyan", ascii_only).append(words)

    def _show(self) -> None:
        """Draw, or print a line, when it is time to."""
        now = self._clock()
        if now < self._next:
            return
        if not self._is_live:
            self._next = now + LOG_EVERY_SECONDS
            self._without_errors(lambda: self._log(self._fitting(last=False)))
            return
        self._without_errors(self._live.refresh)
        took = self._clock() - now
        self._next = now + max(DRAW_EVERY_SECONDS, took / DRAW_SHARE)

    def _log(self, text: str) -> None:
        self._news = False
        self._out.print(text, markup=False, highlight=False, soft_wrap=True)

    def _without_errors(self, act: Callable[[], object]) -> None:
        """Show, and never again if that fails: a sweep does not end because its picture does."""
        try:
            act()
        except Exception:
            self._next = math.inf


class _View:
    """The lines as rich draws them, for the width of the moment."""

    def __init__(self, progress: Progress) -> None:
        self._progress = progress

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        yield from self._progress.lines(options.max_width, options.ascii_only)


def _packed(pieces: Sequence[Text], between: str, width: int) -> list[Text]:
    """Pieces in as few lines as hold them in order."""
    lines: list[Text] = []
    for piece in pieces:
        if lines and lines[-1].cell_len + len(between) + piece.cell_len <= width:
            lines[-1] = Text(between).join([lines[-1], piece])
        else:
            lines.append(piece)
    return lines


def _fitted(line: Text, width: int, end: str) -> Text:
    """A line of at most a width."""
    line.no_wrap = True
    if line.cell_len > width:
        line.truncate(max(width - len(end), 0))
        line.append(end[:width])
    return line
