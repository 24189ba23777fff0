"""A sweep's answers as files: CSV for programs, Markdown for MLflow's page of the sweep."""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Mapping, Sequence
from typing import Any

from gdexp.config import flatten
from gdexp.display import steps
from gdexp.sweeps.plan import LR, THRESHOLD, Plan
from gdexp.sweeps.results.answers import Answers, Fewest, repeat_command, threshold_swept
from gdexp.sweeps.study import TrialRecord
from gdexp.tracking import code_block, escape_markdown

LOOSE = (
    "A looser threshold never needs more iterations, so a sweep of both drifts to the loosest. "
    "The table is what all traces together say of each threshold."
)
ALL_TRACES = "What all traces together say of every threshold, not only of the one that was asked:"
MOST_FRONT_ROWS = 30
PLAIN_KEY = re.compile(r"[\w./-]+")

FORMULA = ("=", "+", "-", "@", "\t", "\r")
"""What a text must not begin with in a CSV file, or a spreadsheet would reckon with it."""


def note(plan: Plan) -> str:
    """What to know before the table of thresholds is read."""
    return LOOSE if threshold_swept(plan) and not plan.pareto else ALL_TRACES


def trials_csv(answers: Answers) -> bytes:
    """One line for each finished trial."""
    return _csv(_rows(answers, range(len(answers.trials))))


def front_csv(answers: Answers) -> bytes:
    """One line for each trial on the front, thresholds rising."""
    return _csv(_rows(answers, answers.front))


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
    few = plan.tracking.best
    which = "every trial" if few is None else f"the best {few:,} trials and of some others"
    lines = [f"[Loss curves of {which}](#{link})", ""]
    lines += _best(plan, answers)
    lines += [
        note(plan),
        "",
        "| threshold | iterations | learning rate | trial |",
        "|---|---|---|---|",
        *(_threshold_row(plan, entry) for entry in answers.fewest),
    ]
    if plan.pareto:
        lines += ["", *_front(answers)]
    if answers.importance:
        shares = ", ".join(f"{_key(key)} {s:.0%}" for key, s in answers.importance.items())
        lines += ["", f"What the hitting time depends on: {shares}."]
    statuses = ", ".join(f"{count} {status}" for status, count in sorted(answers.counts.items()))
    lines += ["", f"{statuses}; {spent(answers)}."]
    return "\n".join(lines)


def spent(answers: Answers) -> str:
    """The gradient steps of all trials, what the cap saved of them and what was reused."""
    text = f"{answers.steps:,} gradient steps in all"
    if answers.saved:
        text += f"; the cap saved about {answers.saved:,.0f}"
    if answers.reused:
        text += f"; {answers.reused:,} descents taken from earlier runs"
    return text


def interval_words(answers: Answers) -> str:
    """The learning rates that share the best count; empty where none were looked for."""
    found = answers.interval
    if found is None:
        return ""
    low = f"{found.low:.8g}" if found.low_known else f"below {found.low:.8g}"
    high = f"{found.high:.8g}" if found.high_known else f"beyond {found.high:.8g}"
    return f"{low} to {high}"


def count_words(record: TrialRecord) -> str:
    """The best trial's count with its word."""
    if len(record.counts) == 1:
        return steps(int(record.iterations))
    word = "iteration" if record.iterations == 1 else "iterations"
    return f"{record.iterations:,.6g} {word} expected over {len(record.counts)} seeds"


def short(value: object) -> str:
    """A value in six digits."""
    return f"{value:.6g}" if isinstance(value, float) else str(value)


def rate_at(plan: Plan, entry: Fewest) -> str:
    """The learning rate of a row of the table of thresholds."""
    if not entry.iterations:  # where the start is within the threshold no parameter played a part
        return "any" if entry.iterations == 0 else ""
    configured = flatten(plan.configured(entry.parameters or {}))
    return short(configured.get(LR, ""))


def _best(plan: Plan, answers: Answers) -> list[str]:
    if answers.best_trial is None:
        return []
    trial, record = answers.best_trial
    lines = [
        f"Best of {len(answers.trials):,} trials: **{count_words(record)}** with "
        f"{_pairs(trial.params)} "
        f"(trial {trial.number}, {record.status}).",
        "",
    ]
    shared = interval_words(answers)
    if shared:
        lines += [f"Learning rates from {shared} need as many.", ""]
    return [*lines, "Repeat it with", "", code_block(repeat_command(plan, trial.params)), ""]


def _threshold_row(plan: Plan, entry: Fewest) -> str:
    if entry.iterations is None:
        return f"| {entry.threshold:g} | not reached | | |"
    count = f"{entry.iterations:,.6g}"
    rate = escape_markdown(rate_at(plan, entry))
    return f"| {entry.threshold:g} | {count} | {rate} | {entry.trial} |"


def _front(answers: Answers) -> list[str]:
    lines = [
        "The front: no trial has both a tighter threshold and a smaller hitting time.",
        "",
        "| threshold | hitting time | iterations | parameters | trial |",
        "|---|---|---|---|---|",
    ]
    for at in answers.front[:MOST_FRONT_ROWS]:
        trial, record = answers.trials[at], answers.records[at]
        rest = {key: value for key, value in trial.params.items() if key != THRESHOLD}
        lines.append(
            f"| {record.threshold:.3g} | {record.hitting_time:,.6g} | {record.iterations:,.6g} "
            f"| {_pairs(rest)} | {trial.number} |"
        )
    if len(answers.front) > MOST_FRONT_ROWS:
        lines += ["", f"and {len(answers.front) - MOST_FRONT_ROWS} more in `front.csv`"]
    return lines


def _pairs(parameters: Mapping[str, Any]) -> str:
    """Keys with their values in Markdown, which neither can break."""
    return ", ".join(
        f"{_key(key)} = {escape_markdown(short(value))}" for key, value in parameters.items()
    )


def _key(key: str) -> str:
    """A key as code, or where it is no plain word as it stands."""
    return f"`{key}`" if PLAIN_KEY.fullmatch(key) else escape_markdown(key)


def _rows(answers: Answers, positions: Sequence[int]) -> list[list[object]]:
    keys = sorted({key for trial in answers.trials for key in trial.params})
    last = ["hitting_time", "iterations", "status", "final_loss", "run_id"]
    rows: list[list[object]] = [["trial", *keys, *last]]
    for at in positions:
        trial, record = answers.trials[at], answers.records[at]
        values = [trial.params.get(key) for key in keys]
        result = [
            record.hitting_time,
            record.iterations,
            record.status,
            record.final_loss,
            record.run_id,
        ]
        rows.append([trial.number, *values, *result])
    return rows


def _csv(rows: Sequence[Sequence[object]]) -> bytes:
    text = io.StringIO()
    csv.writer(text, lineterminator="\n").writerows(map(_cell, row) for row in rows)
    return text.getvalue().encode()


def _cell(value: object) -> object:
    """A value as a spreadsheet takes it: empty for none, and a text as a text."""
    if isinstance(value, str) and value.startswith(FORMULA):
        return f"'{value}"
    return "" if value is None else value
