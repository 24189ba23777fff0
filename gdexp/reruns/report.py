"""Report reruns: facts for the console, and JSON."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Sequence
from dataclasses import asdict
from typing import Any

from rich.markup import escape

from gdexp.core import format_count, format_counts
from gdexp.experiment import ALONE
from gdexp.reruns.array_comparison import ArrayDifference
from gdexp.reruns.reference import DamagedReference, NoReference
from gdexp.reruns.replay import Rerun
from gdexp.reruns.verdict import EXIT_DIFFERENT, EXIT_NO_REFERENCE, Level

MOST_CAUSES = 8
MOST_LISTED = 20
MOST_NOTES = 4

MEANING = {
    Level.CLOSE: "status and iterations agree, and the numbers but for rounding",
    Level.SAME_OUTCOME: "status and iterations agree, the numbers do not",
    Level.DIFFERENT: "another status or another count of iterations",
}

Fact = tuple[str, str]
Outcome = Rerun | NoReference | DamagedReference


def outcome_level(outcome: Outcome) -> Level:
    """Return the level of an outcome."""
    return outcome.verdict.level if isinstance(outcome, Rerun) else outcome.level


def common_exit_status(outcomes: Sequence[Outcome], accept: str) -> int:
    """Return the exit status of the worst outcome.

    That there is nothing to compare with counts only if it is so for all.
    """
    statuses = {outcome_level(outcome).exit_status(accept) for outcome in outcomes}
    if EXIT_DIFFERENT in statuses:
        return EXIT_DIFFERENT
    return EXIT_NO_REFERENCE if statuses <= {EXIT_NO_REFERENCE} else 0


def rerun_facts(rerun: Rerun) -> list[Fact]:
    """Return what is printed of one rerun, as names and values."""
    reference, result, verdict = rerun.reference, rerun.result, rerun.verdict
    how = f"{_ended(str(result.status), result.iterations)}, {_how(rerun)}"
    problem, rule = rerun.experiment.problem, rerun.experiment.rule
    facts = [
        (
            "reference",
            f"{reference.shown}: {_ended(reference.status, reference.iterations)}, "
            f"{problem.name} {rule.name}, {rerun.experiment.config['dtype']}",
        ),
        ("rerun", how),
        *([] if rerun.program is None else [("program", rerun.program.note)]),
        ("verdict", f"[bold]{verdict.level}[/bold]: {MEANING.get(verdict.level) or _proof(rerun)}"),
    ]
    facts = [(name, value if name == "verdict" else escape(value)) for name, value in facts]
    facts += [("" if i else "differs", escape(text)) for i, text in enumerate(verdict.reasons)]
    why = "although" if verdict.level is Level.IDENTICAL else "could be"
    shown = [escape(str(cause)) for cause in verdict.causes[:MOST_CAUSES]]
    if len(verdict.causes) > MOST_CAUSES:
        shown.append(f"and {len(verdict.causes) - MOST_CAUSES} more, less likely")
    if not shown and verdict.level is not Level.IDENTICAL:
        shown = ["nothing known: source, versions, threads and settings are the same"]
    return facts + [("" if i else why, text) for i, text in enumerate(shown)]


def summary_facts(outcomes: Sequence[Outcome]) -> list[Fact]:
    """Return what is printed of many reruns: counts, and those that are not identical."""
    facts = [("verdicts", format_counts(verdict_counts(outcomes)))]
    notes = Counter(o.program.note for o in outcomes if isinstance(o, Rerun) and o.program)
    for i, (note, count) in enumerate(notes.most_common(MOST_NOTES)):
        facts.append(("" if i else "programs", escape(f"{count:,} {note}")))
    others = [o for o in outcomes if outcome_level(o) is not Level.IDENTICAL]
    for outcome in others[:MOST_LISTED]:
        if isinstance(outcome, Rerun):
            first = f"; could be {outcome.verdict.causes[0]}" if outcome.verdict.causes else ""
            text = f"{outcome.reference.shown}: {outcome.verdict}{first}"
        else:
            text = str(outcome)
        facts.append((str(outcome_level(outcome)), escape(text)))
    if len(others) > MOST_LISTED:
        facts.append(("", f"and {len(others) - MOST_LISTED:,} more"))
    return facts


def verdict_counts(outcomes: Sequence[Outcome]) -> dict[str, int]:
    """Return the count of each level that occurs, best first."""
    found = Counter(str(outcome_level(outcome)) for outcome in outcomes)
    return {str(each): found[str(each)] for each in Level if found[str(each)]}


def outcome_json(outcome: Outcome, accept: str, recorded: str | None = None) -> dict[str, Any]:
    """Return one outcome as plain values for JSON; inf and NaN become texts.

    Args:
        outcome: the rerun, or why there is none.
        accept: the weakest verdict with exit status 0.
        recorded: the run id of the rerun.
    """
    fields: dict[str, Any] = {
        "verdict": str(outcome_level(outcome)),
        "exit_status": outcome_level(outcome).exit_status(accept),
    }
    if not isinstance(outcome, Rerun):
        return {**fields, "reasons": [str(outcome)]}
    reference, result = outcome.reference, outcome.result
    return {
        **fields,
        "reasons": list(outcome.verdict.reasons),
        "causes": [cause.as_json() for cause in outcome.verdict.causes],
        "reference": {
            "run_id": reference.run_id,
            "status": reference.status,
            "iterations": reference.iterations,
            "engine": outcome.experiment.engine,
            "grouping": reference.grouping,
            "threads": reference.threads,
        },
        "rerun": {
            "run_id": recorded,
            "status": str(result.status),
            "iterations": result.iterations,
            "seconds": result.seconds,
            "threads": outcome.threads,
        },
        "program": None if outcome.program is None else asdict(outcome.program),
        "trace": _difference(outcome.verdict.trace),
        "final": _difference(outcome.verdict.final),
    }


def _difference(found: ArrayDifference | None) -> dict[str, Any] | None:
    if found is None:
        return None
    return {
        "first": list(found.first),
        "count": found.count,
        "total": found.total,
        "there": _number(found.reference),
        "here": _number(found.rerun),
        "ulps": found.ulps,
        "largest": found.largest,
    }


def _number(value: float) -> float | str:
    return value if math.isfinite(value) else repr(value)


def _proof(rerun: Rerun) -> str:
    losses, final = len(rerun.result.trace), rerun.result.final
    if rerun.reference.training is not None:
        return "all losses, all readings and the digests of all weights, bit for bit"
    shape = "×".join(map(str, final.shape)) or "scalar"
    which = {1: "the loss", 2: "both losses"}.get(losses, f"all {losses:,} losses")
    return f"{which} and the final tensor ({shape}), bit for bit"


def _how(rerun: Rerun) -> str:
    """Return engine, grouping and thread count of the rerun, beside those of the reference."""
    grouping = "alone" if rerun.reference.grouping == ALONE else "in a batch"
    here, there = rerun.threads, rerun.reference.threads
    same = "" if there is None else ", as there" if there == here else f", there {there}"
    return f"{rerun.experiment.engine}, {grouping}, {here} thread{'s' * (here != 1)}{same}"


def _ended(status: str, count: int) -> str:
    return f"{status} after {format_count(count, 'iteration')}"
