"""What the seeds of a sweep's trials tell of its best one: as lines, as a file, as plain values."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from gdexp.core import csv_bytes
from gdexp.descent import Status
from gdexp.sweeps.evidence import Comparison, Evidence, SeedCounts, evidence_of
from gdexp.sweeps.objective import HITTING_TIME, Objective
from gdexp.sweeps.study import TrialRecord

if TYPE_CHECKING:
    from optuna.trial import FrozenTrial

COLUMNS = tuple(Comparison.__dataclass_fields__)

ENDED = (Status.CAPPED, Status.PRUNED, Status.FAILED, Status.BELOW_MINIMUM)
"""Trials that were ended as they could not win any more, or have no count."""


def seed_evidence(
    trials: Sequence[FrozenTrial],
    records: Sequence[TrialRecord],
    best: int | None,
    seeds: int,
    objectives: Sequence[Objective],
    problems: int = 1,
) -> Evidence | None:
    """Return what the seeds tell of the best trial.

    Args:
        trials: the finished ones.
        records: of the trials.
        best: position of the best one.
        seeds: of a trial.
        objectives: of the sweep.
        problems: that a trial runs on.

    Returns:
        None with one descent, where something else than the hitting time is compared, or where the
        best trial's seeds are not known one by one (0.1.0 stored how many converged).
    """
    if best is None or seeds * problems < 2 or [each.kind for each in objectives] != [HITTING_TIME]:
        return None
    counted = counted_trials(trials, records, seeds, problems)
    if best not in counted:
        return None
    return evidence_of(counted[best], [each for at, each in counted.items() if at != best])


def counted_trials(
    trials: Sequence[FrozenTrial], records: Sequence[TrialRecord], seeds: int, problems: int = 1
) -> dict[int, SeedCounts]:
    """Return the counts of the trials that have all descents, by their positions."""
    return {
        at: SeedCounts(trial.number, record.counts, reached, problems)
        for at, (trial, record) in enumerate(zip(trials, records, strict=True))
        if record.status not in ENDED
        and len(record.counts) == seeds * problems
        and (reached := record.reached) is not None
    }


def evidence_facts(evidence: Evidence | None) -> list[tuple[str, str]]:
    """Return the lines of the report."""
    if evidence is None:
        return []
    interval = evidence.interval_text
    lines = [("", interval)] if interval else []
    return [*lines, ("certainty", str(evidence))]


def evidence_markdown(evidence: Evidence | None) -> list[str]:
    """Return the same as lines of Markdown, each with an empty one after it."""
    lines = [text for _, text in evidence_facts(evidence)]
    return [each for text in lines for each in (f"{text[0].upper()}{text[1:]}.", "")]


def evidence_csv(name: str, evidence: Evidence | None) -> Mapping[str, bytes]:
    """Return the file of comparisons by this name; nothing where there are none."""
    if evidence is None:
        return {}
    rows = [evidence.best, *evidence.others]
    cells = [[getattr(each, column) for column in COLUMNS] for each in rows]
    return {name: csv_bytes([list(COLUMNS), *cells])}


def evidence_fields(evidence: Evidence | None) -> dict[str, Any] | None:
    """Return the same as plain values."""
    if evidence is None:
        return None
    return {
        "method": evidence.method,
        "seeds": evidence.seeds,
        "text": str(evidence),
        "best": comparison_fields(evidence.best),
        "others": [comparison_fields(each) for each in evidence.others],
    }


def comparison_fields(compared: Comparison) -> dict[str, Any]:
    """Return one comparison as plain values."""
    return {name: getattr(compared, name) for name in COLUMNS}
