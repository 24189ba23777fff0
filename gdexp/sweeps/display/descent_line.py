"""The line of a long descent: a bar, its iteration and its loss."""

from __future__ import annotations

import math

from rich.text import Text

SHOW_AFTER_SECONDS = 0.5
"""A descent gets a line after this time; lines of shorter ones would flicker."""

SHORTEST_BAR, LONGEST_BAR = 8, 40


class DescentLine:
    """The state of a running descent.

    Args:
        label: of the descent.
        began: when the descent was first seen, in seconds.
        first: its first loss - f*.
    """

    def __init__(self, label: str, began: float, first: float) -> None:
        self.label, self.began, self.first = label, began, first
        self.iteration, self.gap, self.threshold = 0, first, math.nan
        self.running, self.name = 1, "loss"
        self.most: int | None = None

    def is_long(self, now: float) -> bool:
        """Whether the descent has taken long enough for a line."""
        return now - self.began >= SHOW_AFTER_SECONDS

    @property
    def share(self) -> float | None:
        """The share of the way to the threshold on a log axis; None if it is not known."""
        if not (math.isfinite(self.gap) and math.isfinite(self.first) and self.threshold > 0):
            return None
        if self.first <= self.threshold or self.gap >= self.first:
            return 0.0
        total = math.log(self.first) - math.log(self.threshold)
        return min((math.log(self.first) - math.log(max(self.gap, self.threshold))) / total, 1.0)

    def longest(self, now: float, trials: int) -> float | None:
        """Return the seconds that trials take which make all their iterations at the present pace.

        Args:
            now: in seconds.
            trials: that are left, this one included.

        Returns:
            None while nothing is known of the pace.
        """
        if self.most is None or not self.iteration or not self.is_long(now):
            return None
        each = (now - self.began) / self.iteration
        return each * (trials * self.most - self.iteration)

    def text(self) -> str:
        """Return the whole state in ASCII."""
        return f"{self.label}: {', '.join([self._where(), *self._loss('->')])}"

    def where(self) -> str:
        """Return the label and how far the descent has come, in ASCII."""
        return f"{self.label}: {self._where()}"

    def line(self, width: int, ascii_only: bool) -> Text:
        """Return as many words as fit into a width, and a bar if there is room."""
        where, loss = self._where(), self._loss("->" if ascii_only else "→")
        short = [part.removeprefix(f"{self.name} ") for part in loss] or [where]
        words = ""
        for parts in ([where, *loss], loss or [where], short):
            words = ", ".join(parts)
            if len(self.label) + 1 + len(words) <= width:
                break
        line = Text(f"{self.label} ", style="dim")
        room = width - len(line) - len(words) - 1
        if self.share is not None and room >= SHORTEST_BAR:
            line += bar(self.share, min(room, LONGEST_BAR // 2), "cyan", ascii_only)
        return line.append(words)

    def _where(self) -> str:
        if self.running != 1:
            return f"{self.running:,} going, iteration {self.iteration:,}"
        return f"iteration {self.iteration:,}"

    def _loss(self, arrow: str) -> list[str]:
        if math.isnan(self.gap) and math.isnan(self.threshold):
            return []
        if self.threshold == -math.inf:  # there is none
            return [f"{self.name} {self.gap:.1e}"]
        return [f"{self.name} {self.gap:.1e} {arrow} {self.threshold:g}"]


def bar(share: float, width: int, style: str, ascii_only: bool) -> Text:
    """Return a bar of `width` columns and a space; empty for a width below 1.

    The done part is thick and the rest is thin, so that the bar needs no colour.
    """
    if width < 1:
        return Text()
    done, rest = ("#", "-") if ascii_only else ("━", "─")
    filled = min(max(int(share * width), 0), width)
    return Text(done * filled, style=style).append(rest * (width - filled), "dim").append(" ", "")
