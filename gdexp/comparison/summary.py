"""The summary of a comparison: the best runs, the commands that repeat them, the runs left out."""

from __future__ import annotations

import re

import torch

from gdexp.comparison.comparison import LAST_PARAMS, Comparison
from gdexp.comparison.formatting import text
from gdexp.comparison.reported import ranking_metric, value_text
from gdexp.config import APPLICATION, shortest_command
from gdexp.core import BadInput, format_count, format_counts, printable_line
from gdexp.descent import CAME_NEAR_NOTHING, LOSS
from gdexp.runs import TrackedRun, UnreadableRun
from gdexp.theory import distance

MOST_VARIABLES = 256
"""The largest size of x for which theory is computed; beyond it the user would wait too long."""

MOST_NAMED_PARAMS = 3
"""Params of the best run that the answer names."""

PLAIN_NAME = re.compile(r"[A-Za-z0-9_-]+")


def summary_lines(comparison: Comparison) -> list[tuple[str, str]]:
    """Return names and values: the best run, its params, the counts, its distance from theory."""
    counts = format_counts(comparison.counts)
    runs = ("runs", f"{len(comparison.runs):,}: {counts}")
    winners = best_by_problem(comparison)
    if len(winners) > 1:
        return [*(_headline(comparison, run, f"{name}: ") for name, run in winners.items()), runs]
    best = comparison.best
    lines = [_headline(comparison, best)]
    keys = [key for key in comparison.params if key != "stopping.cap" and key in best.params]
    if "optimizer.lr" in best.params and "optimizer.lr" not in keys:
        keys.insert(0, "optimizer.lr")
    chosen = [f"{key} = {text(best.values.get(key))}" for key in keys[:6]]
    if chosen:
        lines.append(("with", "\n".join(chosen)))
    lines.append(runs)
    if goal := _other_goal(comparison):
        lines.append(("goal", goal))
    if theory := _theory(best):
        lines.append(("theory", theory))
    return lines


def answer(comparison: Comparison) -> str:
    """Return what was found, in one sentence for each problem."""
    return " ".join(
        _sentence(comparison, name, run) for name, run in best_by_problem(comparison).items()
    )


def _sentence(comparison: Comparison, problem: str, best: TrackedRun) -> str:
    runs = [r for r in comparison.runs if comparison.problem_of[r.run_id] == problem]
    several = len(best_by_problem(comparison)) > 1
    on = f"On {problem} " if several else ""
    one = f"run {best.short}" if best.trial is None else f"trial {best.trial}"
    keys = [key for key in comparison.params if key in best.params and key not in LAST_PARAMS]
    if several:
        keys = [key for key in keys if not key.startswith("problem")]
    values = [f"{key} = {text(best.values[key])}" for key in keys[:MOST_NAMED_PARAMS]]
    with_params = f" with {' and '.join(values)}" if values else ""
    steps = format_count(best.iterations, "iteration")
    metric, largest = ranking_metric(best)
    if metric:
        order = "largest" if largest else "smallest"
        value = text(best.metrics.get(metric))
        sentence = (
            f"{on}{one} has the {order} {metric} of {len(runs):,} runs: {value}{with_params}."
        )
    elif not best.converged and best.threshold is None and "final_loss" in best.metrics:
        value = text(best.metrics["final_loss"])
        sentence = (
            f"{on}{one} has the smallest final loss of {len(runs):,} runs: {value}{with_params}."
        )
    elif not best.converged:
        none = "no run converged" if len(runs) > 1 else "the run did not converge"
        near = "" if best.status in CAME_NEAR_NOTHING else " came nearest"
        sentence = f"{on}{none}; {one}{near}{with_params}: {best.status} after {steps}."
    elif len(runs) == 1:
        sentence = f"{on}{one} needs {steps}{with_params}."
    else:
        fewest = f"{best.iterations:,}{',' if values else ''}{with_params}"
        sentence = f"{on}{one} needs the fewest iterations of {len(runs):,} runs: {fewest}."
    return sentence[0].upper() + sentence[1:]


def best_by_problem(comparison: Comparison) -> dict[str, TrackedRun]:
    """Return the best run of each problem; iterations on different problems do not compare."""
    best: dict[str, TrackedRun] = {}
    for run in comparison.ranked:
        best.setdefault(comparison.problem_of[run.run_id], run)
    return best


def repeat_title(comparison: Comparison) -> str:
    """Return what stands before the commands that repeat runs: which runs they are."""
    names = {_headline(comparison, run)[0] for run in best_by_problem(comparison).values()}
    return f"repeat the {' and '.join(sorted(names))} with"


def repeat_commands(comparison: Comparison) -> list[str]:
    """Return the commands that repeat the best run of each problem, as far as they are known."""
    found = [repeat_command(run) for run in best_by_problem(comparison).values()]
    return [command for command in found if command is not None]


def repeat_command(run: TrackedRun) -> str | None:
    """Return the command that repeats a run; None if its config is not one of gdexp's."""
    try:
        if run.values.get("problem.name") == APPLICATION:
            return printable_line(str(run.config["problem"]["repeat"]))
        run.experiment()
        groups = [run.config[key] for key in ("problem", "optimizer", "stopping")]
        groups += [group["schedule"] for group in groups if "schedule" in group]
        # The command selects config files by these names, so they must be plain words.
        if all(PLAIN_NAME.fullmatch(str(group.get("name", "default"))) for group in groups):
            return shortest_command(run.config)
    except (BadInput, UnreadableRun, AttributeError, KeyError, TypeError):
        return None
    return None


def left_out_lines(comparison: Comparison, most: int = 3) -> list[str]:
    """Return a line for each reason why runs are not compared."""
    by_reason: dict[str, list[TrackedRun]] = {}
    for entry in comparison.left_out:
        by_reason.setdefault(entry.reason, []).append(entry.run)
    lines = []
    for reason, runs in by_reason.items():
        names = ", ".join(run.short for run in runs[:most])
        others = f" and {len(runs) - most:,} more" if len(runs) > most else ""
        lines.append(f"{names}{others}: {reason}")
    return lines


def _headline(comparison: Comparison, run: TrackedRun, before: str = "") -> tuple[str, str]:
    """Return a name and the outcome of the first run: the best, or the nearest of none."""
    by_value = ranking_metric(run)[0] or run.threshold is None
    if run.converged or by_value or len(comparison.runs) == 1:
        return "best", before + _outcome(run)
    if run.status in CAME_NEAR_NOTHING:
        return "first", f"{before}{_outcome(run)}; none converged"
    loss = run.metrics.get("final_loss")
    end = "" if loss is None else f", loss {text(loss)}"
    return "nearest", f"{before}{_outcome(run)}{end}; none converged"


def _other_goal(comparison: Comparison) -> str:
    """Return what ranks the runs where the goal of their sweep is another; empty where it ranks."""
    sweep = comparison.sweep
    goal = "" if sweep is None else sweep.params.get("sweep.objective", "")
    if sweep is None or goal in ("", "hitting_time") or ranking_metric(comparison.best)[0]:
        return ""
    own = sweep.tags.get("gdexp.best_run")
    its = "" if own is None else f", and its best is run {own[:8]}"
    return f"the sweep's is {goal}{its}; here hitting times rank the runs, then final losses"


def _outcome(run: TrackedRun) -> str:
    steps = value_text(run) or format_count(run.iterations, "iteration")
    trial = "" if run.trial is None else f"trial {run.trial}, "
    return f"{steps} ({trial}{run.status or 'status unknown'}, run {run.short})"


def _theory(best: TrackedRun) -> str:
    """Return how far the best run is from the best possible one; empty if that is unknown."""
    try:
        if best.initial.size > MOST_VARIABLES or best.threshold is None or best.metric != LOSS:
            return ""
        experiment = best.experiment()
        if experiment.function is None:
            return ""
        count = best.iterations if best.converged else None
        x0 = torch.tensor(best.initial)
        theory = distance(experiment.function, experiment.rule, best.threshold, count, x0)
    except (BadInput, UnreadableRun):
        return ""
    return "" if theory is None else str(theory)
