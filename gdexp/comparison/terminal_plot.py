"""A plot of loss curves for the terminal, in Braille characters of two by four dots."""

from __future__ import annotations

import math

import numpy as np
from rich.text import Text

from gdexp.comparison.comparison import Comparison
from gdexp.comparison.figure_model import Floats
from gdexp.comparison.loss_curves import LOG_AXIS_RATIO, curve_steps, gap_ceiling, log_axis_values
from gdexp.comparison.reported import GAP, curve
from gdexp.descent import LOSS

DOTS = ((0x01, 0x08), (0x02, 0x10), (0x04, 0x20), (0x40, 0x80))
COLOURS = ("bright_blue", "dark_orange", "green3", "magenta", "yellow3", "cyan")
MOST_PLOTTED = len(COLOURS)
MARGIN = 9


def plot_lines(comparison: Comparison, width: int = 78, height: int = 14) -> list[Text]:
    """Plot the loss gaps of the best few runs, with log y axis and a letter at each curve's end.

    Args:
        comparison: the compared runs.
        width: the width of the plot with its axis, in characters.
        height: the height without axis and legend, in characters.

    Returns:
        The lines; none if no gap can be drawn on a log axis.
    """
    runs = list(comparison.runs)
    if len(runs) > MOST_PLOTTED:  # take the best seed of each configuration
        best = {run.configuration: run for run in reversed(comparison.ranked)}
        runs = sorted(best.values(), key=comparison.ranked.index)[:MOST_PLOTTED]
    longest = max(run.updates for run in runs)
    shortest = max(1, min(run.updates for run in runs))
    x_log = longest > LOG_AXIS_RATIO * shortest
    top = gap_ceiling(runs)
    drawn: list[tuple[Floats, Floats]] = []
    for run in runs:
        values = curve(run)
        steps = np.array(curve_steps(values, most=800))
        gaps = log_axis_values(values[steps], top)
        finite = np.isfinite(gaps)
        x = np.log10(steps[finite] + 1.0) if x_log else steps[finite].astype(np.float64)
        drawn.append((x, np.log10(gaps[finite])))
    levels = np.concatenate([y for _, y in drawn])
    if longest == 0 or levels.size < 2 or levels.max() - levels.min() < 1e-3:
        return []
    low, high = float(levels.min()), float(levels.max())
    canvas = _Canvas(width - MARGIN, height, _end(longest, x_log), low, high)
    first, shown = comparison.runs[0], comparison.gap_name
    is_shown = first.metric == (LOSS if shown == GAP else shown)
    threshold = first.threshold if is_shown and not comparison.thresholds_differ else None
    if threshold is not None and threshold > 0 and low <= math.log10(threshold) <= high:
        canvas.level(math.log10(threshold))
    # The best is drawn last, above the others.
    for i in reversed(range(len(runs))):
        canvas.curve(*drawn[i], i)
    for i in reversed(range(len(runs))):
        canvas.end(*drawn[i], i)
    lines = canvas.lines()
    last = f"{longest:,}"
    axis = f"{'':>{MARGIN - 1}}0{last:>{width - MARGIN}}"
    lines.append(Text(axis + ("  log" if x_log else ""), style="dim"))
    for i, run in enumerate(runs):
        label = Text(" " * MARGIN)
        label.append(f"{_letter(i)} ", style=f"bold {COLOURS[i]}")
        label.append(comparison.label(run)[: width - MARGIN - 3])
        lines.append(label)
    return lines


def _end(longest: int, x_log: bool) -> float:
    return math.log10(longest + 1.0) if x_log else float(longest)


def _letter(i: int) -> str:
    return "abcdefghijkl"[i]


class _Canvas:
    """A grid of characters that holds dots and letters."""

    def __init__(self, columns: int, rows: int, end: float, low: float, high: float) -> None:
        self._columns, self._rows = columns, rows
        self._end, self._low, self._high = end, low, high
        self._dots = np.zeros((rows, columns), dtype=int)
        self._owner = np.full((rows, columns), -1)
        self._letters: dict[tuple[int, int], int] = {}
        self._dashes: int | None = None

    def level(self, y: float) -> None:
        """Draw a dashed horizontal line."""
        self._dashes = int(self._row(y)) // 4

    def curve(self, x: Floats, y: Floats, owner: int) -> None:
        """Draw a line through points."""
        for i in range(max(len(x) - 1, 0)):
            span = max(
                abs(self._column(x[i + 1]) - self._column(x[i])),
                abs(self._row(y[i + 1]) - self._row(y[i])),
            )
            for part in np.linspace(0, 1, int(span) + 2):
                self._dot(x[i] + part * (x[i + 1] - x[i]), y[i] + part * (y[i + 1] - y[i]), owner)
        if len(x) == 1:
            self._dot(x[0], y[0], owner)

    def end(self, x: Floats, y: Floats, owner: int) -> None:
        """Put the curve's letter at its end, to the left of other letters there."""
        if not len(x):
            return
        row, column = int(self._row(y[-1])) // 4, int(self._column(x[-1])) // 2
        while (row, column) in self._letters and column > 0:
            column -= 1
        self._letters[row, column] = owner

    def lines(self) -> list[Text]:
        """Return the lines, with the labels of the y axis at the left."""
        lines = []
        marked = {0: self._high, self._rows - 1: self._low, self._rows // 2: None}
        for row in range(self._rows):
            line = Text()
            level = marked.get(row, math.nan)
            if level is None:
                level = self._high - (row + 0.5) / self._rows * (self._high - self._low)
            shown = "" if math.isnan(level) else f"{10**level:.1e}"
            line.append(f"{shown:>{MARGIN - 2}} │", style="dim")
            for column in range(self._columns):
                owner = self._letters.get((row, column))
                if owner is not None:
                    line.append(_letter(owner), style=f"bold {COLOURS[owner]}")
                elif self._dots[row, column]:
                    line.append(
                        chr(0x2800 + int(self._dots[row, column])),
                        style=COLOURS[self._owner[row, column]],
                    )
                elif row == self._dashes:
                    line.append("╌" if column % 2 == 0 else " ", style="dim red")
                else:
                    line.append(" ")
            lines.append(line)
        return lines

    def _dot(self, x: float, y: float, owner: int) -> None:
        column, row = int(self._column(x)), int(self._row(y))
        self._dots[row // 4, column // 2] |= DOTS[row % 4][column % 2]
        self._owner[row // 4, column // 2] = owner

    def _column(self, x: float) -> float:
        return min(max(x / self._end, 0.0), 1.0) * (2 * self._columns - 1)

    def _row(self, y: float) -> float:
        return min(max((self._high - y) / (self._high - self._low), 0.0), 1.0) * (
            4 * self._rows - 1
        )
