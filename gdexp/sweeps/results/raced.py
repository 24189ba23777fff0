"""The race of a sweep's trials (`sweep.race`): more seeds for those that may still be the best."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np

from gdexp.core import csv_bytes
from gdexp.descent import Status
from gdexp.sweeps.evidence import Race, SeedCounts, run_race
from gdexp.sweeps.plan import Plan
from gdexp.sweeps.problem_list import descent_keys
from gdexp.sweeps.results.pareto_front import non_dominated
from gdexp.sweeps.results.seed_evidence import ENDED, counted_trials
from gdexp.sweeps.results.sweep_result import SweepResult
from gdexp.sweeps.study import TrialRecord

if TYPE_CHECKING:
    from optuna.trial import FrozenTrial

Known = Mapping[str, Sequence[Any]]
"""Of each further descent count, whether it converged, run id, status, last loss, updates and
stage, by the position of its seed."""

COLUMNS = ("trial", "seeds", "expected", "ended", "leader")


class RaceSeeds(Protocol):
    """Makes the further descents of a race, and keeps what is known of them."""

    def everything(self) -> Mapping[int, Known]:
        """Return what is stored, by trial."""

    def outcomes(
        self, trials: Sequence[FrozenTrial], seeds: range, stage: int
    ) -> Mapping[int, Known | None]:
        """Return what is known of trials; descents that are not known are made."""


def with_race(
    plan: Plan, result: SweepResult, further: RaceSeeds, say: Callable[[str], None]
) -> SweepResult:
    """Return the result after the race that is asked for, if a trial can win.

    The descents of all trials and of the race together are as many as `sweep.seeds` for each trial
    would be. A sweep that goes on with more trials races again: what was spent counts, and what is
    known is not made again.

    Args:
        plan: of the sweep.
        result: of its trials.
        further: makes descents.
        say: is told of each level.
    """
    settings, first, stage = plan.settings, plan.settings.trial_seeds, len(result.trials)
    problems = max(len(plan.problems), 1)
    counted = counted_trials(result.trials, result.records, first, problems)
    able = {at: each for at, each in counted.items() if result.records[at].can_win}
    if not settings.race or not able:
        return result
    known = further.everything()
    earlier = {n: sum(1 for d in each.values() if d[-1] < stage) for n, each in known.items()}
    trials = {each.number: each for each in result.trials}
    starts = {each.trial: each for each in able.values()}
    found: dict[int, Known] = {}

    def counts(numbers: Sequence[int], seeds: int) -> dict[int, SeedCounts | None]:
        asked = range(first, seeds)
        made = further.outcomes([trials[number] for number in numbers], asked, stage)
        keys = descent_keys(plan.problems, asked)
        rows = {n: each and {key: each[key] for key in keys} for n, each in made.items()}
        found.update({n: each for n, each in rows.items() if each})
        return {n: _with_more(starts[n], rows[n]) for n in numbers}

    race = run_race(
        list(starts.values()),
        stage * (settings.seeds - first) * problems - sum(earlier.values()),
        {number: first + count // problems for number, count in earlier.items()},
        counts,
        lambda running, before, after: say(
            f"race: {running:,} trials go from {before} to {after} seeds"
        ),
    )
    return _raced(plan, result, race, {at: each.trial for at, each in able.items()}, found)


def _with_more(start: SeedCounts, known: Known | None) -> SeedCounts | None:
    """Return a trial with further descents; None where one has no count that can be compared."""
    rows = None if known is None else list(known.values())
    if rows is None or any(Status(row[3]) in ENDED for row in rows):
        return None
    more = [int(row[0]) for row in rows], [bool(row[1]) for row in rows]
    return start.with_more(SeedCounts(start.trial, *more, start.problems))


def _raced(
    plan: Plan,
    result: SweepResult,
    race: Race,
    numbers: Mapping[int, int],
    found: Mapping[int, Known],
) -> SweepResult:
    """Return a result whose trials have the seeds of the race."""
    runners = {each.trial: each.counts for each in race.runners}
    records = list(result.records)
    for at, number in numbers.items():
        keys = descent_keys(plan.problems, range(race.first, runners[number].seeds))
        rows = [found[number][key] for key in keys]
        if rows:
            records[at] = _record(records[at], runners[number], rows)
    survivors = [at for at, number in numbers.items() if number in race.survivors]
    points = [(records[at].threshold, records[at].hitting_time) for at in survivors]
    return replace(
        result,
        records=records,
        best=next(at for at, number in numbers.items() if number == race.winner),
        front=[survivors[at] for at in non_dominated(points)],
        counts=result.counts,
        steps=result.steps + sum(int(row[5]) for each in found.values() for row in each.values()),
        evidence=race.evidence,
        race=race,
    )


def _record(record: TrialRecord, counts: SeedCounts, rows: Sequence[Sequence[Any]]) -> TrialRecord:
    """Return the record of a trial over all its seeds; its threshold counts stay as they were."""
    missed = [str(row[3]) for row in rows if not row[1]]
    converged = record.status == Status.CONVERGED
    losses = [record.final_loss] * (len(counts.counts) - len(rows)) + [float(r[4]) for r in rows]
    reached = counts.reached
    return replace(
        record,
        status=missed[0] if converged and missed else record.status,
        iterations=counts.expected,
        hitting_time=counts.expected,
        each=record.each and tuple(counts.on_problems),
        final_loss=float(np.mean(losses)),
        counts=tuple(counts.counts),
        successes=sum(reached),
        updates=record.trace_updates + sum(int(row[5]) for row in rows),
        unreached=None
        if all(reached) or not any(reached)
        else tuple(at for at, each in enumerate(reached) if not each),
    )


def race_facts(race: Race | None) -> list[tuple[str, str]]:
    """Return the lines of the report."""
    if race is None:
        return []
    return [("race" if at == 0 else "", line) for at, line in enumerate(race.lines)]


def race_markdown(race: Race | None) -> list[str]:
    """Return the same as lines of Markdown."""
    return [] if race is None else [f"Race: {'; '.join(race.lines)}.", ""]


def race_csv(name: str, race: Race | None) -> dict[str, bytes]:
    """Return the file of the trials' races by this name; nothing where there was none."""
    if race is None:
        return {}
    return {name: csv_bytes([list(COLUMNS), *(list(each.values()) for each in _runners(race))])}


def race_fields(race: Race | None) -> dict[str, Any] | None:
    """Return the race as plain values."""
    if race is None:
        return None
    return {
        "first_seeds": race.first,
        "budget": race.budget,
        "spent": race.spent,
        "levels": list(race.levels),
        "text": "; ".join(race.lines),
        "trials": _runners(race),
    }


def _runners(race: Race) -> list[dict[str, Any]]:
    return [
        {
            "trial": each.trial,
            "seeds": each.seeds,
            "expected": each.counts.expected,
            "ended": each.ended,
            "leader": each.leader,
        }
        for each in race.runners
    ]
