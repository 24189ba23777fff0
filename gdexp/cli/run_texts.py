"""What a single run prints: the experiment before it, the numbers of its result after it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from rich.console import Console

from gdexp.core import format_number, format_value
from gdexp.descent import PENALTY, Result, measure_note, outcome_text
from gdexp.display import print_curve, print_tensors, terminal
from gdexp.experiment import Experiment


def announce(out: Console, experiment: Experiment, differing: str | None = None) -> None:
    """Print the experiment, and warn of a threshold that the dtype cannot reach.

    Args:
        out: the console.
        experiment: what is going to run.
        differing: the warning of a problem that gives different losses for the same x.
    """
    problem, stopping = experiment.problem, experiment.stopping
    dtype = str(experiment.dtype).removeprefix("torch.")
    subject = terminal.escape_text(experiment.subject)
    terminal.print_facts(
        out,
        [
            ("problem", f"{subject}, {dtype} on {experiment.device}"),
            ("rule", terminal.escape_text(_rule(experiment))),
            (
                "until",
                f"{stopping.goal_text(problem.reference)}{measure_note(stopping)}, "
                f"at most {stopping.max_iterations:,} iterations",
            ),
            *engine_line(experiment),
        ],
    )
    warning = experiment.threshold_warning()
    for each in filter(None, (warning, differing)):
        out.print(f"[yellow]warning[/yellow]  {terminal.escape_text(each)}")
    out.print()


def engine_line(experiment: Experiment) -> list[tuple[str, str]]:
    """Return why `engine=auto` takes torch, if it does."""
    reason = experiment.engine_reason
    return [] if reason is None else [("engine", terminal.escape_text(f"torch: {reason}"))]


def report(out: Console, experiment: Experiment, result: Result) -> None:
    """Print the final tensor beside its target, and the numbers of the result."""
    out.print()
    function = experiment.function
    drawn = None
    if function is not None:
        drawn = function.to(result.final.dtype, result.final.device).curve(result.final)
    if drawn is not None:
        print_curve(out, drawn.grid, drawn.wanted, drawn.fitted)
    elif function is not None:
        shown = [("final x", result.final)]
        if experiment.problem.target is not None:
            shown.append(("target", experiment.problem.target))
        print_tensors(out, shown)
    out.print()
    terminal.print_facts(
        out,
        [
            ("status", f"[bold]{result.status}[/bold]: {outcome_text(result)}"),
            ("iterations", f"[bold]{result.iterations:,}[/bold]"),
            ("hitting time", f"{format_number(result.hitting_time)}{_hitting_time_note(result)}"),
            *_evaluations_line(result),
            *((terminal.escape_text(name), text) for name, text in result.facts()),
            *theory_line(experiment, result),
            ("final loss", _loss(result.final_loss, result.f_star)),
            ("smallest loss", _loss(result.min_loss, result.f_star)),
        ],
    )


def _evaluations_line(result: Result) -> list[tuple[str, str]]:
    """Return how often loss and gradient were computed, where there were more than iterates."""
    if result.evaluations is None:
        return []
    from gdexp.descent import EVALUATIONS, GRADIENTS, total_cost

    losses, gradients = (total_cost(result, cost) for cost in (EVALUATIONS, GRADIENTS))
    return [("evaluations", f"{losses:,.0f} of the loss, {gradients:,.0f} of the gradient")]


def theory_line(experiment: Experiment, result: Result) -> list[tuple[str, str]]:
    """Return the distance from the theoretical best if it is known; nothing for large problems."""
    from gdexp.theory import MOST_MODES, distance_from_best

    function = experiment.function
    if function is None or result.final.numel() > MOST_MODES:
        return []
    distance = distance_from_best(function, result)
    return [] if distance is None else [("theory", str(distance))]


def _hitting_time_note(result: Result) -> str:
    """Return a note on a hitting time that was not measured."""
    if result.converged:
        return ""
    if result.status.hopeless:
        return f" (counted as {PENALTY} × max_iterations)"
    return " (projected)"


def _loss(value: float, f_star: float) -> str:
    above = "" if f_star == 0 else f" ({value - f_star:.6g} above the minimum)"
    return format_number(value) + above


def _rule(experiment: Experiment) -> str:
    given = dict(experiment.config["optimizer"])
    schedule = given.pop("schedule", None)
    words = _pairs(given)
    if isinstance(schedule, dict) and schedule.get("name", "constant") != "constant":
        words.append(f"with schedule {' '.join([schedule['name'], *_pairs(schedule)])}")
    return f"{' '.join([experiment.rule.name, *words])}, seed {experiment.seed}"


def _pairs(settings: Mapping[str, Any]) -> list[str]:
    """Return the settings as they are typed, without those that are left at nothing."""
    given = {key: value for key, value in settings.items() if key != "name"}
    return [
        f"{key}={format_value(value)}"
        for key, value in given.items()
        if value is not None and (key, value) != ("accumulate", 1)
    ]
