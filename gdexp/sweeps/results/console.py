"""A sweep in the terminal and in its parent run: what it will do, what it found."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from rich.table import Table

from gdexp.core import here
from gdexp.descent import Status, starting_point
from gdexp.display import terminal
from gdexp.sweeps.plan import THRESHOLD, Plan
from gdexp.sweeps.results.answers import Answers, repeat_command
from gdexp.sweeps.results.tables import (
    MOST_FRONT_ROWS,
    count_words,
    interval_words,
    note,
    short,
    spent,
)
from gdexp.sweeps.study import TrialRecord, is_row
from gdexp.tracking import mask_uri

if TYPE_CHECKING:
    from optuna.trial import FrozenTrial
    from rich.console import Console

    from gdexp.sweeps.space import Dimension
    from gdexp.tracking import Store


def announce(out: Console, plan: Plan) -> None:
    """What is going to be swept."""
    terminal.facts(
        out,
        [
            ("sweep", f"[bold]{plan.name}[/bold]"),
            ("problem", terminal.shown(f"{plan.problem_name}, {plan.rule_name}")),
            ("space", terminal.shown("\n".join(map(_range, plan.space.dimensions)))),
            ("goal", _goal(plan)),
            *_limits(plan),
            ("study", terminal.shown(place(plan))),
            *([("workers", f"{plan.settings.crew}")] if plan.settings.crew > 1 else []),
        ],
    )
    settings = plan.settings
    if settings.seeds > 1 and settings.cap is not None:
        out.print(
            "[dim]With several seeds a trial is capped by irace's allowance, seed by seed: the "
            "same winner is likely, not certain.[/dim]"
        )
    out.print()


def _range(d: Dimension) -> str:
    """A dimension with its values, and when it is used."""
    when = " and ".join(f"{group} {' or '.join(chosen)}" for group, chosen in d.when.items())
    return f"{d.name}  {d.text()}" + (f"  (with {when})" if when and d.key == d.name else "")


def _goal(plan: Plan) -> str:
    """What is minimised, in how many trials, by which sampler."""
    what = "the smallest hitting time"
    if plan.settings.seeds > 1:
        what = f"the smallest expected running time over {plan.settings.seeds} seeds"
    if plan.pareto:
        what = f"{what} at every threshold"
    return f"{what} in {plan.n_trials:,} trials, {plan.sampler.name}"


def _limits(plan: Plan) -> list[tuple[str, str]]:
    """What else ends a trial or the sweep, where something does."""
    settings = plan.settings
    words = []
    if settings.cap is not None:
        words.append(f"a trial at {settings.cap:g} × the fewest iterations so far")
    if settings.patience is not None:
        words.append(f"the sweep after {settings.patience:,} trials without improvement")
    if settings.timeout is not None:
        words.append(f"the sweep after {settings.timeout:g} s")
    return [("ends", "\n".join(words))] if words else []


def out_of_patience(plan: Plan, done: int) -> str:
    """Why a sweep ended with fewer trials than it was to have."""
    return (
        f"Ended after {done:,} of {plan.n_trials:,} trials: none of the last "
        f"{plan.settings.patience:,} was an improvement (sweep.patience)."
    )


def out_of_time(plan: Plan, done: int) -> str:
    """Why a sweep ended with fewer trials than it was to have."""
    return (
        f"Ended after {done:,} of {plan.n_trials:,} trials: {plan.settings.timeout:g} s are over "
        "(sweep.timeout); the same command continues."
    )


def resumed(out: Console, plan: Plan, done: int, again: int) -> None:
    """Say what is there already, if anything is."""
    if done >= plan.n_trials:
        out.print(
            f"All {done} trials are there. [dim]sweep.n_trials={2 * done} continues, another "
            "sweep.name starts anew.[/dim]"
        )
    elif done:
        queued = f", {again} queued again" if again else ""
        out.print(f"Continuing: {done} of {plan.n_trials} trials are there{queued}.")


def interrupted(out: Console, plan: Plan, done: int) -> None:
    """How to go on after an end that was not the end."""
    out.print(f"{done} of {plan.n_trials} trials are recorded; the same command continues.")


def answers(out: Console, plan: Plan, found: Answers, store: Store, parent: str) -> None:
    """The best trial, the command that repeats it, and the fewest iterations to each threshold."""
    out.print()
    if found.best_trial is not None:
        trial, record = found.best_trial
        chosen = "\n".join(f"{key} = {short(value)}" for key, value in trial.params.items())
        counts = ", ".join(f"{count} {status}" for status, count in sorted(found.counts.items()))
        which = f"trial {trial.number}, {record.status}"
        terminal.facts(
            out,
            [
                ("best", f"[bold]{count_words(record)}[/bold] ({which})"),
                ("with", terminal.shown(chosen)),
                *_shared(found),
                ("trials", f"{len(found.trials):,}: {counts}"),
                ("steps", spent(found)),
                *_theory(plan, trial, record),
                *_importance(found),
            ],
        )
        out.print("\n[dim]repeat it with[/dim]")
        terminal.line(out, repeat_command(plan, trial.params))
    out.print(f"\n{note(plan)}\n")
    out.print(_fewest_table(plan, found))
    out.print()
    if plan.pareto:
        out.print("No trial has both a tighter threshold and a smaller hitting time than these:\n")
        out.print(_front_table(found))
        out.print()
    terminal.facts(
        out,
        [
            ("recorded", f"MLflow run {parent} in {terminal.shown(plan.tracking.display_uri)}"),
            *_rows(plan, found, parent),
            ("look", terminal.shown(store.ui_command())),
        ],
    )
    terminal.line(out, f"{store.ui_address()}/#{store.children_link(parent)}")


def _rows(plan: Plan, found: Answers, parent: str) -> list[tuple[str, str]]:
    """How trials without a run of their own are had, where there are such."""
    rows = sum(is_row(record.run_id) for record in found.records)
    if not rows:
        return []
    others = len(found.records) - rows
    text = (
        f"{len(found.records):,} trials in shards among its artifacts, {others:,} as runs too;\n"
        f"+rerun={parent[:8]}/NUMBER replays any, load_runs('{parent[:8]}') reads all"
    )
    return [("trials", terminal.shown(text))]


def _theory(plan: Plan, best: FrozenTrial, record: TrialRecord) -> list[tuple[str, str]]:
    """How far the best trial is from the best possible at its threshold, where that is known."""
    from gdexp.theory import MOST_MODES, distance

    if plan.settings.seeds > 1:
        return []
    experiment = plan.experiment(best.params)
    x0 = starting_point(experiment.problem, experiment.seed)
    if x0.numel() > MOST_MODES:
        return []
    count = int(record.iterations) if record.status == Status.CONVERGED else None
    known = distance(experiment.problem, experiment.rule, experiment.stopping.threshold, count, x0)
    return [] if known is None else [("theory", str(known))]


def _shared(found: Answers) -> list[tuple[str, str]]:
    words = interval_words(found)
    if not words or found.interval is None:
        return []
    text = f"every optimizer.lr from {words} needs as many"
    if found.interval.fewer is not None:
        text += f"; {found.interval.fewer:.6g} needs fewer still"
    return [("shared", text)]


def _importance(found: Answers) -> list[tuple[str, str]]:
    shares = ", ".join(f"{key} {share:.0%}" for key, share in found.importance.items())
    return [("depends on", terminal.shown(shares))] if shares else []


def _fewest_table(plan: Plan, found: Answers) -> Table:
    names = [name for name in plan.space.names if name != THRESHOLD]
    names = [n for n in names if any(n in (entry.parameters or {}) for entry in found.fewest)]
    table = Table(box=None, padding=(0, 2), header_style="bold")
    table.add_column("threshold", justify="right")
    table.add_column("fewest iterations", justify="right")
    for name in names:
        table.add_column(terminal.shown(name), justify="right")
    table.add_column("run")
    for entry in found.fewest:
        if entry.iterations is None:
            table.add_row(
                f"{entry.threshold:.0e}", "[dim]not reached[/dim]", *["" for _ in names], ""
            )
            continue
        chosen = entry.parameters or {}
        # Where the start is already within the threshold, no parameter played a part.
        values = [_value(chosen, name) if entry.iterations else "any" for name in names]
        run_id = entry.run_id or "/"
        run = str(entry.trial) + ("" if is_row(run_id) else f" ({run_id[:8]})")
        table.add_row(f"{entry.threshold:.0e}", f"{entry.iterations:,.6g}", *values, run)
    return table


def _front_table(found: Answers) -> Table:
    table = Table(box=None, padding=(0, 2), header_style="bold")
    rows = [(found.trials[at], found.records[at]) for at in found.front[:MOST_FRONT_ROWS]]
    names = list(dict.fromkeys(n for trial, _ in rows for n in trial.params if n != THRESHOLD))
    for name in ("threshold", "hitting time", "iterations", *names, "trial"):
        table.add_column(terminal.shown(name), justify="right")
    for trial, record in rows:
        values = (_value(trial.params, name) for name in names)
        counts = f"{record.hitting_time:,.5g}", f"{record.iterations:,.6g}"
        table.add_row(f"{record.threshold:.3g}", *counts, *values, str(trial.number))
    if len(found.front) > MOST_FRONT_ROWS:
        table.caption = f"and {len(found.front) - MOST_FRONT_ROWS} more in front.csv"
    return table


def _value(parameters: Mapping[str, Any], name: str) -> str:
    return terminal.shown(short(parameters.get(name, "")))


def place(plan: Plan) -> str:
    """Where the study is."""
    return relative(plan.journal) if plan.served is None else mask_uri(plan.served)


def relative(path: Path) -> str:
    """A path as short as it can be said here."""
    return str(path.relative_to(here())) if path.is_relative_to(here()) else str(path)
