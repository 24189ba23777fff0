"""A sweep in the terminal and in its parent run: what it will do, what it found."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import torch
from rich.table import Table

from gdexp import terminal
from gdexp.commands.run import MOST_MODES
from gdexp.descent import starting_point
from gdexp.place import here
from gdexp.plots import pictures
from gdexp.provenance import environment
from gdexp.repeat import literal
from gdexp.result import Result
from gdexp.stopping import Status
from gdexp.sweep.answers import (
    Answers,
    description,
    note,
    repeat_command,
    spent,
    thresholds_csv,
    trials_csv,
)
from gdexp.sweep.pictures import sweep_pictures
from gdexp.sweep.plan import Plan
from gdexp.sweep.study import TrialRecord
from gdexp.tracking.record import Record, config_yaml, json_bytes

if TYPE_CHECKING:
    from optuna.trial import FrozenTrial
    from rich.console import Console

    from gdexp.tracking import Store


def announce(out: Console, plan: Plan) -> None:
    """What is going to be swept."""
    ranges = "\n".join(f"{d.key}  {d.text()}" for d in plan.space.dimensions)
    base = plan.base
    terminal.facts(
        out,
        [
            ("sweep", f"[bold]{plan.name}[/bold]"),
            ("problem", f"{base['problem']['name']}, rule {base['optimizer']['name']}"),
            ("space", ranges),
            (
                "goal",
                f"the smallest hitting time in {plan.n_trials} trials, {plan.sampler.name}",
            ),
            ("study", relative(plan.journal)),
        ],
    )
    out.print()


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
    if found.best is not None:
        record = TrialRecord.of(found.best)
        chosen = "\n".join(f"{key} = {_value(value)}" for key, value in found.best.params.items())
        counts = ", ".join(f"{count} {status}" for status, count in sorted(found.counts.items()))
        which = f"trial {found.best.number}, {record.status}"
        terminal.facts(
            out,
            [
                ("best", f"[bold]{terminal.steps(record.iterations)}[/bold] ({which})"),
                ("with", chosen),
                ("trials", f"{len(found.trials)}: {counts}"),
                ("steps", spent(found)),
            ],
        )
        terminal.facts(out, _theory(plan, found.best, record))
        out.print("\n[dim]repeat it with[/dim]")
        terminal.line(out, repeat_command(plan, found.best.params))
    out.print(f"\n{note(plan)}\n")
    out.print(_fewest_table(plan, found))
    out.print()
    terminal.facts(
        out,
        [
            ("recorded", f"MLflow run {parent} in {plan.tracking.shown}"),
            ("look", store.look_command()),
        ],
    )
    terminal.line(out, f"{store.server()}/#{store.children_link(parent)}")


def parent_record(plan: Plan, found: Answers, store: Store, parent: str) -> Record:
    """What the sweep's own run holds at its end."""
    artifacts = {
        "config.yaml": config_yaml({**plan.base, "sweep": plan.definition()}),
        "environment.json": json_bytes(environment()),
        "trials.csv": trials_csv(found),
        "thresholds.csv": thresholds_csv(found),
        **sweep_pictures(plan, found),
        **_best_pictures(plan, found, store),
    }
    metrics: dict[str, float] = {
        "trials": len(found.trials),
        "steps": found.steps,
        "steps_saved": found.saved,
    }
    tags = {
        "gdexp.status": "finished",
        "mlflow.note.content": description(plan, found, store.children_link(parent)),
    }
    if found.best is not None:
        record = TrialRecord.of(found.best)
        metrics |= {
            "iterations": record.iterations,
            "hitting_time": float(found.best.value or 0.0),
            "final_loss": record.final_loss,
        }
        tags |= {
            "gdexp.status": record.status,
            "gdexp.best_run": record.run_id,
            "gdexp.best_trial": str(found.best.number),
            "gdexp.best_params": literal(dict(found.best.params)),
        }
    return Record(metrics=metrics, tags=tags, artifacts=artifacts)


def _best_pictures(plan: Plan, found: Answers, store: Store) -> dict[str, bytes]:
    """The pictures that a single run has, of the best trial, from its record."""
    if found.best is None:
        return {}
    record, experiment = TrialRecord.of(found.best), plan.experiment(found.best.params)
    arrays = store.arrays(record.run_id)
    result = Result(
        status=Status(record.status),
        trace=arrays["trace"],
        initial=torch.from_numpy(arrays["initial"]),
        final=torch.from_numpy(arrays["final"]),
        rule=experiment.rule,
        stopping=experiment.stopping,
        f_star=experiment.problem.reference,
        problem=experiment.problem.name,
    )
    return {f"best_{name}": drawn for name, drawn in pictures(experiment, result).items()}


def sweep_params(plan: Plan) -> dict[str, str]:
    """The sweep's own settings as params of its run."""
    return {
        "sweep.name": plan.name,
        "sweep.sampler": plan.sampler.name,
        **{f"sweep.space.{d.key}": d.text() for d in plan.space.dimensions},
    }


def _theory(plan: Plan, best: FrozenTrial, record: TrialRecord) -> list[tuple[str, str]]:
    """How far the best trial is from the best possible at its threshold, where that is known."""
    from gdexp.theory import distance

    experiment = plan.experiment(best.params)
    x0 = starting_point(experiment.problem, experiment.seed)
    if x0.numel() > MOST_MODES:
        return []
    count = record.iterations if record.status == Status.CONVERGED else None
    known = distance(experiment.problem, experiment.rule, experiment.stopping.threshold, count, x0)
    return [] if known is None else [("theory", str(known))]


def _fewest_table(plan: Plan, found: Answers) -> Table:
    keys = [d.key for d in plan.space.dimensions if d.key != "stopping.threshold"]
    table = Table(box=None, padding=(0, 2), header_style="bold")
    table.add_column("threshold", justify="right")
    table.add_column("fewest iterations", justify="right")
    for key in keys:
        table.add_column(key, justify="right")
    table.add_column("run")
    for entry in found.fewest:
        if entry.iterations is None:
            table.add_row(
                f"{entry.threshold:.0e}", "[dim]not reached[/dim]", *["" for _ in keys], ""
            )
            continue
        chosen = entry.parameters or {}
        # Where the start is already within the threshold, no parameter played a part.
        values = [_value(chosen.get(key)) if entry.iterations else "any" for key in keys]
        run = f"{entry.trial} ({(entry.run_id or '')[:8]})"
        table.add_row(f"{entry.threshold:.0e}", f"{entry.iterations:,}", *values, run)
    return table


def _value(value: object) -> str:
    return f"{value:.6g}" if isinstance(value, float) else str(value)


def relative(path: Path) -> str:
    """A path as short as it can be said here."""
    return str(path.relative_to(here())) if path.is_relative_to(here()) else str(path)
