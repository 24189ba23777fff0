"""What a sweep minimises or maximises: one number of each trial, or several."""

from __future__ import annotations

import math
import re
from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from gdexp.core import BadInput, nearest
from gdexp.descent import EVALUATIONS, GRADIENTS, ITERATIONS, LOSS, SECONDS, Result

HITTING_TIME, PARETO, THRESHOLD = "hitting_time", "pareto", "threshold"
BEST, LAST, VALUE_AT = "best", "last", "value_at"
OBJECTIVES = (HITTING_TIME, PARETO, BEST, LAST, VALUE_AT, SECONDS)
COUNTED = (GRADIENTS, EVALUATIONS)
"""Kinds that count what `sweep.cost` says until the threshold is met, in place of iterations."""

RETURNED = "returned"
"""What the function of another application returned, its only number or the one at a place."""

VALUES = (BEST, LAST, VALUE_AT, RETURNED)
"""Objectives that are a value of a metric; a threshold plays no part in them."""

MINIMIZE, MAXIMIZE = "minimize", "maximize"
DIRECTIONS = (MINIMIZE, MAXIMIZE)
MODES = {"min": MINIMIZE, "max": MAXIMIZE}
"""The values of `stopping.mode`."""

PLACE = re.compile(r"returned(?::(\d{1,3}))?")
AT = re.compile(r"value_at[(:](\d{1,10})\)?")
"""`value_at(100)`; on the command line `value_at:100` needs no quotes."""


@dataclass(frozen=True)
class Objective:
    """One number of a trial.

    Attributes:
        kind: one of `OBJECTIVES` but for `pareto`, one of `COUNTED`, or `threshold`.
        metric: of a kind of `VALUES`.
        maximize: whether larger is better.
        at: of `value_at`: the iteration; of `returned`: the place among several numbers.
    """

    kind: str
    metric: str = LOSS
    maximize: bool = False
    at: int | None = None

    @property
    def is_value(self) -> bool:
        """Whether it is a value of a metric."""
        return self.kind in VALUES

    @property
    def name(self) -> str:
        """Its name in tables and files: `hitting_time`, `best_accuracy`, `loss_at_100`."""
        if self.kind == VALUE_AT:
            return f"{self.metric}_at_{self.at}"
        if self.kind == RETURNED:
            return self.metric
        return f"{self.kind}_{self.metric}" if self.is_value else self.kind

    @property
    def title(self) -> str:
        """Its name in sentences and headings."""
        name = self.name.replace("_", " ")
        return name.replace(RETURNED, f"{RETURNED} value") if self.kind == RETURNED else name

    @property
    def text(self) -> str:
        """What a sweep looks for: `the smallest hitting time`, `the largest last accuracy`."""
        order = "largest" if self.maximize else "smallest"
        if self.kind in (SECONDS, *COUNTED):
            return f"the fewest {self.counted} to the threshold"
        if self.kind == VALUE_AT:
            return f"the {order} {self.metric} after {self.at:,} iterations"
        if self.kind == BEST:
            return f"the {order} {self.metric}"
        if self.kind == RETURNED:
            return f"the {order} {self.title}"
        which = f"last {self.metric}" if self.kind == LAST else self.kind.replace("_", " ")
        return f"the {order} {which}"

    @property
    def counted(self) -> str:
        """What is counted, in words."""
        return {EVALUATIONS: "loss evaluations", GRADIENTS: "gradient evaluations"}.get(
            self.kind, self.kind
        )

    @property
    def worst(self) -> float:
        """What Optuna is told of a trial that has no number."""
        return -math.inf if self.maximize else math.inf

    def signed(self, value: float) -> float:
        """Return a value so that smaller is better."""
        return -value if self.maximize else value

    def of_result(self, result: Result) -> float:
        """Return the value of one result; NaN where it has none.

        `best` is the best number of all readings, `last` the last reading, which may be no number.
        `value_at` is the reading at exactly that iteration, which a result that ended before it
        does not have.
        """
        try:
            iterations, values = result.curve(self.metric).T
        except BadInput:  # no evaluation returned it
            return math.nan
        if self.kind == BEST:
            known = values[np.isfinite(values)]
            if not known.size:
                return math.nan
            return float(known.max() if self.maximize else known.min())
        if self.kind in (LAST, RETURNED):
            return float(values[-1]) if values.size else math.nan
        found = np.flatnonzero(iterations == self.at)
        return float(values[found[0]]) if found.size else math.nan

    def so_far(self, result: Result) -> float:
        """Return the best or last value of a result that was ended before its value was known."""
        kind = BEST if self.kind == BEST else LAST
        return Objective(kind, self.metric, self.maximize).of_result(result)


def objectives(
    objective: object, metric: object, direction: object, budget: int | None, mode: str | None
) -> tuple[Objective, ...]:
    """Return what `sweep.objective`, `sweep.metric` and `sweep.direction` say.

    Args:
        objective: a name, or a list of names.
        metric: of objectives that are a value; one for all, or one for each.
        direction: the same.
        budget: the iterations of a trial, at which `value_at` reads; None where they are no budget.
        mode: the direction of the metric, if it is known.

    Raises:
        BadInput: names the key.
    """
    names = list(objective) if isinstance(objective, Sequence | list) else [objective]
    if isinstance(objective, str):
        names = [HITTING_TIME, THRESHOLD] if objective == PARETO else [objective]
    if not names:
        raise BadInput("objective", "[]", "must be at least one objective")
    metrics = _for_each("metric", metric, len(names))
    directions = _for_each("direction", direction, len(names))
    parsed = zip(names, metrics, directions, strict=True)
    found = tuple(_objective(*each, budget, mode) for each in parsed)
    if len({each.name for each in found}) < len(found):
        raise BadInput("objective", ", ".join(map(str, names)), "must be different objectives")
    return found


def with_cost(goal: tuple[Objective, ...], cost: str) -> tuple[Objective, ...]:
    """Return objectives with the hitting time counted in a cost, as `sweep.cost` says.

    Raises:
        BadInput: none of them is the hitting time.
    """
    if cost == ITERATIONS:
        return goal
    if all(each.kind != HITTING_TIME for each in goal):
        name = ", ".join(each.name for each in goal)
        raise BadInput("cost", cost, f"must be {ITERATIONS} with objective={name}")
    return tuple(replace(each, kind=cost) if each.kind == HITTING_TIME else each for each in goal)


def _for_each(key: str, given: object, count: int) -> list[object]:
    """Return one value for each objective."""
    if not isinstance(given, list | tuple):
        return [given] * count
    if len(given) != count:
        raise BadInput(key, f"{len(given)} entries", f"must be one, or {count} as in objective")
    return list(given)


def _objective(
    name: object, metric: object, direction: object, budget: int | None, mode: str | None
) -> Objective:
    place = PLACE.fullmatch(name) if isinstance(name, str) else None
    if place is not None:
        number = None if place[1] is None else int(place[1])
        metric = RETURNED if number is None else f"{RETURNED}_{number}"
        return Objective(RETURNED, metric, direction == MAXIMIZE, number)
    at = AT.fullmatch(name) if isinstance(name, str) else None
    if at is None and isinstance(name, str) and re.match(rf"{VALUE_AT}\W", name):
        raise BadInput("objective", name, "must have a whole number of iterations: value_at:100")
    kind = VALUE_AT if at else name
    if kind not in (*OBJECTIVES, THRESHOLD) or kind == PARETO:
        known = [each for each in OBJECTIVES if each != PARETO]
        raise BadInput("objective", name, nearest(name if isinstance(name, str) else "", known))
    if metric is not None and (not isinstance(metric, str) or not metric.strip()):
        raise BadInput("metric", metric, "must be the name of a metric")
    if direction is not None and direction not in DIRECTIONS:
        raise BadInput("direction", direction, nearest(str(direction), DIRECTIONS))
    if kind not in VALUES:
        if direction == MAXIMIZE:
            raise BadInput("direction", direction, f"must be {MINIMIZE} with objective={kind}")
        return Objective(str(kind), metric or LOSS)
    metric = metric or LOSS
    wanted = direction or (MODES[mode] if mode else None)
    if wanted is None:
        if metric != LOSS:
            raise BadInput(
                "direction", None, f"must be {MINIMIZE} or {MAXIMIZE} for the metric {metric}"
            )
        wanted = MINIMIZE
    iteration = int(at[1]) if at else budget
    if kind == VALUE_AT and iteration is None:
        raise BadInput(
            "objective", VALUE_AT, "needs an iteration: value_at:100, or sweep.budget=100"
        )
    return Objective(str(kind), metric, wanted == MAXIMIZE, iteration if kind == VALUE_AT else None)
