"""What a sweep says in the terminal when it begins, goes on or ends early."""

from __future__ import annotations

from typing import TYPE_CHECKING

from gdexp.core import shown_path
from gdexp.display import terminal
from gdexp.sweeps.budget import Budget
from gdexp.sweeps.goal_sentence import goal_text
from gdexp.sweeps.plan import Plan
from gdexp.sweeps.pruning import NONE
from gdexp.tracking import mask_uri

if TYPE_CHECKING:
    from rich.console import Console

    from gdexp.sweeps.space import Dimension


def print_plan(out: Console, plan: Plan, preview: bool = False) -> None:
    """Print what is going to be swept.

    Args:
        out: the console.
        plan: of the sweep.
        preview: whether the engine is shown in any case; else where it is torch for a reason.
    """
    settings, workers = plan.settings, plan.settings.worker_count
    terminal.print_facts(
        out,
        [
            ("sweep", f"[bold]{plan.name}[/bold]"),
            *((name, terminal.escape_text(text)) for name, text in plan.subject),
            *_engine(plan, preview),
            ("space", terminal.escape_text("\n".join(map(_dimension, plan.space.dimensions)))),
            ("goal", _goal(plan)),
            *_race(plan),
            *_limits(plan),
            *_continuation(plan),
            ("study", terminal.escape_text(study_location(plan))),
            *([("workers", str(workers))] if workers > 1 else []),
        ],
    )
    if settings.seeds > 1 and settings.cap is not None:
        out.print(
            "[dim]With several seeds a trial is capped by irace's allowance, seed by seed: the "
            "same winner is likely, not certain.[/dim]"
        )
    if workers > 1 and plan.sampler.startup is not None:
        out.print(
            f"[dim]{workers} workers share the trials: what {plan.sampler.name} proposes depends "
            "on which trials have ended, so the same command can try other points another time. "
            "sweep.workers=1, or sweep.sampler=random or qmc, tries the same.[/dim]"
        )
    out.print()


def _engine(plan: Plan, always: bool) -> list[tuple[str, str]]:
    """Return the engine of the trials, where it is to be shown."""
    engine = plan.engine
    if engine is None or plan.tells_failures or not (always or engine.reasons):
        return []  # an application has its own arithmetic
    return [("engine", terminal.escape_text(engine.text()))]


def _dimension(d: Dimension) -> str:
    """Return a dimension with its values, and the choices with which it is used."""
    when = " and ".join(f"{group} {' or '.join(names)}" for group, names in d.when.items())
    return f"{d.name}  {d.text()}" + (f"  (with {when})" if when and d.key == d.name else "")


def _goal(plan: Plan) -> str:
    """Return what is looked for, in how many trials, by which sampler."""
    return f"{goal_text(plan)} in {plan.n_trials:,} trials, {plan.sampler.name}"


def _race(plan: Plan) -> list[tuple[str, str]]:
    """Return the descents that are for the trials that may still be the best, if there are any."""
    settings = plan.settings
    if not settings.race:
        return []
    more = settings.seeds - settings.trial_seeds
    left = plan.n_trials * more * max(len(plan.problems), 1)
    return [("race", f"{left:,} further descents for the trials that can still win")]


def _limits(plan: Plan) -> list[tuple[str, str]]:
    """Return what ends a trial or the sweep early, if anything does."""
    settings, limits = plan.settings, []
    if settings.cap is not None:
        unit = "reported steps" if plan.tells_failures else "iterations"
        limits.append(f"a trial at {settings.cap:g} × the fewest {unit} so far")
    if settings.budget is not None:
        limits.append(f"a trial after {Budget.parse(settings.budget)}")
    if plan.pruner.name != NONE:
        limits.append(f"a trial that the {plan.pruner.name} pruner finds worse than earlier ones")
    if settings.patience is not None:
        limits.append(f"the sweep after {settings.patience:,} trials without improvement")
    if settings.timeout is not None:
        limits.append(f"the sweep after {settings.timeout:g} s")
    return [("ends", "\n".join(limits))] if limits else []


def _continuation(plan: Plan) -> list[tuple[str, str]]:
    """Return where the traces go on to, if they do."""
    goal = plan.settings.continue_to
    return [] if goal is None else [("traces", f"go on to {goal:g} where a trial converged")]


def print_resumed(out: Console, plan: Plan, done: int, again: int) -> None:
    """Print how many trials the study already has, if it has any.

    Args:
        out: the console.
        plan: of the sweep.
        done: finished trials.
        again: interrupted trials that are queued again.
    """
    if done >= plan.n_trials:
        out.print(
            f"All {done} trials are there. [dim]sweep.n_trials={2 * done} continues, another "
            "sweep.name starts anew.[/dim]"
        )
    elif done or again:
        queued = f", {again} queued again" if again else ""
        out.print(f"Continuing: {done} of {plan.n_trials} trials are there{queued}.")
    if again:
        had, were = ("it", "it was") if again == 1 else ("them", "they were")
        out.print(f"The process that had {had} ended before {were} done.")


def print_interrupted(out: Console, plan: Plan, done: int, failed: bool) -> None:
    """Print how to continue a sweep that was interrupted.

    Args:
        out: the console.
        plan: of the sweep.
        done: finished trials.
        failed: whether a storage failed, which must work again before.
    """
    when = "once the storage works again, " if failed else ""
    out.print(f"{done} of {plan.n_trials} trials are recorded; {when}{_how_to_continue(plan)}.")


def print_edited(out: Console, plan: Plan) -> None:
    """Print which files of the user's own were edited while the sweep ran, if any was."""
    edited = edited_files(plan)
    if edited:
        text = f"{', '.join(edited)}: edited while the sweep ran; its trials had the code before."
        terminal.print_line(out, f"\n{text}")


def edited_files(plan: Plan) -> list[str]:
    """Return the names of the user's own files that are no longer as this process loaded them."""
    return sorted({name for code in plan.user_codes() for name in code.edited})


def _how_to_continue(plan: Plan) -> str:
    edited = edited_files(plan)
    if not edited:
        return "the same command continues"
    names = ", ".join(edited)
    return f"{names} was edited since: sweep.accept_changes=true continues with the new code"


def patience_message(plan: Plan, done: int) -> str:
    """Return the message of a sweep that ended because no trial was an improvement."""
    return (
        f"Ended after {done:,} of {plan.n_trials:,} trials: none of the last "
        f"{plan.settings.patience:,} was an improvement (sweep.patience)."
    )


def timeout_message(plan: Plan, done: int) -> str:
    """Return the message of a sweep that ended because its time was over."""
    return (
        f"Ended after {done:,} of {plan.n_trials:,} trials: {plan.settings.timeout:g} s are over "
        f"(sweep.timeout); {_how_to_continue(plan)}."
    )


def study_location(plan: Plan) -> str:
    """Return the study's file, or its server without the password."""
    server = plan.storage_server
    return shown_path(plan.journal) if server is None else mask_uri(server)
