"""What a sweep found: the best trial, and the fewest iterations to every threshold."""

from __future__ import annotations

import csv
import io
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from gdexp.config import flatten
from gdexp.repeat import shortest_command
from gdexp.sweep.study import TrialRecord, finished

if TYPE_CHECKING:
    from optuna import Study
    from optuna.trial import FrozenTrial

    from gdexp.sweep.plan import Plan

THRESHOLDS = (1e-1, 1e-2, 1e-3, 1e-4, 1e-5, 1e-6, 1e-7, 1e-8)

LOOSE = (
    "A looser threshold never needs more iterations, so a sweep of both drifts to the loosest. "
    "The table is what all traces together say of each threshold."
)
ALL_TRACES = "What all traces together say of every threshold, not only of the one that was asked:"


@dataclass(frozen=True)
class Fewest:
    """The trial that reached a threshold in the fewest iterations; None where none did."""

    threshold: float
    iterations: int | None = None
    trial: int | None = None
    run_id: str | None = None
    parameters: Mapping[str, Any] | None = None


@dataclass(frozen=True)
class Answers:
    """Everything that the end of a sweep reports.

    Attributes:
        best: the trial with the smallest hitting time; None before any has finished.
        fewest: one entry for each of `THRESHOLDS`.
        counts: finished trials by status.
        steps: iterations made by all finished trials together.
        saved: iterations that the cap is reckoned to have saved.
    """

    trials: Sequence[FrozenTrial]
    best: FrozenTrial | None
    fewest: Sequence[Fewest]
    counts: Mapping[str, int]
    steps: int
    saved: float

    @classmethod
    def of(cls, study: Study) -> Answers:
        """Read every answer from the finished trials."""
        trials = finished(study)
        records = [TrialRecord.of(trial) for trial in trials]
        best = min(trials, key=_value, default=None)
        return cls(
            trials=trials,
            best=best,
            fewest=[
                _fewest(i, threshold, trials, records) for i, threshold in enumerate(THRESHOLDS)
            ],
            counts=Counter(record.status for record in records),
            steps=sum(record.iterations for record in records),
            saved=sum(record.saved for record in records),
        )


def repeat_command(plan: Plan, parameters: Mapping[str, Any]) -> str:
    """The command that runs one trial alone."""
    return shortest_command(plan.configured(parameters))


def note(plan: Plan) -> str:
    """What to know before the table of thresholds is read."""
    swept = any(d.key == "stopping.threshold" for d in plan.space.dimensions)
    return LOOSE if swept else ALL_TRACES


def trials_csv(answers: Answers) -> bytes:
    """One line for each finished trial."""
    keys = sorted({key for trial in answers.trials for key in trial.params})
    rows: list[list[object]] = [
        ["trial", *keys, "hitting_time", "iterations", "status", "final_loss", "run_id"]
    ]
    for trial in answers.trials:
        record = TrialRecord.of(trial)
        values = [trial.params.get(key) for key in keys]
        rows.append(
            [
                trial.number,
                *values,
                _value(trial),
                record.iterations,
                record.status,
                record.final_loss,
                record.run_id,
            ]
        )
    return _csv(rows)


def thresholds_csv(answers: Answers) -> bytes:
    """One line for each threshold."""
    keys = sorted({key for entry in answers.fewest for key in entry.parameters or ()})
    rows: list[list[object]] = [["threshold", "iterations", *keys, "trial", "run_id"]]
    for entry in answers.fewest:
        values = [(entry.parameters or {}).get(key) for key in keys]
        rows.append([entry.threshold, entry.iterations, *values, entry.trial, entry.run_id])
    return _csv(rows)


def description(plan: Plan, answers: Answers, link: str) -> str:
    """The sweep in Markdown, for MLflow's page of the parent run.

    Args:
        plan: what was swept.
        answers: what was found.
        link: the address of the children's charts, after `#`. It comes first, because the page
            folds a description after a few lines.
    """
    lines = [f"[Loss curves of every trial](#{link})", ""]
    if answers.best is not None:
        record = TrialRecord.of(answers.best)
        found = ", ".join(f"`{k}` = {_short(v)}" for k, v in answers.best.params.items())
        count = "1 iteration" if record.iterations == 1 else f"{record.iterations:,} iterations"
        lines += [
            f"Best of {len(answers.trials)} trials: **{count}** with {found} "
            f"(trial {answers.best.number}, {record.status}). Repeat it with",
            "",
            f"    {repeat_command(plan, answers.best.params)}",
            "",
        ]
    lines += [
        note(plan),
        "",
        "| threshold | iterations | learning rate | trial |",
        "|---|---|---|---|",
    ]
    for entry in answers.fewest:
        if entry.iterations is None:
            lines.append(f"| {entry.threshold:g} | not reached | | |")
            continue
        rate = _short((entry.parameters or {}).get("optimizer.lr", _fixed_lr(plan)))
        rate = rate if entry.iterations else "any"
        lines.append(f"| {entry.threshold:g} | {entry.iterations:,} | {rate} | {entry.trial} |")
    statuses = ", ".join(f"{count} {status}" for status, count in sorted(answers.counts.items()))
    lines += ["", f"{statuses}; {spent(answers)}."]
    return "\n".join(lines)


def spent(answers: Answers) -> str:
    """The gradient steps of all trials, and what the cap is reckoned to have saved."""
    text = f"{answers.steps:,} gradient steps in all"
    return f"{text}; the cap saved about {answers.saved:,.0f}" if answers.saved else text


def _fewest(
    index: int,
    threshold: float,
    trials: Sequence[FrozenTrial],
    records: Sequence[TrialRecord],
) -> Fewest:
    reached = [
        (hit, trial.number, trial, record)
        for trial, record in zip(trials, records, strict=True)
        if (hit := record.hits[index]) is not None
    ]
    if not reached:
        return Fewest(threshold)
    hit, number, trial, record = min(reached, key=lambda found: found[:2])
    return Fewest(threshold, hit, number, record.run_id, trial.params)


def _fixed_lr(plan: Plan) -> object:
    return flatten(plan.base).get("optimizer.lr")


def _value(trial: FrozenTrial) -> float:
    return float("inf") if trial.value is None else trial.value


def _short(value: object) -> str:
    return f"{value:.6g}" if isinstance(value, float) else str(value)


def _csv(rows: Sequence[Sequence[object]]) -> bytes:
    text = io.StringIO()
    csv.writer(text, lineterminator="\n").writerows(
        ["" if value is None else value for value in row] for row in rows
    )
    return text.getvalue().encode()
