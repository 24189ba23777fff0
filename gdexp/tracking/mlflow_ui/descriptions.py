"""A descent in Markdown, for the description on its page in MLflow."""

from __future__ import annotations

import re

from gdexp.config import shortest_command
from gdexp.core import format_count, gap_formula
from gdexp.descent import Result
from gdexp.experiment import Experiment

NOTE_TAG = "mlflow.note.content"
"""The run tag that MLflow shows as the description."""

MOST_COMMAND = 4000
"""Characters; MLflow cuts a tag at 8,000, and a command cut anywhere would be another one."""


def descent_note(experiment: Experiment, result: Result, run_id: str, link: str) -> str:
    """What came of a descent and how to have it again.

    Args:
        experiment: what was run.
        result: what came of it.
        run_id: of its run.
        link: the address, after `#`, of its losses on a log axis. It comes first, because the
            page folds a description after a few lines.
    """
    gap = gap_formula(result.f_star)
    count = format_count(result.iterations, "iteration")
    lines = [
        f"**{count}**, {result.status}: {result.status.explanation}.",
        f"[Loss by iteration on a log axis](#{link})",
        "",
        f"| until | {gap} <= {result.threshold:g} |",
        "|---|---|",
        f"| hitting time | {result.hitting_time:.6g} |",
        f"| final loss | {result.final_loss:.6g} |",
        f"| smallest, largest loss | {result.min_loss:.6g}, {result.max_loss:.6g} |",
    ]
    command = shortest_command(experiment.config)
    if len(command) <= MOST_COMMAND:
        lines += ["", "Repeat it with", "", code(command)]
    lines += ["", "Check it bit for bit with", "", code(f"python -m gdexp +rerun={run_id}")]
    return "\n".join(lines)


def code(line: str) -> str:
    """A command as an indented block, which Markdown shows as it stands.

    Every line of it is indented: after a line break in a value what follows would be Markdown.
    """
    return "\n".join(f"    {part}" for part in re.split(r"\r\n|\r|\n", line))


def inert(text: str) -> str:
    """A text as Markdown that shows it as it stands, on one line and inside a table too."""
    line = " ".join(text.split())
    return re.sub(r"[^\w\s.,=+/()-]|_", lambda found: f"&#{ord(found[0])};", line)
