"""What the progress of a sweep is told of a finished trial, by the sweep's objective."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from gdexp.core import format_number

if TYPE_CHECKING:
    from gdexp.sweeps.display.progress import FinishedTrial
    from gdexp.sweeps.plan import Plan
    from gdexp.sweeps.study import TrialRecord


def progress_value(plan: Plan, record: TrialRecord) -> float | None:
    """Return a number of a trial, smaller ones better; None if it cannot be the best."""
    if record.is_estimate:
        return None
    return plan.objectives[0].signed(record.told(len(plan.objectives))[0])


def progress_description(plan: Plan) -> Callable[[FinishedTrial], str] | None:
    """Return what says by which value a trial is best; None where it is its count."""
    if not plan.told_objectives:
        return None
    name, place = plan.objectives[0].title, 0

    def describe(record: FinishedTrial) -> str:
        values = getattr(record, "values", None)
        return name if values is None else f"{name} {format_number(values[place])}"

    return describe
