"""A comparison of runs: every number that its tables and pictures show."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np

from gdexp.comparison.distance import Distance, final_distance
from gdexp.comparison.formatting import brief, short_key
from gdexp.comparison.profiles import expected_running_time
from gdexp.comparison.reported import curve_name, reported_metrics
from gdexp.comparison.run_costs import (
    check_cost,
    cost_at,
    cost_name,
    hitting_costs,
    least_costs,
)
from gdexp.comparison.table_thresholds import wanted_thresholds
from gdexp.core import BadInput
from gdexp.descent import ITERATIONS, SECONDS, THRESHOLDS
from gdexp.runs import SEED_PARAM, Runs, TrackedRun, UnreadableRun, param_value, rank_key

FIRST_PARAMS = ("problem.name", "optimizer.name", "optimizer.lr", "stopping.threshold", SEED_PARAM)
LAST_PARAMS = ("stopping.cap",)
"""A cap depends on other trials, so it says the least about a run."""

RECORDED_METRICS = ("iterations", "hitting_time", "final_loss", "min_loss", "max_loss", "seconds")
EVALUATION_METRICS = ("loss_evaluations", "gradient_evaluations")
MOST_SOLVERS, MOST_LABEL_WORDS = 8, 5

DIFFERENT_THRESHOLDS_NOTE = (
    "These runs have different thresholds, and a looser one never needs more iterations; "
    "the table of thresholds compares like with like."
)


@dataclass(frozen=True)
class LeftOut:
    """A run that is not compared, and the reason."""

    run: TrackedRun
    reason: str


@dataclass(frozen=True, eq=False)
class Comparison:
    """Runs and what is computed to compare them.

    Attributes:
        runs: the compared runs; those of a sweep best first, a list in its order.
        left_out: the runs that cannot be compared.
        sweep: the parent run, if these are the runs of one sweep.
        thresholds: the thresholds of the hitting times, loosest first: the given ones, and the
            runs' own if it is the same for all.
        reference: the run from whose final tensor distances are measured: the first of a list,
            the best of a sweep.
        cost: what hitting times and bounds are in: iterations, gradients, evaluations or seconds.
    """

    runs: tuple[TrackedRun, ...]
    left_out: tuple[LeftOut, ...]
    sweep: TrackedRun | None
    thresholds: tuple[float, ...]
    reference: TrackedRun
    cost: str = ITERATIONS

    @classmethod
    def of(
        cls, found: Runs, thresholds: Sequence[float] = THRESHOLDS, cost: str = ITERATIONS
    ) -> Comparison:
        """Compare the runs that can be compared.

        Args:
            found: the runs.
            thresholds: the thresholds of the hitting times.
            cost: what hitting times are in.

        Raises:
            BadInput: no run can be compared, a threshold is not a number above 0, or a run has
                not recorded the cost.
        """
        kept, left_out = [], []
        for run in found:
            reason = run.why_not_comparable()
            if reason is None:
                kept.append(run)
            elif not (run.kind == "sweep" and found.sweep is None):
                left_out.append(LeftOut(run, reason))
        if not kept:
            why = f"; run {left_out[0].run.short} {left_out[0].reason}" if left_out else ""
            raise BadInput("+compare", "", f"there is no finished run to compare{why}")
        own = {run.threshold for run in kept if run.threshold is not None}
        wanted, mode = wanted_thresholds(kept, own, thresholds)
        if len(own) == 1:
            wanted |= own
        ranked = sorted(kept, key=rank_key)
        return cls(
            runs=tuple(ranked if found.sweep is not None else kept),
            left_out=tuple(left_out),
            sweep=found.sweep,
            thresholds=tuple(sorted(wanted, reverse=mode == "min")),
            reference=ranked[0] if found.sweep is not None else kept[0],
            cost=check_cost(cost, kept),
        )

    @property
    def cost_name(self) -> str:
        """What hitting times are in, in words."""
        return cost_name(self.cost)

    def rounded(self, time: float) -> float:
        """Return a cost as a count: rounded up, unless it is in seconds."""
        return time if self.cost == SECONDS else math.ceil(time)

    @cached_property
    def ranked(self) -> tuple[TrackedRun, ...]:
        """The runs, best first."""
        return tuple(sorted(self.runs, key=rank_key))

    @property
    def best(self) -> TrackedRun:
        """The converged run with the smallest hitting time at its own threshold."""
        return self.ranked[0]

    @cached_property
    def counts(self) -> Mapping[str, int]:
        """Runs by status, the most frequent first."""
        return dict(Counter(run.status or "unknown" for run in self.runs).most_common())

    @cached_property
    def params(self) -> Mapping[str, Sequence[Any]]:
        """The params that differ: key to the value of each run; None if a run lacks it.

        Numbers are compared as numbers: 1 equals 1.0.
        """
        keys = dict.fromkeys(key for run in self.runs for key in run.params)
        ordered = sorted(keys, key=lambda key: _key_order(key, list(keys)))
        found = {}
        for key in ordered:
            texts = [run.params.get(key) for run in self.runs]
            if len({_canonical(text) for text in texts}) > 1:
                found[key] = [None if text is None else param_value(text) for text in texts]
        return found

    @property
    def gap_name(self) -> str:
        """What the curves show: the loss alone where all runs are trainings, which have no f*."""
        return curve_name(self.runs)

    @cached_property
    def metrics(self) -> Mapping[str, Sequence[float | None]]:
        """The recorded metrics that differ: name to the value of each run."""
        found = {}
        made = EVALUATION_METRICS if any(map(_made_trials, self.runs)) else ()
        for key in (*RECORDED_METRICS, *made, *reported_metrics(self.runs)):
            values = [run.metrics.get(key) for run in self.runs]
            # NaN is not equal to itself, but two runs with NaN do not differ.
            if len({"nan" if v is not None and math.isnan(v) else v for v in values}) > 1:
                found[key] = values
        return found

    @property
    def statuses_differ(self) -> bool:
        """Whether the runs ended in different ways."""
        return len({run.status for run in self.runs}) > 1

    @property
    def thresholds_differ(self) -> bool:
        """Whether the runs had different thresholds."""
        return len({run.threshold for run in self.runs}) > 1

    @cached_property
    def times(self) -> Mapping[str, Sequence[float | None]]:
        """Run id to its hitting time at each of `thresholds`; None: failed or censored."""
        return {run.run_id: hitting_costs(run, self.cost, self.thresholds) for run in self.runs}

    @cached_property
    def bounds(self) -> Mapping[str, Sequence[float | None]]:
        """Run id to the least that it can cost where it was not continued; else None."""
        return {run.run_id: least_costs(run, self.cost, self.thresholds) for run in self.runs}

    def bound(self, threshold: float, runs: Sequence[TrackedRun] | None = None) -> float | None:
        """Return the fewest iterations that a censored run can need to one of `thresholds`."""
        place = self.thresholds.index(threshold)
        chosen = self.runs if runs is None else runs
        known = [b for run in chosen if (b := self.bounds[run.run_id][place]) is not None]
        return min(known, default=None)

    def count(self, run: TrackedRun, threshold: float) -> float | None:
        """Return the iterations to one of `thresholds`: the hitting time, rounded up."""
        time = self.times[run.run_id][self.thresholds.index(threshold)]
        return None if time is None else self.rounded(time)

    def fewest(self, threshold: float, runs: Sequence[TrackedRun] | None = None) -> float | None:
        """Return the smallest hitting time of the traces that reach one of `thresholds`."""
        place = self.thresholds.index(threshold)
        chosen = self.runs if runs is None else runs
        known = [t for run in chosen if (t := self.times[run.run_id][place]) is not None]
        return min(known, default=None)

    @cached_property
    def common_threshold(self) -> float:
        """The threshold at which all runs are compared.

        Their own if it is the same for all; else the tightest that at least half of the runs
        reached; else the loosest.
        """
        if not self.thresholds_differ and self.runs[0].threshold is not None:
            return self.runs[0].threshold
        for place in reversed(range(len(self.thresholds))):
            reached = sum(times[place] is not None for times in self.times.values())
            if 2 * reached >= len(self.runs):
                return self.thresholds[place]
        return self.thresholds[0]

    @cached_property
    def distances(self) -> Mapping[str, Distance]:
        """Run id to the distance of its final tensor from that of the reference."""
        try:
            origin = np.asarray(self.reference.final, dtype=np.float64)
        except (UnreadableRun, ValueError) as error:
            return {run.run_id: Distance(missing=f"the reference {error}") for run in self.runs}
        return {run.run_id: final_distance(run, origin) for run in self.runs}

    @cached_property
    def seed_groups(self) -> Sequence[Sequence[TrackedRun]]:
        """The runs of each configuration that has several seeds, one run for each seed."""
        groups: dict[object, dict[Any, TrackedRun]] = {}
        for run in self.ranked:
            groups.setdefault(run.configuration, {})[run.params.get(SEED_PARAM)] = run
        return [list(group.values()) for group in groups.values() if len(group) > 1]

    def expected_time(self, group: Sequence[TrackedRun], threshold: float) -> float:
        """Return the expected running time of a configuration over its seeds.

        Where `bound` is known for the group it is a lower bound: every censored seed succeeds as
        early as it can.
        """
        place = self.thresholds.index(threshold)
        counts = [self.count(run, threshold) for run in group]
        known = [
            self.bounds[run.run_id][place] if count is None else count
            for run, count in zip(group, counts, strict=True)
        ]
        spent = [
            cost_at(run, self.cost, run.updates) if count is None else count
            for run, count in zip(group, known, strict=True)
        ]
        return expected_running_time(spent, [count is not None for count in known])

    @cached_property
    def problem_of(self) -> Mapping[str, str]:
        """Run id to the name of its problem, with a number if several problems have that name."""
        seen: dict[str, list[object]] = {}
        found = {}
        for run in self.runs:
            name = str(run.values.get("problem.name", "unknown"))
            key = tuple(sorted((k, v) for k, v in run.params.items() if k.startswith("problem")))
            known = seen.setdefault(name, [])
            if key not in known:
                known.append(key)
            number = known.index(key) + 1
            found[run.run_id] = name if number == 1 else f"{name} {number}"
        return found

    @cached_property
    def solvers(self) -> Mapping[str, Sequence[TrackedRun]]:
        """The runs of each solver: an update rule with its settings, or an update rule alone.

        The rule alone is used if there are many settings or they differ between problems.
        """
        by_setting: dict[str, list[TrackedRun]] = {}
        by_rule: dict[str, list[TrackedRun]] = {}
        keys = [k for k in self.params if k.startswith("optimizer.") and k != "optimizer.name"]
        for run in self.ranked:
            rule = str(run.values.get("optimizer.name", "unknown"))
            settings = [f"{short_key(k)}={brief(run, k)}" for k in keys if k in run.params]
            by_setting.setdefault(" ".join([rule, *settings]), []).append(run)
            by_rule.setdefault(rule, []).append(run)
        problems = len(set(self.problem_of.values()))
        everywhere = all(
            len({self.problem_of[run.run_id] for run in runs}) == problems
            for runs in by_setting.values()
        )
        return by_setting if everywhere and len(by_setting) <= MOST_SOLVERS else by_rule

    @cached_property
    def numeric(self) -> Mapping[str, Sequence[float | None]]:
        """The differing params that are numbers, without the seed and the cap."""
        found = {}
        for key, values in self.params.items():
            known = [v for v in values if _is_number(v)]
            if key != SEED_PARAM and key not in LAST_PARAMS and len(set(known)) > 1:
                found[key] = [float(v) if _is_number(v) else None for v in values]
        return found

    def label(self, run: TrackedRun) -> str:
        """Return a short label of a run: the params that differ, and its id."""
        return " ".join([*self.label_words(run), f"({run.short})"])

    def label_words(self, run: TrackedRun, without: Sequence[str] = LAST_PARAMS) -> list[str]:
        """Return the most important differing params of a run; names without their key.

        Args:
            run: the run.
            without: the keys to leave out.
        """
        keys = [key for key in self.params if key in run.params and key not in without]
        return [
            str(run.values[key]) if key.endswith(".name") else f"{short_key(key)}={brief(run, key)}"
            for key in keys[:MOST_LABEL_WORDS]
        ]


def _is_number(value: object) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)


def _key_order(key: str, keys: Sequence[str]) -> tuple[int, int]:
    if key in FIRST_PARAMS:
        return FIRST_PARAMS.index(key), 0
    return len(FIRST_PARAMS) + (key in LAST_PARAMS), keys.index(key)


def _canonical(given: str | None) -> object:
    """Return a value that is equal for two params that count as equal."""
    if given is None:
        return None
    value = param_value(given)
    return ("number", float(value)) if _is_number(value) else ("text", given)


def _made_trials(run: TrackedRun) -> bool:
    """Return whether a run evaluated its loss at more points than its iterates."""
    made, iterations = run.metrics.get(EVALUATION_METRICS[0]), run.metrics.get("iterations")
    return made is not None and iterations is not None and made > iterations + 1
