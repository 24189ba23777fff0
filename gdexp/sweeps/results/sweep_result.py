"""What a sweep found: the best trial and everything else that its end reports."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence, Set
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

from gdexp.core import format_count
from gdexp.descent import SECONDS, Status
from gdexp.sweeps.evidence import Confirmation, Evidence, Race
from gdexp.sweeps.objective import BEST, COUNTED, HITTING_TIME, LAST, RETURNED, THRESHOLD, Objective
from gdexp.sweeps.plan import Plan
from gdexp.sweeps.results.importance import importances
from gdexp.sweeps.results.no_winner import nearest_trial
from gdexp.sweeps.results.pareto_front import non_dominated
from gdexp.sweeps.results.problem_table import ProblemRow
from gdexp.sweeps.results.seed_evidence import seed_evidence
from gdexp.sweeps.results.tested import Tested
from gdexp.sweeps.results.threshold_table import ThresholdRow, threshold_rows
from gdexp.sweeps.study import (
    CODE,
    TrialRecord,
    completed_trials,
    had_other_code,
    is_added,
    recorded_trials,
)

if TYPE_CHECKING:
    from optuna import Study
    from optuna.trial import FrozenTrial


MOST_NAMED = 5
"""Trials of the user whose numbers are printed."""


@dataclass(frozen=True)
class SweepResult:
    """Everything that the end of a sweep reports.

    Attributes:
        trials: the finished ones, in order, but for those that the user added.
        records: the record of each.
        best: position of the trial with the best value of the first objective; None where none has
            it, as where none converged.
        nearest: position of the trial that came nearest, where none is best.
        thresholds: the rows of the threshold table.
        front: positions of the trials that can win and that no other beats in all objectives; with
            one objective, in threshold and hitting time.
        counts: finished trials by status.
        steps: iterations made by all trials together.
        saved: iterations that the cap saved, estimated.
        reused: descents taken from earlier runs.
        importance: the share of each swept key in the hitting time, from 0 to 1.
        added: the finished trials that the user added to the study.
        changed: the files of the user's own that changed since the study began.
        other_code: the numbers of the trials that did not run the files as they are now.
        evidence: what the seeds tell of the best trial; None with one seed.
        race: what it found; None where there was none.
        tested: the winner on the held-out problems; None where none are named.
        confirmation: what further seeds say of it; None where that is not asked for.
        problems: the winner on each of several problems.
    """

    trials: Sequence[FrozenTrial]
    records: Sequence[TrialRecord]
    best: int | None
    nearest: int | None
    thresholds: Sequence[ThresholdRow]
    front: Sequence[int]
    counts: Mapping[str, int]
    steps: int
    saved: float
    reused: int
    importance: Mapping[str, float] = field(default_factory=dict)
    added: Sequence[FrozenTrial] = ()
    changed: list[str] = field(default_factory=list)
    other_code: Set[int] = frozenset()
    evidence: Evidence | None = None
    race: Race | None = None
    tested: Tested | None = None
    confirmation: Confirmation | None = None
    problems: Sequence[ProblemRow] = ()

    @classmethod
    def from_study(cls, study: Study, plan: Plan) -> SweepResult:
        """Work the result out from the finished trials; run nothing."""
        trials = recorded_trials(study)
        records = [TrialRecord.of(trial) for trial in trials]
        able = [position for position, record in enumerate(records) if record.can_win]
        points = [_point(plan, records[at]) for at in able]
        first = plan.objectives[0]
        count = len(plan.objectives)
        code = study.user_attrs.get(CODE, {})
        best = min(able, key=lambda at: first.signed(records[at].told(count)[0]), default=None)
        return cls(
            trials=trials,
            records=records,
            best=best,
            nearest=nearest_trial(records) if best is None else None,
            thresholds=threshold_rows(plan, trials, records),
            front=[able[at] for at in non_dominated(points)],
            counts=dict(sorted(Counter(record.status for record in records).items())),
            steps=sum(record.steps for record in records),
            saved=sum(record.saved for record in records),
            reused=sum(record.reused for record in records),
            importance=importances(trials, maximize=first.maximize, logarithmic=not first.is_value),
            added=[trial for trial in completed_trials(study) if is_added(trial)],
            changed=list(code.get("changed", [])),
            other_code=frozenset(t.number for t in trials if had_other_code(code, t)),
            evidence=seed_evidence(
                trials,
                records,
                best,
                plan.settings.trial_seeds,
                plan.objectives,
                max(len(plan.problems), 1),
            ),
        )

    def with_run_ids(self, runs: Mapping[int, str]) -> SweepResult:
        """Return the same result with other run ids.

        Args:
            runs: trial number to run id; other trials keep theirs.
        """
        pairs = zip(self.trials, self.records, strict=True)
        return replace(
            self,
            records=[
                replace(record, run_id=runs.get(trial.number, record.run_id))
                for trial, record in pairs
            ],
            thresholds=[
                row if row.trial is None else replace(row, run_id=runs.get(row.trial, row.run_id))
                for row in self.thresholds
            ],
        )

    @property
    def keys(self) -> list[str]:
        """The parameters that the trials have, in order."""
        return sorted({key for trial in self.trials for key in trial.params})

    @property
    def best_trial(self) -> tuple[FrozenTrial, TrialRecord] | None:
        """The best trial and its record."""
        return None if self.best is None else (self.trials[self.best], self.records[self.best])

    @property
    def nearest_trial(self) -> tuple[FrozenTrial, TrialRecord] | None:
        """The trial that came nearest and its record, where none converged."""
        at = self.nearest
        return None if at is None else (self.trials[at], self.records[at])

    @property
    def failures_text(self) -> str:
        """The trials that failed, by the reason of the first; empty where none did."""
        pairs = zip(self.trials, self.records, strict=True)
        failed = [(trial.number, r.reason) for trial, r in pairs if r.status == Status.FAILED]
        if not failed:
            return ""
        number, reason = failed[0]
        more = f"; and {len(failed) - 1:,} more" if len(failed) > 1 else ""
        return f"trial {number}: {reason}{more}"

    def had_other_code(self, trial: FrozenTrial) -> bool:
        """Whether a trial ran before files of the user's own changed."""
        return trial.number in self.other_code

    @property
    def changed_text(self) -> str:
        """How many trials ran before files of the user's own changed; empty where none did."""
        before = sum(map(self.had_other_code, self.trials))
        if not before:
            return ""
        names = ", ".join(self.changed)
        return f"{before:,} of {len(self.trials):,} trials ran before {names} changed"

    @property
    def repeat_title(self) -> str:
        """What stands before the command that repeats the best trial, without a colon."""
        if self.best_trial is None or not self.had_other_code(self.best_trial[0]):
            return "repeat it with"
        return f"repeat it with the earlier {', '.join(self.changed)} and"

    @property
    def front_trials(self) -> list[tuple[FrozenTrial, TrialRecord]]:
        """The trials on the front and their records."""
        return [(self.trials[at], self.records[at]) for at in self.front]

    def steps_text(self, step: str) -> str:
        """Return the steps of all trials, those that the cap saved, and the reused descents.

        Args:
            step: what an iteration is called.
        """
        text = f"{format_count(self.steps, step)} in all"
        if self.saved:
            text += f"; the cap saved about {self.saved:,.0f}"
        if self.reused:
            text += f"; {self.reused:,} descents taken from earlier runs"
        return text


def _point(plan: Plan, record: TrialRecord) -> tuple[float, ...]:
    """Return the numbers in which a trial may beat others, smaller ones better."""
    if not plan.told_objectives or not plan.several:
        return record.threshold, record.hitting_time
    told = record.told(len(plan.objectives))
    return tuple(each.signed(value) for each, value in zip(plan.objectives, told, strict=True))


def outcome_text(plan: Plan, record: TrialRecord) -> str:
    """Return what a trial is best by: its count, or the values of its objectives."""
    if not plan.told_objectives:
        return count_text(record)
    pairs = zip(plan.objectives, record.told(len(plan.objectives)), strict=True)
    return ", ".join(_value_text(each, value, record) for each, value in pairs)


def _value_text(objective: Objective, value: float, record: TrialRecord) -> str:
    if objective.kind == HITTING_TIME:
        return count_text(record)
    if objective.kind == RETURNED:
        mean = f" (mean of {len(record.counts)} seeds)" if len(record.counts) > 1 else ""
        return f"{objective.title} {value:.6g}{mean}"
    if objective.kind == SECONDS:
        return f"{value:.4g} s ({count_text(record)})"
    if objective.kind in COUNTED:
        return f"{value:,.6g} {objective.counted} ({count_text(record)})"
    if objective.kind == THRESHOLD:
        return f"threshold {value:.3g}"
    mean = f", mean of {len(record.counts)} seeds" if len(record.counts) > 1 else ""
    which = {BEST: "best ", LAST: "last "}.get(objective.kind, "")
    after = f" after {objective.at:,} iterations" if objective.at is not None else ""
    return f"{which}{objective.metric} {value:.6g}{after}{mean}"


def seeds_after_race(plan: Plan, record: TrialRecord) -> int | None:
    """Return the seeds that a trial has after a race; None without one."""
    return len(record.counts) // max(len(plan.problems), 1) if plan.settings.race else None


def added_text(result: SweepResult) -> str:
    """Return what is said of the trials that the user added to the study; empty without any."""
    if not result.added:
        return ""
    first = ", ".join(str(trial.number) for trial in result.added[:MOST_NAMED])
    more = ", …" if len(result.added) > MOST_NAMED else ""
    return (
        f"{len(result.added):,} more that were added to the study ({first}{more}): they count, "
        "and cannot win, as no descent shows their values"
    )


def count_text(record: TrialRecord) -> str:
    """Return a trial's count with its noun; of several seeds the expected count."""
    if len(record.counts) == 1:
        return format_count(int(record.iterations), "iteration")
    if record.each is not None:
        count = format_count(float(record.iterations), "iteration")
        return f"{count} as the geometric mean over {len(record.each)} problems"
    count = format_count(float(record.iterations), "iteration")
    return f"{count} expected over {len(record.counts)} seeds"
