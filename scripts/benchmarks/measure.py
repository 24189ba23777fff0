"""Measuring things by turns, and telling what came out."""

from __future__ import annotations

import json
import statistics
from collections.abc import Callable, Iterator, Sequence
from contextlib import chdir, contextmanager
from dataclasses import asdict, dataclass
from tempfile import TemporaryDirectory
from typing import Literal

import torch
from rich.console import Console
from rich.table import Table


@dataclass(frozen=True)
class Figure:
    """One number that is held against a target.

    Attributes:
        name: what is compared with what.
        median: of the rounds.
        low: the smallest of the rounds.
        high: the largest of the rounds.
        target: what the median is to reach.
        better: whether a lower or a higher median is better.
        note: the absolute times or sizes behind it.
    """

    name: str
    median: float
    low: float
    high: float
    target: float
    better: Literal["lower", "higher"] = "lower"
    note: str = ""

    @property
    def reached(self) -> bool:
        """Whether the median meets the target."""
        if self.better == "lower":
            return self.median <= self.target
        return self.median >= self.target


def figure(
    name: str,
    values: Sequence[float],
    target: float,
    better: Literal["lower", "higher"] = "lower",
    note: str = "",
) -> Figure:
    """Median and spread of the rounds."""
    return Figure(name, statistics.median(values), min(values), max(values), target, better, note)


def by_turns(contenders: dict[str, Callable[[], float]], rounds: int) -> dict[str, list[float]]:
    """What each contender returns, one after the other in every round.

    Taking turns lets a slow moment of the machine fall on all of them. A first round warms up
    and does not count.
    """
    values: dict[str, list[float]] = {name: [] for name in contenders}
    for count in range(rounds + 1):
        for name, contender in contenders.items():
            value = contender()
            if count:
                values[name].append(value)
    return values


@contextmanager
def elsewhere() -> Iterator[None]:
    """Make a current directory that is gone afterwards, for what commands write."""
    with TemporaryDirectory() as folder, chdir(folder):
        yield


@contextmanager
def one_thread() -> Iterator[None]:
    """Hold torch to one thread: what is compared is the work of one core.

    The notebook's loop cannot use a second one, and on a busy machine threads that wait for each
    other would be what is measured.
    """
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        yield
    finally:
        torch.set_num_threads(before)


def ratios(numerators: Sequence[float], denominators: Sequence[float]) -> list[float]:
    """Round by round."""
    return [a / b for a, b in zip(numerators, denominators, strict=True)]


def as_json(results: dict[str, list[Figure]]) -> str:
    """All figures of all benchmarks."""
    plain = {
        name: [{**asdict(each), "reached": each.reached} for each in figures]
        for name, figures in results.items()
    }
    return json.dumps(plain, indent=2)


def print_table(name: str, figures: Sequence[Figure]) -> None:
    """The figures of one benchmark."""
    table = Table(title=name, title_justify="left", title_style="bold")
    table.add_column("figure")
    for column in ("median", "min – max", "target", ""):
        table.add_column(column, justify="right")
    table.add_column("behind it")
    for each in figures:
        sign = "<=" if each.better == "lower" else ">="
        table.add_row(
            each.name,
            _short(each.median),
            f"{_short(each.low)} – {_short(each.high)}",
            f"{sign} {_short(each.target)}",
            "[green]reached[/]" if each.reached else "[red]missed[/]",
            each.note,
        )
    # Into a file or a pipe, wide enough that no name is folded.
    console = Console()
    (console if console.is_terminal else Console(width=150)).print(table)


def _short(value: float) -> str:
    return f"{value:,.0f}" if abs(value) >= 100 else f"{value:.3g}"
