"""Markdown descriptions of runs for their pages in MLflow."""

from __future__ import annotations

import re

from gdexp.config import shortest_command, why_not_rerunnable
from gdexp.core import format_count
from gdexp.descent import Result, measure_note, outcome_text
from gdexp.experiment import Experiment

NOTE_TAG = "mlflow.note.content"
"""The run tag that MLflow shows as the description."""

MOST_COMMAND = 4000
"""Most characters of a command in a note: MLflow cuts longer tags, and a cut command is wrong."""


def descent_note(experiment: Experiment, result: Result, run_id: str, link: str) -> str:
    """Return the result of a descent, and the commands that repeat it, in Markdown.

    Args:
        experiment: what was run.
        result: its result.
        run_id: the id of its run.
        link: the address, after `#`, of its losses on a log axis. It comes first, because the
            page folds a description after a few lines.
    """
    count = format_count(result.iterations, "iteration")
    lines = [
        f"**{count}**, {result.status}: {outcome_text(result)}.",
        f"[Loss by iteration on a log axis](#{link})",
        "",
        f"| until | {result.stopping.goal_text(result.f_star)}{measure_note(result.stopping)} |",
        "|---|---|",
        f"| hitting time | {result.hitting_time:.6g} |",
        f"| final loss | {result.final_loss:.6g} |",
        f"| smallest, largest loss | {result.min_loss:.6g}, {result.max_loss:.6g} |",
    ]
    lines += [f"| {escape_markdown(name)} | {text} |" for name, text in result.facts()]
    if experiment.engine_reason is not None:
        lines.append(f"| engine | torch: {escape_markdown(experiment.engine_reason)} |")
    if (reason := why_not_rerunnable(experiment.config, run_id)) is not None:
        return "\n".join([*lines, "", escape_markdown(reason)])
    command = shortest_command(experiment.config)
    if len(command) <= MOST_COMMAND:
        lines += ["", "Repeat it with", "", code_block(command)]
    lines += ["", "Check it bit for bit with", "", code_block(f"python -m gdexp +rerun={run_id}")]
    return "\n".join(lines)


def code_block(line: str) -> str:
    """Return a command as an indented block, which Markdown shows unchanged.

    Every line is indented: a value can hold a line break, and the text after it would be Markdown.
    """
    return "\n".join(f"    {part}" for part in re.split(r"\r\n|\r|\n", line))


def escape_markdown(text: str) -> str:
    """Return Markdown that shows a text unchanged, on one line, also inside a table."""
    line = " ".join(text.split())
    return re.sub(r"[^\w\s.,=+/()-]|_", lambda found: f"&#{ord(found[0])};", line)
