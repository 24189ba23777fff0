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
    """

    trials: Sequence[FrozenTrial]
    best: FrozenTrial | None
    fewest: Sequence[Fewest]
    counts: Mapping[str, int]
    steps: int

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
        )


def repeat_command(plan: Plan, parameters: Mapping[str, Any]) -> str:
    """The command that runs one trial alone."""
    return shortest_command(plan.configured(parameters))


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


def description(plan: Plan, answers: Answers) -> str:
    """The sweep in Markdown, for MLflow's page of the parent run."""
    lines = [
        f"**{plan.name}**: fewest iterations to the threshold, by Optuna ({plan.settings.sampler})."
    ]
    if answers.best is not None:
        record = TrialRecord.of(answers.best)
        found = ", ".join(f"`{k}` = {_short(v)}" for k, v in answers.best.params.items())
        lines += [
            "",
            f"Best of {len(answers.trials)} trials: **{record.iterations} iterations** "
            f"with {found} (trial {answers.best.number}, {record.status}).",
            "",
            f"    {repeat_command(plan, answers.best.params)}",
        ]
    lines += [
        "",
        LOOSE,
        "",
        "| threshold | iterations | learning rate | trial |",
        "|---|---|---|---|",
    ]
    for entry in answers.fewest:
        rate = (entry.parameters or {}).get("optimizer.lr", _fixed_lr(plan))
        lr = "" if entry.iterations is None else _short(rate)
        shown = [f"{entry.threshold:g}", entry.iterations, lr, entry.trial]
        lines.append(
            "| " + " | ".join("not reached" if v is None else str(v) for v in shown) + " |"
        )
    statuses = ", ".join(f"{count} {status}" for status, count in sorted(answers.counts.items()))
    lines += ["", f"{statuses}; {answers.steps:,} gradient steps in all."]
    return "\n".join(lines)


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
