"""The best known count on each of several problems, which the counts of trials are compared with.

It is the smallest of what the user gave, of what a closed form knows, and of what trials needed.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, cast

from gdexp.descent import SECONDS, starting_point
from gdexp.sweeps.means import LEAST, LEAST_SECONDS, geometric_mean
from gdexp.sweeps.objective import HITTING_TIME
from gdexp.sweeps.plan import Plan
from gdexp.sweeps.problem_list import ListedProblem

GIVEN, CLOSED_FORM = "given", "closed form"
"""Where a count is from that no trial made."""

NOTE = (
    "A closed form is in exact arithmetic, of the constant learning rate with the fewest "
    "iterations that theory knows for this rule."
)


@dataclass(frozen=True)
class BestKnown:
    """A count, and where it is from.

    Attributes:
        count: iterations, or what else is minimised.
        source: `given`, `closed form`, or a trial: `trial 3`.
    """

    count: float
    source: str

    def ratio(self, count: float, least: float) -> float:
        """Return a count divided by it, each taken for `least` if it is smaller."""
        return max(count, least) / max(self.count, least)


def best_known(
    plan: Plan, problem: ListedProblem, parameters: Mapping[str, Any], trials: BestKnown | None
) -> BestKnown | None:
    """Return the best known count on a problem; None where nothing is known.

    Args:
        plan: of the sweep.
        problem: one of its list, or a held-out one.
        parameters: of the best trial, whose update rule a closed form is of.
        trials: the fewest of the trials there.
    """
    given = None if problem.best_known is None else BestKnown(problem.best_known, GIVEN)
    found = [trials, given, _closed_form(plan, problem, parameters)]
    return min((each for each in found if each), key=lambda each: each.count, default=None)


def _closed_form(
    plan: Plan, problem: ListedProblem, parameters: Mapping[str, Any]
) -> BestKnown | None:
    """Return the count of the best learning rate, over all seeds; None where no theory applies."""
    from gdexp.theory import MOST_MODES, distance, exact_count

    first, *more = (
        plan.experiment(parameters, seed, problem) for seed in range(plan.settings.trial_seeds)
    )
    function, stopping = first.function, first.stopping
    if plan.objectives[0].kind != HITTING_TIME or function is None or stopping.of_norm:
        return None
    x0 = starting_point(function, first.seed)
    if x0.numel() > MOST_MODES:
        return None
    known = distance(function, first.rule, stopping.threshold, None, x0)
    if known is None:
        return None
    counts: list[int | None] = [known.best.iterations]
    if more:
        rule = replace(cast(Any, first.rule), lr=known.best.lr)
        starts = [starting_point(function, each.seed) for each in more]
        counts += [exact_count(function, rule, stopping, start) for start in starts]
    reached = [each for each in counts if each is not None]
    return BestKnown(sum(reached) / len(counts), CLOSED_FORM) if reached == counts else None


def counted_name(plan: Plan) -> str:
    """Return what is minimised on each problem, in words."""
    first = plan.objectives[0]
    return "iterations" if first.kind == HITTING_TIME else first.counted


def least_count(plan: Plan) -> float:
    """Return what a smaller count is taken for."""
    return LEAST_SECONDS if plan.objectives[0].kind == SECONDS else LEAST


def closed_form_note(sources: Iterable[str | None]) -> list[str]:
    """Return the sentence that explains counts from closed forms, if one is shown."""
    return [NOTE] if CLOSED_FORM in sources else []


def mean_ratio(ratios: Sequence[float | None]) -> float | None:
    """Return the geometric mean of ratios to the best known; None where one is not known."""
    known = [each for each in ratios if each is not None]
    return geometric_mean(known, 0) if known and len(known) == len(ratios) else None
