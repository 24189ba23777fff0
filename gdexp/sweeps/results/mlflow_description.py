"""The description of a sweep on its MLflow page, in Markdown."""

from __future__ import annotations

from gdexp.core import format_counts
from gdexp.sweeps.plan import Plan
from gdexp.sweeps.results.confirmed import confirmation_markdown
from gdexp.sweeps.results.markdown import markdown_key, markdown_parameters
from gdexp.sweeps.results.no_winner import nearest_text, none_converged, what_to_change
from gdexp.sweeps.results.pareto_front import front_markdown
from gdexp.sweeps.results.problem_table import problem_facts, problem_markdown
from gdexp.sweeps.results.raced import race_markdown
from gdexp.sweeps.results.seed_evidence import evidence_markdown
from gdexp.sweeps.results.sweep_result import (
    SweepResult,
    added_text,
    outcome_text,
    seeds_after_race,
)
from gdexp.sweeps.results.tested import tested_markdown
from gdexp.sweeps.results.threshold_table import (
    censoring_note,
    threshold_markdown,
    threshold_note,
)
from gdexp.sweeps.results.value_table import best_trials, value_markdown
from gdexp.tracking import code_block, escape_markdown


def description(plan: Plan, result: SweepResult, link: str) -> str:
    """Return the description of the parent run.

    Args:
        plan: of the sweep.
        result: what the sweep found.
        link: the address of the children's charts, after `#`. It comes first, because the page
            folds a description after a few lines.
    """
    few = plan.tracking.best
    which = "every trial" if few is None else f"the best {few:,} trials and of some others"
    lines = [
        f"[Loss curves of {which}](#{link})",
        "",
        *_best(plan, result),
        *_tables(plan, result),
    ]
    if plan.several:
        lines += ["", *front_markdown(plan, result.front_trials)]
    if result.importance:
        shares = ", ".join(f"{markdown_key(key)} {s:.0%}" for key, s in result.importance.items())
        what = plan.objectives[0].title
        lines += ["", f"What the {what} depends on: {shares}."]
    lines += ["", f"{format_counts(result.counts)}; {result.steps_text(plan.step_name)}."]
    if result.failures_text:
        lines += ["", f"Failed: {escape_markdown(result.failures_text)}"]
    if result.added:
        lines += ["", f"{added_text(result)}."]
    return "\n".join(lines)


def _tables(plan: Plan, result: SweepResult) -> list[str]:
    """Return the threshold table, or where no threshold is asked for the best trials."""
    if not plan.counts_iterations:
        none = plan.several or not best_trials(plan, result)
        return [] if none else value_markdown(plan, result)
    lines = [threshold_note(plan), "", *threshold_markdown(plan, result.thresholds)]
    note = censoring_note(plan, result.thresholds)
    return lines if note is None else [*lines, "", note]


def _none(plan: Plan, result: SweepResult) -> list[str]:
    if not result.records:
        return []
    lines = [f"**{none_converged(plan, result.records)}.**", ""]
    if result.nearest_trial is not None:
        trial, record = result.nearest_trial
        lines += [
            f"Nearest was trial {trial.number} with {markdown_parameters(trial.params)}: "
            f"{nearest_text(record)}.",
            "",
        ]
    changes = map(escape_markdown, what_to_change(plan, result.records))
    return [*lines, "What to change:", "", *(f"- {change}" for change in changes), ""]


def _best(plan: Plan, result: SweepResult) -> list[str]:
    if result.best_trial is None:
        return _none(plan, result)
    trial, record = result.best_trial
    outcome = escape_markdown(outcome_text(plan, record))
    lines = [
        f"Best of {len(result.trials):,} trials: **{outcome}** with "
        f"{markdown_parameters(trial.params)} (trial {trial.number}, {record.status}).",
        "",
        *evidence_markdown(result.evidence),
        *(f"Ratio: {text}.\n" for _, text in problem_facts(plan, result.problems)),
        *problem_markdown(plan, result.problems),
        *tested_markdown(result.tested),
        *race_markdown(result.race),
        *confirmation_markdown(result.confirmation),
    ]
    command = plan.repeat_command(trial.params, seeds_after_race(plan, record))
    if changed := result.changed_text:
        lines += [f"{escape_markdown(changed)}.", ""]
    title = escape_markdown(result.repeat_title)
    return [*lines, title[0].upper() + title[1:], "", code_block(command), ""]
