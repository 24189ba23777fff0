"""`python -m gdexp +compare=RUN_ID`: compare tracked runs in the terminal and in a report."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from rich import table as rich_table
from rich.markup import escape
from rich.text import Text

from gdexp.comparison import (
    DIFFERENT_THRESHOLDS_NOTE,
    SIDE_BY_SIDE,
    Comparison,
    Table,
    data,
    data_files,
    differences_table,
    has_curves,
    html_page,
    is_report,
    left_out_lines,
    make_pictures,
    plot_lines,
    render_png,
    repeat_commands,
    repeat_title,
    running_time_table,
    summary_lines,
    threshold_table,
)
from gdexp.config import Config, construct, digest
from gdexp.core import (
    BadInput,
    StorageFailed,
    command_folder,
    json_output,
    shown_path,
    validation,
)
from gdexp.descent import COSTS, ITERATIONS, LOSS, THRESHOLDS
from gdexp.display import terminal
from gdexp.runs import RunLoader, best_runs
from gdexp.tracking import TrackingSettings

if TYPE_CHECKING:
    from rich.console import Console

FOLDER = "compare"
MOST_COMPARED = 2_000
"""The most runs that are compared: every trace of them is read."""

REPORT = "report.html"


@dataclass(frozen=True)
class CompareSettings:
    """The config group `compare`.

    Args:
        runs: run ids or their first digits, a sweep's id for the runs of its trials; None: the
            newest sweep's, or the newest run, whichever is newer.
        thresholds: at which hitting times are read, each > 0; at most 20.
        rows: most runs in the terminal's tables.
        curves: most loss curves drawn.
        cost: what the hitting times of tables and profiles are in: iterations, gradients,
            evaluations (of the loss) or seconds.
    """

    runs: Sequence[str] | str | None = None
    thresholds: Sequence[float] = THRESHOLDS
    rows: int = 20
    curves: int = 60
    cost: str = ITERATIONS

    def __post_init__(self) -> None:
        validation.integer("rows", self.rows, low=1, high=1000)
        validation.integer("curves", self.curves, low=1, high=1000)
        validation.choice("cost", self.cost, COSTS)
        listed = isinstance(self.thresholds, Sequence) and not isinstance(self.thresholds, str)
        if not listed or not 1 <= len(self.thresholds) <= 20:
            raise BadInput("thresholds", self.thresholds, "must be a list of 1 to 20 numbers")
        for threshold in self.thresholds:
            validation.positive("thresholds", threshold)
        if self.runs is not None and (not isinstance(self.runs, Sequence) or not self.runs):
            raise BadInput("runs", self.runs, "must be a run id, a list of them, or null")


def compare(config: Config) -> None:
    """Compare tracked runs in the terminal, as one HTML page, as PNG, CSV and JSON files.

    The files are stored with the sweep; those of a list of runs go to `compare/` here.

    Raises:
        BadInput: no such run, or nothing to compare; nothing is written then.
        StorageFailed: the store cannot be read, or the files cannot be written.
    """
    settings = construct("compare", CompareSettings, config["compare"] or {})
    tracking = construct("tracking", TrackingSettings, config["tracking"])
    loader = RunLoader(tracking)
    newest = settings.runs is None
    found = loader.load_newest() if newest else loader.load(settings.runs, key="+compare")
    chosen = best_runs(found, MOST_COMPARED)
    comparison = Comparison.of(chosen, settings.thresholds, settings.cost)
    out = terminal.console()
    if len(found) > MOST_COMPARED:
        out.print(f"[dim]the best {MOST_COMPARED:,} of {len(found):,} runs are compared[/dim]\n")
    show(out, comparison, settings.rows, newest)
    if not _can_write(loader, comparison):
        out.print("\n[dim]no report: the folder for it is read-only[/dim]")
        json_output.answer("compare", {**data(comparison), "report": None})
        return
    pictures = make_pictures(comparison, settings.curves)
    # The report first: by it a folder that a kill left half is known as gdexp's.
    files = {REPORT: html_page(comparison, pictures).encode()}
    files |= data_files(comparison)
    files |= {f"{picture.name}.png": render_png(picture) for picture in pictures}
    if comparison.sweep is not None:
        place = f"{loader.log_files(comparison.sweep, FOLDER, files)}/{REPORT}"
    else:
        place = _write(comparison, files)
    out.print(
        f"\n[dim]report; beside it {len(pictures)} pictures, and the numbers as CSV and JSON[/dim]"
    )
    terminal.print_line(out, place)
    json_output.answer("compare", {**data(comparison), "report": place})


def show(out: Console, comparison: Comparison, most: int, newest: bool = False) -> None:
    """Print the summary, the tables and the curves at the width of the console.

    Args:
        out: the console.
        comparison: what is shown.
        most: rows of a table.
        newest: whether the runs were taken because they are the newest.
    """
    facts = []
    chosen = ", the newest here" if newest else ""
    if comparison.sweep is not None:
        facts.append(("sweep", f"[bold]{escape(comparison.sweep.name)}[/bold]{chosen}"))
    elif newest:
        run = comparison.reference
        facts.append(("run", f"[bold]{run.short}[/bold] {escape(run.name)}{chosen}"))
    facts += [(name, escape(value)) for name, value in summary_lines(comparison)]
    facts += [("left out", escape(line)) for line in left_out_lines(comparison)]
    terminal.print_facts(out, facts)
    commands = repeat_commands(comparison)
    if commands:
        out.print(f"\n[dim]{repeat_title(comparison)}[/dim]")
    for command in commands:
        terminal.print_line(out, command)
    if len(comparison.runs) > 1:
        heading = "what differs"
        if comparison.reference is not comparison.best or comparison.sweep is None:
            heading += f" [dim](Δx: final x against run {comparison.reference.short}'s)[/dim]"
        out.print(f"\n[bold]{heading}[/bold]")
        _print(out, differences_table(comparison, most))
    if comparison.thresholds_differ:
        out.print(f"\n{DIFFERENT_THRESHOLDS_NOTE}")
    if not has_curves(comparison.runs):
        return
    metrics = {run.metric for run in comparison.runs} - {LOSS}
    of_metric = f" of {terminal.escape_text(', '.join(sorted(metrics)))}" if metrics else ""
    out.print(
        f"\n[bold]{comparison.cost_name} to each threshold{of_metric}[/bold] "
        "[dim](- not reached; >= not continued)[/dim]"
    )
    _print(out, threshold_table(comparison, most, fraction=False))
    seeds = running_time_table(comparison, most)
    if seeds is not None:
        unit = "" if comparison.cost == ITERATIONS else f", in {comparison.cost_name}"
        out.print(f"\n[bold]expected running time over seeds{unit}[/bold]")
        _print(out, seeds)
    drawn = plot_lines(comparison, width=min(out.width, 100) - 2)
    if drawn:
        out.print(f"\n[bold]{comparison.gap_name}[/bold]")
        for each in drawn:
            out.print(each, no_wrap=True, crop=True)


def _print(out: Console, table: Table) -> None:
    fitted = table.fitted(out.width)
    shown = rich_table.Table(box=None, padding=(0, 2, 0, 0), pad_edge=False, header_style="bold")
    for i, heading in enumerate(fitted.headings):
        shown.add_column(Text(heading), justify="right" if i else "left", no_wrap=True)
    for row in fitted.rows:
        shown.add_row(*(Text(cell) for cell in row))
    out.print(shown)
    left = [f"and {fitted.more:,} more runs, ranked lower"] if fitted.more else []
    left += [f"no room for {', '.join(fitted.dropped)}: see the report"] if fitted.dropped else []
    if left:
        out.print(Text("; ".join(left), style="dim"))


def _can_write(loader: RunLoader, comparison: Comparison) -> bool:
    """Return whether a report can be written: into the store for a sweep, else where we are."""
    if comparison.sweep is not None:
        return not loader.settings.read_only
    return os.access(command_folder(), os.W_OK)


def _write(comparison: Comparison, files: Mapping[str, bytes]) -> str:
    """Write the files to a folder named by the runs and return the place of the report."""
    ids = [run.run_id for run in comparison.runs]
    few = len(ids) <= SIDE_BY_SIDE
    name = (
        "-".join(run.short.replace("/", "-") for run in comparison.runs)
        if few
        else f"{len(ids)}-runs-{digest(ids)[:8]}"
    )
    folder = command_folder() / FOLDER / name
    try:
        if folder.exists() and any(folder.iterdir()) and not is_report(folder / REPORT):
            raise BadInput(
                "+compare", shown_path(folder), f"holds no {REPORT} of gdexp; move it elsewhere"
            )
        folder.mkdir(parents=True, exist_ok=True)
        for file, content in files.items():
            (folder / file).write_bytes(content)
    except OSError as error:
        raise StorageFailed(f"{shown_path(folder)}: cannot be written ({error.strerror})") from None
    return shown_path(folder / REPORT)
