"""The confirmation of a winner: it and its contenders from seeds that chose nothing."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from gdexp.sweeps.evidence.evidence import MOST_NAMED, TOO_FEW, Evidence, evidence_of
from gdexp.sweeps.evidence.running_time import SeedCounts

MOST_CONTENDERS = 9
UNCOMPARED = 4
"""Trials that are contenders where the trials' own seeds are too few to tell."""


@dataclass(frozen=True)
class Confirmation:
    """What further seeds say of the winner of a sweep.

    Attributes:
        first_seed: the first of the further seeds.
        before: the expected running time of the winner in its trial.
        evidence: the winner beside its contenders, over the further seeds alone.
        failed: contenders with a descent that failed, which are not compared.
    """

    first_seed: int
    before: float
    evidence: Evidence
    failed: Sequence[int] = ()

    @property
    def better(self) -> list[int]:
        """The trials that need fewer iterations than the winner here, told apart or not."""
        return [each.trial for each in self.evidence.others if each.ratio < 1]

    @property
    def lines(self) -> list[str]:
        """What is said of it."""
        found = self.evidence
        seeds = f"{found.seeds} further seeds from {self.first_seed} on"
        if found.problems > 1:
            seeds += f", on each of {found.problems} problems"
        text = f"trial {found.best.trial} needs {found.best.expected:,.6g} over {seeds}"
        lines = [f"{text}, {self.before:,.6g} in its trial"]
        if found.interval_text:
            lines.append(found.interval_text)
        if found.others:
            lines.append(str(found))
        if self.better:
            names = ", ".join(map(str, self.better[:MOST_NAMED]))
            lines.append(f"fewer iterations here: trial {names}")
        if self.failed:
            lines.append(f"not compared, as a descent failed: {', '.join(map(str, self.failed))}")
        return lines


def contenders(evidence: Evidence | None, ranked: Sequence[int]) -> list[int]:
    """Return the trials that are confirmed beside the winner, the best first.

    Args:
        evidence: of the trials' own seeds; None where there is none.
        ranked: the numbers of the other trials that can win, the best first.
    """
    if evidence is None or evidence.method == TOO_FEW:
        return list(ranked[:UNCOMPARED])
    return [each.trial for each in evidence.contenders][:MOST_CONTENDERS]


def confirmation(
    winner: int,
    others: Sequence[int],
    before: float,
    first_seed: int,
    counts: Callable[[int], SeedCounts | None],
) -> Confirmation | None:
    """Return what further seeds say; None where a descent of the winner fails.

    Args:
        winner: its number.
        others: the contenders.
        before: the expected running time of the winner in its trial.
        first_seed: the first of the further seeds.
        counts: returns those of a trial; None where a descent fails.
    """
    found: Mapping[int, SeedCounts | None] = {each: counts(each) for each in [winner, *others]}
    best = found[winner]
    if best is None:
        return None
    known = [each for number in others if (each := found[number]) is not None]
    failed = [number for number in others if found[number] is None]
    return Confirmation(first_seed, before, evidence_of(best, known), failed)
