"""The work of a benchmark: which cells are missing, and doing them."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

from gdexp.core import signals
from gdexp.suite.cells import Cell, RateSweep, common_rate, descents, sweep_rate
from gdexp.suite.descents import Descent, Function
from gdexp.suite.entry import Entry
from gdexp.suite.folder import RATES, Folder
from gdexp.suite.settings import BenchmarkSettings
from gdexp.suite.shipped_rates import Rates, shipped_rates

Watch = Callable[[str, Cell], None]


@dataclass(frozen=True)
class Work:
    """A benchmark on its way.

    Attributes:
        settings: what it runs.
        seed: of the first start.
        folder: where it keeps what is done.
    """

    settings: BenchmarkSettings
    seed: int
    folder: Folder

    def cells(self) -> list[Cell]:
        """Return all cells; those of a function and dimension follow each other."""
        return [
            Cell(entry.label, function, dimension)
            for dimension in self.settings.dimensions
            for function in self.settings.functions
            for entry in self.settings.entries
        ]

    def entry(self, cell: Cell) -> Entry:
        """Return the rule of a cell."""
        return next(each for each in self.settings.entries if each.label == cell.rule)

    def shipped(self, cell: Cell) -> Rates | None:
        """Return the rates of a cell that are shipped and asked for."""
        return shipped_rates().get(cell) if self.settings.rates == "shipped" else None

    def missing(self, part: str) -> list[Cell]:
        """Return the cells of which a part is to be done."""
        needed = self.cells()
        if part == RATES:
            needed = [c for c in needed if self.entry(c).swept and self.shipped(c) is None]
        return [cell for cell in needed if not self._done(part, cell)]

    def _done(self, part: str, cell: Cell) -> bool:
        data = self.folder.get(part, cell)
        if data is None or part == RATES or not self.entry(cell).makes_trials:
            return data is not None
        # The descents of an earlier version do not know their iterates.
        return all(Descent.load(each).iterates for each in data["descents"])

    def rates(self, cell: Cell) -> Rates | None:
        """Return the rates of a cell; None where its rule has none that is swept."""
        if not self.entry(cell).swept:
            return None
        known = self.shipped(cell)
        if known is not None:
            return known
        sweeps = {
            c.function: sweep
            for c in self.cells()
            if (c.rule, c.dimension) == (cell.rule, cell.dimension)
            and (sweep := self._sweep(c)) is not None
        }
        return Rates(sweeps[cell.function].best, common_rate(list(sweeps.values())))

    def _sweep(self, cell: Cell) -> RateSweep | None:
        found = self.folder.get(RATES, cell)
        return None if found is None else RateSweep.load(found)

    def do(self, part: str, cells: Sequence[Cell], watch: Watch | None = None) -> None:
        """Do a part of cells, and keep each as soon as it is done.

        Args:
            part: rates, or cells once all rates are known.
            cells: that are missing.
            watch: called after each.
        """
        for function, group in _by_function(cells, self.settings.budget):
            for cell in group:
                signals.check()
                began, entry = time.perf_counter(), self.entry(cell)
                if part == RATES:
                    data = sweep_rate(entry, function, self.settings, self.seed).as_data()
                else:
                    rates = self.rates(cell)
                    own = [None] if rates is None else [rates.function, rates.common]
                    made = descents(entry, function, self.settings, own, self.seed)
                    data = {
                        "rate": None if rates is None else rates.function,
                        "common_rate": None if rates is None else rates.common,
                        "engine": function.engine,
                        "descents": [each.as_data() for each in made],
                    }
                seconds = time.perf_counter() - began
                self.folder.put(part, cell, {**cell._asdict(), **data, "seconds": seconds})
                if watch is not None:
                    watch(part, cell)


def _by_function(cells: Sequence[Cell], budget: int) -> Iterator[tuple[Function, list[Cell]]]:
    """Yield each function with its cells, so that its loss is recorded once for all rules."""
    groups: dict[tuple[int, int], list[Cell]] = {}
    for cell in cells:
        groups.setdefault((cell.function, cell.dimension), []).append(cell)
    for (number, dimension), group in groups.items():
        yield Function(number, dimension, budget * dimension), group
