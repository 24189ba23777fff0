"""The progress of a sweep: live lines in a terminal, plain lines in a log."""

from __future__ import annotations

import math
import time
from collections import Counter
from collections.abc import Callable
from contextlib import AbstractContextManager, suppress
from typing import Protocol

from rich.console import Console
from rich.text import Text

from gdexp.core import format_duration, format_large_count
from gdexp.descent import Status
from gdexp.display import terminal
from gdexp.sweeps.display.descent_line import LONGEST_BAR, SHORTEST_BAR, DescentLine, bar
from gdexp.sweeps.display.live_lines import drawing
from gdexp.sweeps.display.text_lines import cut, pack
from gdexp.sweeps.display.time_left import TimeLeft
from gdexp.sweeps.study import ADDED

FIRST_LOG_SECONDS, LOG_EVERY_SECONDS = 1.0, 10.0
SETTLED = ((0.0, 10), (5.0, 3), (60.0, 1))
"""After how many seconds with how many trials the time left is said: the first trial also prepares
the others, and those of a batch end together."""

WIDTH = 80
DRAW_EVERY_SECONDS = 0.1
DRAW_SHARE = 0.05
"""The largest share of the time that drawing takes, however slow the terminal is."""

COLOURS: dict[str, str] = {
    Status.CONVERGED: "green",
    Status.CAPPED: "cyan",
    Status.MAX_ITERATIONS: "yellow",
    Status.STALLED: "magenta",
    Status.DIVERGED: "red",
    Status.BELOW_MINIMUM: "bright_red",
    Status.FAILED: "bright_red",
    Status.PRUNED: "cyan",
    Status.PLATEAU: "magenta",
    Status.OUT_OF_TIME: "yellow",
    Status.MAX_EPOCHS: "yellow",
    Status.FINISHED: "green",
}


class FinishedTrial(Protocol):
    """The attributes that are read of a finished trial.

    `steps` (iterations made) is read too if the trial has it, and else `iterations` in its place.
    """

    @property
    def status(self) -> str:
        """Why the trial ended."""

    @property
    def iterations(self) -> float:
        """The iterations that it needed."""

    @property
    def final_loss(self) -> float:
        """The loss at its end."""

    @property
    def threshold(self) -> float:
        """The threshold of the trial."""


class Progress(AbstractContextManager["Progress"]):
    """Shows trials by status, the best so far, steps made, time left, and a long descent.

    In a terminal it draws two or three lines (more in a narrow one) at most ten times a second,
    and removes them at the end. Elsewhere it prints one plain line after a second, then one every
    ten seconds, and one at the end. No argument and no error of the terminal makes it raise.

    Args:
        out: the console.
        total: trials of the sweep.
        done: those that finished before and are not counted by `add_earlier`.
        clock: returns seconds; tests give another one.
        describe: says of a trial what it is best by, where that is not its count.
    """

    def __init__(
        self,
        out: Console,
        total: int,
        done: int = 0,
        *,
        clock: Callable[[], float] = time.monotonic,
        describe: Callable[[FinishedTrial], str] | None = None,
    ) -> None:
        self._out = out = terminal.progress_console(out)
        self._total, self._done = total, done
        self._describe = describe
        self._clock = clock
        self._counts: Counter[str] = Counter()
        self._steps = 0.0
        self._best: tuple[float, FinishedTrial, float | None] | None = None
        self._descent: DescentLine | None = None
        self._running, self._added, self._began = 0, 0, clock()
        self._time_left = TimeLeft(clock())
        # A dumb terminal cannot move its cursor, so it gets plain lines, as a log does.
        cell = terminal.notebook_display()
        self._is_live = cell is not None or (out.is_terminal and not out.is_dumb_terminal)
        self._live = drawing(self, out, cell)
        self._next = clock() + (0.0 if self._is_live else FIRST_LOG_SECONDS)
        self._changed = False

    def __enter__(self) -> Progress:
        if self._is_live:
            self._without_errors(self._live.start)
        return self

    def __exit__(self, *ended: object) -> None:
        with suppress(Exception):
            self._live.stop()
        self._descent = None
        if self._changed and not self._is_live:
            self._without_errors(lambda: self._log(self._fitting_text(last=True)))

    @property
    def is_quiet(self) -> bool:
        """Whether another process shows the progress."""
        return self._out.quiet

    def add(self, record: FinishedTrial, value: float | None, lr: float | None = None) -> None:
        """Count a trial that has just finished.

        Args:
            record: the trial.
            value: smaller is better; None if the trial cannot be the best.
            lr: its learning rate, shown with the best trial; None if it is not to be shown.
        """
        self._time_left.add(self._clock())
        self._added += 1
        self._count(record, value, lr)
        self._descent = None
        self._changed = True
        self._show()

    def add_earlier(
        self, record: FinishedTrial, value: float | None, lr: float | None = None
    ) -> None:
        """Count a trial that finished before this process began; the time left ignores it."""
        self._count(record, value, lr)

    def add_own(self, count: int) -> None:
        """Count trials that the user added to the study: they have no steps, and never win."""
        self._done += count
        if count:
            self._counts[ADDED] += count

    def show_descent(
        self,
        label: str,
        iteration: int,
        gap: float,
        threshold: float,
        running: int = 1,
        name: str = "loss",
        most: int | None = None,
    ) -> None:
        """Show how far a descent has come. It can be called as often as one likes.

        Args:
            label: of the descent: `trial 12`, `64 trials at once`.
            iteration: of the descent.
            gap: its loss - f*; not a number for several descents.
            threshold: that the gap has to reach; not a number for several descents.
            running: how many descents run together.
            name: of the gap, as `gap_name` gives it.
            most: the iterations that each trial may make; None: not known.
        """
        now = self._clock()
        known = self._descent
        if known is None or known.label != label or iteration < known.iteration:
            self._descent = known = DescentLine(label, now, gap)
        known.iteration, known.gap, known.threshold = iteration, gap, threshold
        known.running, known.name, known.most = running, name, most
        self._changed = True
        self._show()

    def show_running(self, count: int) -> None:
        """Show how many trials other processes run. It can be called as often as one likes."""
        self._running = count
        self._show()

    def text(self, last: bool = False) -> str:
        """Return the state on one line of ASCII.

        The last line leaves out the time left, which is none, and the best trial, which the
        report after it begins with.
        """
        return ", ".join(word for part in self._parts(last) for word in part)

    def _parts(self, last: bool) -> list[list[str]]:
        """Return the parts of `text`: trials, their statuses, steps, the descent, time left."""
        done = f"{self._done:,}/{self._total:,} trials"
        head = [done, *([] if last else [*self._running_words(), *self._best_words()])]
        counts = [f"{count:,} {status}" for status, count in self._counts.most_common()]
        descent = [] if self._descent is None else [self._descent.text()]
        left = [] if last else self._left_words()
        return [head, counts, self._spent_words(), descent, left]

    def _fitting_text(self, last: bool) -> str:
        """Return as much of `text` as fits into a line of a log; the descent matters most.

        While a descent runs, its iteration is in every line: all else may stand still.
        """
        head, counts, spent, descent, left = self._parts(last)
        line = ""
        moving = [] if self._descent is None else [[self._descent.where()]]
        for parts in (
            (head, counts, spent, descent, left),
            *([(head[:1], descent, left), (head[:1], descent)] if descent else []),
            *((each, where, left) for where in moving for each in (head, head[:1])),
            *((head[:1], where) for where in moving),
            *((where,) for where in moving),
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
        """Return the state in lines of at most `width` columns, for a terminal."""
        between, end = (", ", "") if ascii_only else (" · ", "…")
        pieces = [Text(words) for words in self._running_words()]
        pieces += [Text(words, style="bold") for words in self._best_words()]
        pieces += [
            Text(f"{count:,} {status}", style=COLOURS.get(status, ""))
            for status, count in self._counts.most_common()
        ]
        lines = [self._head(width, between, ascii_only), *pack(pieces, between, width)]
        if self._descent is not None and self._descent.is_long(self._clock()):
            lines.append(self._descent.line(width, ascii_only))
        return [cut(line, width, end) for line in lines]

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
        if self._describe is not None:
            return [f"best {self._describe(record)}"]
        if record.status != Status.CONVERGED:
            return ["none converged yet"] if not self._counts[Status.CONVERGED] else []
        at = "" if lr is None else f" at lr {lr:.6g}"
        return [f"best {format_large_count(record.iterations, 'iteration')}{at}"]

    def _running_words(self) -> list[str]:
        """Return how many trials other processes run, and since when, which moves always."""
        if not self._running:
            return []
        return [
            f"{self._running:,} running",
            f"{format_duration(self._clock() - self._began)} so far",
        ]

    def _spent_words(self) -> list[str]:
        descent = self._descent
        alone = descent.iteration if descent is not None and descent.running == 1 else 0
        steps = self._steps + alone
        return [format_large_count(steps, "step")] if steps else []

    def _left_words(self) -> list[str]:
        now, trials = self._clock(), self._total - self._done
        left = self._time_left.seconds(now, trials)
        if left is not None:
            spent = now - self._began
            settled = any(spent >= least and self._added >= count for least, count in SETTLED)
            return [f"{format_duration(left)} left"] if settled else []
        longest = None if self._descent is None else self._descent.longest(now, trials)
        return [] if longest is None else [f"at this pace at most {format_duration(longest)} left"]

    def _head(self, width: int, between: str, ascii_only: bool) -> Text:
        """Return the bar and as many words as fit behind it; the least important go first."""
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
        """Draw, or print a line, if it is time to."""
        now = self._clock()
        if now < self._next:
            return
        if not self._is_live:
            self._next = now + LOG_EVERY_SECONDS
            self._without_errors(lambda: self._log(self._fitting_text(last=False)))
            return
        self._without_errors(self._live.refresh)
        took = self._clock() - now
        self._next = now + max(DRAW_EVERY_SECONDS, took / DRAW_SHARE)

    def _log(self, text: str) -> None:
        self._changed = False
        self._out.print(text, markup=False, highlight=False, soft_wrap=True)

    def _without_errors(self, act: Callable[[], object]) -> None:
        """Draw or print; after an error never again, since the sweep has to go on."""
        try:
            act()
        except Exception:
            self._next = math.inf
