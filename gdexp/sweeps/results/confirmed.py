"""The confirmation of a sweep's winner (`sweep.confirm`), made and shown apart from the trials."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from gdexp.sweeps.evidence import Confirmation, SeedCounts, confirmation, contenders
from gdexp.sweeps.plan import Plan
from gdexp.sweeps.results.seed_evidence import evidence_fields
from gdexp.sweeps.results.sweep_result import SweepResult

if TYPE_CHECKING:
    from optuna.trial import FrozenTrial


def with_confirmation(
    plan: Plan,
    result: SweepResult,
    counts: Callable[[FrozenTrial, range], SeedCounts | None],
) -> SweepResult:
    """Return the result with the confirmation that is asked for, if there is a winner.

    Args:
        plan: of the sweep.
        result: of its trials.
        counts: returns the counts of a trial from further seeds.
    """
    asked, best = plan.settings.confirm, result.best_trial
    if asked is None or best is None:
        return result
    winner, record = best
    race = result.race
    able = [
        (each.hitting_time, trial.number)
        for trial, each in zip(result.trials, result.records, strict=True)
        if each.can_win and trial.number != winner.number
    ]
    ranked = [number for _, number in sorted(able) if race is None or number in race.survivors]
    trials = {trial.number: trial for trial in result.trials}
    first = plan.settings.seeds if race is None else max(each.seeds for each in race.runners)
    seeds = range(first, first + asked)
    found = confirmation(
        winner.number,
        contenders(result.evidence, ranked),
        record.hitting_time,
        int(plan.base["seed"]) + first,
        lambda number: counts(trials[number], seeds),
    )
    return replace(result, confirmation=found)


def confirmation_facts(found: Confirmation | None) -> list[tuple[str, str]]:
    """Return the lines of the report."""
    if found is None:
        return []
    return [("confirmed" if at == 0 else "", line) for at, line in enumerate(found.lines)]


def confirmation_markdown(found: Confirmation | None) -> list[str]:
    """Return the same as lines of Markdown."""
    if found is None:
        return []
    return [f"Confirmation, apart from the trials: {'; '.join(found.lines)}.", ""]


def confirmation_fields(found: Confirmation | None) -> dict[str, Any] | None:
    """Return the same as plain values."""
    if found is None:
        return None
    return {
        "first_seed": found.first_seed,
        "before": found.before,
        "failed": list(found.failed),
        **(evidence_fields(found.evidence) or {}),
    }
