"""`python -m gdexp +benchmark`: update rules over the functions of COCO's bbob suite."""

from __future__ import annotations

from dataclasses import asdict
from typing import TYPE_CHECKING

from rich.table import Table
from rich.text import Text

from gdexp.config import Config, construct, typed_overrides
from gdexp.core import BadInput, format_count, format_duration, json_output, shown_path, validation
from gdexp.display import terminal
from gdexp.suite import (
    HEADINGS,
    REPORT,
    Benchmark,
    BenchmarkSettings,
    solver_table,
)

if TYPE_CHECKING:
    from rich.console import Console

READ = ("+benchmark", "benchmark", "seed", "tracking", "output", "hydra")
"""The keys that a benchmark reads."""

LEFT_OUT = ("dimension", "its interval")
"""Columns of the report for which the terminal has no room."""


def benchmark(config: Config) -> None:
    """Run a benchmark, or go on with it, and write its report and its data.

    Raises:
        BadInput: a value that cannot be used, or a key that a benchmark does not read; nothing
            is written then.
        StudyInUse: another process works on the same benchmark.
        StorageFailed: a file cannot be written.
    """
    _check_overrides()
    settings = construct("benchmark", BenchmarkSettings, config["benchmark"])
    seed = validation.integer("seed", config["seed"])
    out = terminal.console()
    try:
        made = Benchmark(settings, seed)
    except BadInput as error:
        raise error.in_section("benchmark") if "." not in error.key else error from None
    if settings.preview:
        _preview(out, made)
        return
    progress = _Lines(out)
    finished = made.run(progress)
    progress.end()
    json_output.answer(
        "benchmark",
        {
            "name": made.name,
            "definition": made.definition,
            "solvers": finished.solvers,
            "running_times": finished.running_times,
            "report": shown_path(made.folder.path / REPORT),
        },
    )
    for dimension in finished.outcome.dimensions:
        out.print(f"[bold]dimension {dimension}[/bold]")
        rows = [row for row in finished.solvers if row["dimension"] == dimension]
        shown = Table(box=None, padding=(0, 2, 0, 0), pad_edge=False, header_style="bold")
        columns = [i for i, name in enumerate(HEADINGS) if name not in LEFT_OUT]
        for i in columns:
            shown.add_column(HEADINGS[i], justify="right" if i else "left", no_wrap=True)
        for cells in solver_table(rows).rows:
            shown.add_row(*(Text(cells[i]) for i in columns))
        out.print(shown)
        out.print()
    out.print(
        "[dim]Targets met: the share of function, instance, start and target (100 … 1e-8) that was "
        "met; score: AlgoPerf's, of expected running times. Report; beside it CSV, JSON, and "
        "coco/ and iohanalyzer/ for cocopp and IOHanalyzer:[/dim]"
    )
    terminal.print_line(out, shown_path(made.folder.path / REPORT))


def _check_overrides() -> None:
    for line in typed_overrides():
        key, _, value = line.partition("=")
        if key.split(".")[0].lstrip("+") not in [name.lstrip("+") for name in READ]:
            allowed = "is not read with +benchmark, whose keys are benchmark.rules, …, and seed"
            raise BadInput(key, value, allowed)


def _preview(out: Console, made: Benchmark) -> None:
    settings, left = made.work.settings, made.estimate()
    answer = {"name": made.name, "definition": made.definition, **asdict(left)}
    json_output.answer("benchmark_preview", answer)
    labels = ", ".join(entry.label for entry in settings.entries)
    facts = [
        ("rules", terminal.escape_text(labels)),
        ("functions", ", ".join(map(str, settings.functions))),
        ("dimensions", ", ".join(map(str, settings.dimensions))),
        ("instances", f"{', '.join(map(str, settings.instances))}; {settings.starts} starts each"),
        ("budget", f"{settings.budget:,} × dimension evaluations of loss and gradient"),
        ("to do", f"{_left(left.rates, left.cells)}, {format_count(left.descents, 'descent')}"),
        ("time", _time(left.seconds, settings.workers)),
        ("folder", terminal.escape_text(shown_path(made.folder.path))),
    ]
    terminal.print_facts(out, facts)
    terminal.print_line(out, "\nNothing was written. Without benchmark.preview=true it begins.")


def _left(rates: int, cells: int) -> str:
    sweeps = f"{format_count(rates, 'sweep')} of a rate, " if rates else ""
    return f"{sweeps}{format_count(cells, 'cell')} (rule, function, dimension)"


def _time(seconds: float, workers: int) -> str:
    if not seconds:
        return "all is done; the report is made again"
    shared = f" of one process; {workers} share it" if workers > 1 else ""
    return f"about {format_duration(seconds)}{shared} (estimated from a few cells)"


class _Lines:
    """Says how far it is: one line that is rewritten for a person, a line per tenth for a log."""

    def __init__(self, out: Console) -> None:
        self._out, self._open, self._said = out, False, ("", -1)

    def __call__(self, part: str, done: int, total: int) -> None:
        words = {"rates": "learning rates swept", "cells": "cells"}[part]
        if self._out.file.isatty():
            self._out.print(f"\r{words}: {done:,} of {total:,}", end="", highlight=False)
            self._open = True
        elif total and (part, 10 * done // total) != self._said:
            self._said = (part, 10 * done // total)
            self._out.print(f"{words}: {done:,} of {total:,}")

    def end(self) -> None:
        """Go to the next line."""
        if self._open:
            self._out.print()
