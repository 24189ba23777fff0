"""A benchmark from its settings to its report."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from gdexp.config import ARITHMETIC, digest
from gdexp.core import command_folder
from gdexp.suite import tables, workers
from gdexp.suite.cells import FINE, Cell, coarse_rates, rate_at
from gdexp.suite.coco_files import coco_files
from gdexp.suite.descents import Function
from gdexp.suite.folder import CELLS, RATES, Folder
from gdexp.suite.iohanalyzer_files import iohanalyzer_files
from gdexp.suite.outcome import Outcome
from gdexp.suite.report import file_name, report
from gdexp.suite.settings import BenchmarkSettings
from gdexp.suite.work import Work

FOLDER, REPORT, CELL_TABLE = "benchmarks", "report.html", "cells.csv"
TRIED_EVALUATIONS = 2000
"""The most evaluations of a descent that a preview tries."""

Progress = Callable[[str, int, int], None]
"""It is told the part, the cells that are done and all."""


@dataclass(frozen=True)
class Estimate:
    """What is left of a benchmark.

    Attributes:
        rates: cells whose rate is to be swept.
        cells: cells whose descents are to be made.
        descents: of these cells.
        seconds: a guess at the time of one process.
    """

    rates: int
    cells: int
    descents: int
    seconds: float


@dataclass(frozen=True)
class Finished:
    """A benchmark that is done.

    Attributes:
        outcome: of it.
        solvers: a row for each solver and dimension.
        running_times: a row for each solver, task and decade.
    """

    outcome: Outcome
    solvers: Sequence[dict[str, Any]]
    running_times: Sequence[dict[str, Any]]


class Benchmark:
    """A benchmark and its folder.

    Args:
        settings: what it runs.
        seed: of the first start.

    Raises:
        BadInput: the folder holds another benchmark.
    """

    def __init__(self, settings: BenchmarkSettings, seed: int) -> None:
        self.definition: dict[str, Any] = {
            **settings.definition(),
            "seed": seed,
            "arithmetic": ARITHMETIC,
        }
        self.definition = json.loads(json.dumps(self.definition))
        self.name = settings.name or f"bbob-{digest(self.definition)[:8]}"
        self.folder = Folder(command_folder() / FOLDER / self.name)
        self.folder.check(self.definition)
        self.work = Work(settings, seed, self.folder)

    def run(self, progress: Progress) -> Finished:
        """Do what is missing, write all files, and return what was found.

        Raises:
            StudyInUse: another process holds the folder.
            StorageFailed: a file cannot be written or read.
        """
        with self.folder.locked() as lock:
            self.folder.create(self.definition)
            for part in (RATES, CELLS):
                self._do(part, lock, progress)
            outcome = Outcome.of(self.work)
            solvers, times = tables.solver_rows(outcome), tables.running_time_rows(outcome)
            finished = Finished(outcome, solvers, times)
            self._write(finished)
        return finished

    def _do(self, part: str, lock: int, progress: Progress) -> None:
        missing = self.work.missing(part)
        total, settings = len(missing), self.work.settings
        if settings.workers > 1 and total:
            order = {
                "settings": {**self.definition_settings(), "workers": 1},
                "seed": self.work.seed,
                "folder": str(self.folder.path),
            }

            def look() -> None:
                progress(part, total - len(self.work.missing(part)), total)

            workers.share(part, missing, settings.workers, order, lock, look)
            missing = self.work.missing(part)  # of a process that was killed
        done = total - len(missing)

        def watch(part: str, cell: Cell) -> None:
            nonlocal done
            done += 1
            progress(part, done, total)

        self.work.do(part, missing, watch)

    def definition_settings(self) -> dict[str, Any]:
        """Return the settings that decide the outcome."""
        return {k: v for k, v in self.definition.items() if k in BenchmarkSettings.keys()}  # noqa: SIM118

    def _write(self, finished: Finished) -> None:
        outcome, solvers, times = finished.outcome, finished.solvers, finished.running_times
        whole = {"definition": self.definition, "solvers": solvers, "running_times": times}
        self.folder.write(tables.SOLVERS, tables.table(solvers))
        self.folder.write(tables.RUNNING_TIMES, tables.table(times))
        self.folder.write(CELL_TABLE, tables.table(tables.cell_rows(outcome)))
        self.folder.write(tables.WHOLE, json.dumps(whole, indent=1, allow_nan=False) + "\n")
        for solver in outcome.solvers:
            for kind, files in (("coco", coco_files), ("iohanalyzer", iohanalyzer_files)):
                for name, content in files(solver):
                    self.folder.write(f"{kind}/{file_name(solver)}/{name}", content)
        self.folder.write(REPORT, report(self.name, outcome, solvers))

    def estimate(self) -> Estimate:
        """Return what is left, with a time that a few cells are tried for; nothing is written."""
        rates, cells = self.work.missing(RATES), self.work.missing(CELLS)
        seconds = 0.0
        for dimension in self.work.settings.dimensions:
            parts = [[c for c in part if c.dimension == dimension] for part in (rates, cells)]
            if any(parts):
                functions = list(dict.fromkeys(c.function for part in parts for c in part))
                tried = [self._seconds(functions[i], dimension) for i in _inner(len(functions))]
                for part, each in zip(parts, zip(*tried, strict=True), strict=True):
                    seconds += len(part) * sum(each) / len(each)
        return Estimate(len(rates), len(cells), sum(map(self._rows, cells)), seconds)

    def _rows(self, cell: Cell) -> int:
        s = self.work.settings
        return len(s.instances) * s.starts * (2 if self.work.entry(cell).swept else 1)

    def _seconds(self, number: int, dimension: int) -> tuple[float, float]:
        """Return a guess at the time of a cell's rates and of its descents, from one instance."""
        settings, seed = self.work.settings, self.work.seed
        budget = settings.budget * dimension
        function = Function(number, dimension, min(budget, TRIED_EVALUATIONS))
        entry, rates = settings.entries[-1], [rate_at(k) for k in coarse_rates(settings)]
        longer = budget / function.budget
        times = []
        for instance, tried, starts in (
            (settings.rate_instances[0], rates if entry.swept else [None], settings.rate_starts),
            (settings.instances[0], [rates[0]] * 2 if entry.swept else [None], settings.starts),
        ):
            began = time.perf_counter()
            function.descend(entry, tried, instance, range(seed, seed + starts))
            times.append((time.perf_counter() - began) * longer)
        share = 1 + len(FINE) / len(rates)
        return times[0] * len(settings.rate_instances) * share, times[1] * len(settings.instances)


def _inner(count: int) -> list[int]:
    """Return the places at a third and at two thirds of a list."""
    return sorted({count // 3, 2 * count // 3})
