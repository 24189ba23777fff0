"""The report in the terminal when a sweep has ended."""

from __future__ import annotations

from typing import TYPE_CHECKING

from gdexp.core import format_counts, format_value
from gdexp.descent import Status, starting_point
from gdexp.display import terminal
from gdexp.sweeps.plan import Plan
from gdexp.sweeps.results.best_known import closed_form_note
from gdexp.sweeps.results.confirmed import confirmation_facts
from gdexp.sweeps.results.no_winner import nearest_text, none_converged, what_to_change
from gdexp.sweeps.results.pareto_front import front_table, front_title
from gdexp.sweeps.results.problem_table import TITLE, problem_facts, problem_table
from gdexp.sweeps.results.raced import race_facts
from gdexp.sweeps.results.seed_evidence import evidence_facts
from gdexp.sweeps.results.sweep_result import (
    SweepResult,
    added_text,
    outcome_text,
    seeds_after_race,
)
from gdexp.sweeps.results.tested import tested_facts, tested_table
from gdexp.sweeps.results.threshold_table import censoring_note, threshold_note, threshold_table
from gdexp.sweeps.results.value_table import best_trials, value_table
from gdexp.sweeps.study import TrialRecord, is_row

if TYPE_CHECKING:
    from optuna.trial import FrozenTrial
    from rich.console import Console

    from gdexp.tracking import Store


def print_result(out: Console, plan: Plan, result: SweepResult, store: Store, parent: str) -> None:
    """Print the best trial, the command that repeats it, the tables, and where the runs are.

    Args:
        out: the console.
        plan: of the sweep.
        result: what the sweep found.
        store: that holds the runs.
        parent: the run id of the sweep.
    """
    out.print()
    if result.best_trial is not None:
        _print_best(out, plan, result, *result.best_trial)
        if (reason := store.missing_reason(result.best_trial[1].run_id)) is not None:
            out.print(f"[yellow]It has no curve and no pictures: {reason}.[/yellow]")
    elif result.records:
        _print_none(out, plan, result)
    if result.problems:
        out.print(f"\n{TITLE}\n")
        out.print(problem_table(plan, result.problems))
    if result.tested is not None:
        out.print()
        out.print(tested_table(result.tested))
    for each in closed_form_note(_best_known_sources(result)):
        out.print(f"\n{each}")
    if plan.counts_iterations:
        out.print(f"\n{threshold_note(plan)}\n")
        out.print(threshold_table(plan, result.thresholds))
        note = censoring_note(plan, result.thresholds)
        if note is not None:
            out.print(f"\n{note}")
    elif not plan.several and best_trials(plan, result):
        out.print(f"\nThe best trials by {plan.objectives[0].title}:\n")
        out.print(value_table(plan, result))
    out.print()
    if plan.several:
        out.print(f"{front_title(plan)}\n")
        out.print(front_table(plan, result.front_trials))
        out.print()
    if not plan.tracks:
        return
    terminal.print_facts(
        out,
        [
            (
                "recorded",
                f"MLflow run {parent} in {terminal.escape_text(plan.tracking.display_uri)}",
            ),
            *_shards(result, parent),
            ("look", terminal.escape_text(store.ui_command())),
        ],
    )
    terminal.print_line(out, f"{store.ui_address()}/#{store.children_link(parent)}")


def _best_known_sources(result: SweepResult) -> list[str | None]:
    """Return where the best known counts are from that the tables show."""
    apart = [] if result.tested is None else [e.best_known_from for e in result.tested.rows]
    return [*(each.best_known_from for each in result.problems), *apart]


def _print_best(
    out: Console, plan: Plan, result: SweepResult, trial: FrozenTrial, record: TrialRecord
) -> None:
    terminal.print_facts(
        out,
        [
            (
                "best",
                f"[bold]{terminal.escape_text(outcome_text(plan, record))}[/bold] "
                f"(trial {trial.number}, {record.status})",
            ),
            *problem_facts(plan, result.problems),
            *evidence_facts(result.evidence),
            *tested_facts(result.tested),
            *race_facts(result.race),
            *confirmation_facts(result.confirmation),
            ("with", _parameters(trial)),
            *_trials(plan, result),
            *_theory(plan, trial, record),
            *_importance(result),
        ],
    )
    out.print(f"\n[dim]{terminal.escape_text(result.repeat_title)}[/dim]")
    terminal.print_line(out, plan.repeat_command(trial.params, seeds_after_race(plan, record)))


def _print_none(out: Console, plan: Plan, result: SweepResult) -> None:
    """Print that no trial converged or has a value, which came nearest, and what to change."""
    facts = [("best", f"[bold]none: {none_converged(plan, result.records)}[/bold]")]
    if result.nearest_trial is not None:
        trial, record = result.nearest_trial
        facts.append(("nearest", f"trial {trial.number}: {nearest_text(record)}"))
        facts.append(("with", _parameters(trial)))
    changes = "\n".join(what_to_change(plan, result.records))
    facts.append(("to change", terminal.escape_text(changes)))
    terminal.print_facts(out, [*facts, *_trials(plan, result)])


def _parameters(trial: FrozenTrial) -> str:
    lines = (f"{key} = {format_value(value)}" for key, value in trial.params.items())
    return terminal.escape_text("\n".join(lines))


def _trials(plan: Plan, result: SweepResult) -> list[tuple[str, str]]:
    """Return how many trials ended how, why some failed, and the steps of all."""
    failed = result.failures_text
    return [
        ("trials", f"{len(result.trials):,}: {format_counts(result.counts)}"),
        *([("", added)] if (added := added_text(result)) else []),
        *([("failed", terminal.escape_text(failed))] if failed else []),
        *([("code", terminal.escape_text(changed))] if (changed := result.changed_text) else []),
        *_steps(plan, result),
    ]


def _steps(plan: Plan, result: SweepResult) -> list[tuple[str, str]]:
    """Return the steps of all trials; of an application that reported none, nothing."""
    if plan.tells_failures and not result.steps:
        return []
    return [
        ("steps", result.steps_text(plan.step_name)),
    ]


def _theory(plan: Plan, best: FrozenTrial, record: TrialRecord) -> list[tuple[str, str]]:
    """Return how far the best trial is from the best possible, if theory knows that."""
    from gdexp.theory import MOST_MODES, distance, standing

    if plan.descents > 1 or not plan.counts_iterations:
        return []
    experiment = plan.experiment(best.params)
    function = experiment.function
    if function is None or experiment.stopping.of_norm:
        return []
    x0 = starting_point(function, experiment.seed)
    if x0.numel() > MOST_MODES:
        return []
    count = int(record.iterations) if record.status == Status.CONVERGED else None
    known = distance(function, experiment.rule, experiment.stopping.threshold, count, x0)
    facts = [] if known is None else [("theory", str(known))]
    if count is not None:
        gap = record.final_loss - function.reference
        where = standing(function, experiment.rule, count, gap, x0)
        facts += [] if where is None else [("worst case", where)]
    return facts


def _importance(result: SweepResult) -> list[tuple[str, str]]:
    shares = ", ".join(f"{key} {share:.0%}" for key, share in result.importance.items())
    return [("depends on", terminal.escape_text(shares))] if shares else []


def _shards(result: SweepResult, parent: str) -> list[tuple[str, str]]:
    """Return how to read the trials that are rows of shards and not runs, if there are any."""
    rows = sum(is_row(record.run_id) for record in result.records)
    if not rows:
        return []
    others = len(result.records) - rows
    text = (
        f"{len(result.records):,} trials in shards among its artifacts, {others:,} as runs too;\n"
        f"+rerun={parent[:8]}/NUMBER replays any, load_runs('{parent[:8]}') reads all"
    )
    return [("trials", terminal.escape_text(text))]
