"""A race: more seeds for the trials that may still be the best, in a fixed number of descents.

Trials run over levels of seeds; all that are in the race at a level have the same seeds. At each
level the trials that are told apart from the leader stop, as in irace, and of the others the worse
half, as in sequential halving, which is made for a fixed budget.

Sources: M. López-Ibáñez et al., The irace package, Operations Research Perspectives 3, 2016;
Z. Karnin, T. Koren, O. Somekh, Almost Optimal Exploration in Multi-Armed Bandits, ICML 2013.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from gdexp.sweeps.evidence.evidence import Evidence, evidence_of
from gdexp.sweeps.evidence.running_time import SeedCounts

TOLD_APART, BEHIND, FAILED, TO_THE_END = "told apart", "behind", "failed", "ran to the end"
"""How a trial's race ends."""

Found = Mapping[int, SeedCounts | None]
"""The counts of trials by number; None where a descent has none that can be compared."""


@dataclass(frozen=True)
class Runner:
    """A trial at the end of its race.

    Attributes:
        counts: of all its seeds in the race.
        ended: one of `TOLD_APART`, `BEHIND`, `FAILED` and `TO_THE_END`.
        leader: the trial that led when it stopped.
    """

    counts: SeedCounts
    ended: str
    leader: int

    @property
    def trial(self) -> int:
        """Its number."""
        return self.counts.trial

    @property
    def seeds(self) -> int:
        """How many seeds it has."""
        return self.counts.seeds


@dataclass(frozen=True)
class Race:
    """What a race found.

    Attributes:
        first: seeds that every trial has at the start.
        budget: the descents beyond these.
        spent: those of them that were made, or were to be.
        levels: the numbers of seeds at which the trials were compared.
        runners: the trials, those that ran longest first, and of them the best.
        evidence: the winner beside the trials of the last level.
    """

    first: int
    budget: int
    spent: int
    levels: Sequence[int]
    runners: Sequence[Runner]
    evidence: Evidence

    @property
    def winner(self) -> int:
        """The trial with the smallest expected running time of those that ran to the end."""
        return self.evidence.best.trial

    @property
    def survivors(self) -> list[int]:
        """The trials that ran to the end, the best first."""
        return [each.trial for each in self.runners if each.ended == TO_THE_END]

    @property
    def lines(self) -> list[str]:
        """What is said of it."""
        count = len(self.runners)
        spent = f"{self.spent:,} of {self.budget:,} further descents"
        lines = [
            f"{count:,} {'trial' if count == 1 else 'trials'} from {self.first} seeds on, "
            f"{spent} for those that could still win"
        ]
        texts = {
            TOLD_APART: "told apart from the leader of that moment",
            BEHIND: "behind the leader, which proves nothing",
            FAILED: "as a descent failed",
        }
        stopped = [
            f"{len(seeds):,} {text} ({_range(seeds)} seeds)"
            for ended, text in texts.items()
            if (seeds := [each.seeds for each in self.runners if each.ended == ended])
        ]
        if stopped:
            lines.append(f"stopped early: {', '.join(stopped)}")
        return lines


def run_race(
    entrants: Sequence[SeedCounts],
    budget: int,
    had: Mapping[int, int],
    counts: Callable[[Sequence[int], int], Found],
    begun: Callable[[int, int, int], None] = lambda trials, before, seeds: None,
) -> Race:
    """Run a race to its end.

    It depends on the arguments alone, so that one that was interrupted goes on as it was.

    Args:
        entrants: at least one trial, all with the same number of seeds.
        budget: descents that may be made for further seeds.
        had: seeds that trials had before, which cost nothing.
        counts: returns the counts of trials over so many seeds.
        begun: is told the number of trials, the level they come from and that they go to.
    """
    level = entrants[0].seeds
    field, levels, spent = list(entrants), [level], 0
    runners: list[Runner] = []
    while True:
        best, *others = sorted(field, key=_rank)
        found = evidence_of(best, others)
        worse = {each.trial for each in found.others if each.is_worse}
        runners += [Runner(each, TOLD_APART, best.trial) for each in others if each.trial in worse]
        left = [best, *(each for each in others if each.trial not in worse)]
        most = max(math.ceil(len(field) / 2), 2)
        kept, behind = left[:most], left[most:]
        target = _next_level(kept, level, budget - spent, had)
        if len(kept) == 1 or target == level:
            runners += [Runner(each, TO_THE_END, best.trial) for each in left]
            break
        runners += [Runner(each, BEHIND, best.trial) for each in behind]
        begun(len(kept), level, target)
        numbers = [each.trial for each in kept]
        made = counts(numbers, target)
        spent += _cost(kept, target, had)
        field = [each for number in numbers if (each := made[number]) is not None]
        runners += [Runner(e, FAILED, best.trial) for e in kept if made[e.trial] is None]
        level = target
        levels.append(level)
        if not field:
            break
    ended = sorted(
        runners, key=lambda each: (each.ended != TO_THE_END, -each.seeds, *_rank(each.counts))
    )
    return Race(levels[0], budget, spent, levels, ended, found)


def _rank(trial: SeedCounts) -> tuple[float, int]:
    return trial.expected, trial.trial


def _cost(field: Sequence[SeedCounts], target: int, had: Mapping[int, int]) -> int:
    """Return the descents that bring trials to so many seeds."""
    missing = (max(target - max(each.seeds, had.get(each.trial, 0)), 0) for each in field)
    return sum(missing) * field[0].problems


def _next_level(
    field: Sequence[SeedCounts], level: int, budget: int, had: Mapping[int, int]
) -> int:
    """Return the seeds of the next level; the same where the budget allows none.

    What is left is spent evenly over the levels that halving still needs. A level has at most
    twice the seeds of the one before, so that a clear difference ends the race early.
    """
    share = budget // max(math.ceil(math.log2(len(field))), 1)
    if _cost(field, level + 1, had) > share:
        return level + (_cost(field, level + 1, had) <= budget)
    low, high = level + 1, 2 * level
    while low < high:  # the largest target whose cost is within the share
        middle = (low + high + 1) // 2
        low, high = (middle, high) if _cost(field, middle, had) <= share else (low, middle - 1)
    return low


def _range(seeds: Sequence[int]) -> str:
    low, high = min(seeds), max(seeds)
    return f"{low}" if low == high else f"{low} to {high}"
