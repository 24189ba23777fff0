"""The preview of a sweep: its space, its duration and the parameters of its first trials."""

from __future__ import annotations

from typing import TYPE_CHECKING

from rich.table import Table

from gdexp.core import format_value, json_output
from gdexp.display import terminal
from gdexp.sweeps.duration import estimated_duration, print_duration
from gdexp.sweeps.early_trials import first_trials
from gdexp.sweeps.plan import Plan

if TYPE_CHECKING:
    from rich.console import Console

SHOWN = 10


def preview(out: Console, plan: Plan) -> None:
    """Print the space, the limits of a trial, the duration if it is long, and the first trials.

    The sweep itself starts with the same trials: before a sampler has learnt anything, its draws
    depend on the seed alone.
    """
    from gdexp.sweeps.results import plan_fields, print_plan

    print_plan(out, plan, preview=True)
    known = estimated_duration(plan)
    print_duration(out, known)
    trials = first_trials(plan, SHOWN)
    estimate = None if known is None else known.answer()
    json_output.answer("preview", {**plan_fields(plan), "duration": estimate, "trials": trials})
    table = Table(box=None, padding=(0, 2), header_style="bold")
    table.add_column("trial", justify="right")
    if plan.space.conditional:  # a column for each parameter would be mostly empty
        table.add_column("parameters")
        for number, chosen in enumerate(trials):
            words = "  ".join(f"{name}={format_value(value)}" for name, value in chosen.items())
            table.add_row(str(number), terminal.escape_text(words))
    else:
        for name in plan.space.names:
            table.add_column(terminal.escape_text(name), justify="right")
        for number, chosen in enumerate(trials):
            values = (terminal.escape_text(format_value(chosen[name])) for name in plan.space.names)
            table.add_row(str(number), *values)
    out.print(table)
    more = plan.n_trials - len(trials)
    startup = plan.sampler.startup
    if more and startup is not None:
        rest = "the other one depends" if more == 1 else f"the other {more:,} depend"
        out.print(f"\n[dim]{rest} on what these find[/dim]")
    elif more:
        out.print(f"\n[dim]and {more:,} more[/dim]")
    terminal.print_line(out, "\nNothing was recorded. Without sweep.preview=true the sweep begins.")
