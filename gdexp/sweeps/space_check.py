"""The check of a sweep's space: the experiments at its ends are built and rehearsed."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, Protocol

from gdexp import config
from gdexp.core import BadInput, GdexpError
from gdexp.experiment import Experiment
from gdexp.sweeps.goal import GoalPlan, check_metrics
from gdexp.sweeps.problem_list import ListedProblem


class TrialMaker(GoalPlan, Protocol):
    """What is needed of a sweep's plan."""

    def experiment(
        self, parameters: Mapping[str, Any], seed: int = 0, problem: ListedProblem | None = None
    ) -> Experiment:
        """Return the experiment of a trial."""


def check_space(plan: TrialMaker) -> Iterator[tuple[dict[str, Any], Experiment]]:
    """Build the experiments at the ends of every range, so that a bad value shows early.

    Args:
        plan: of the sweep.

    Yields:
        The experiments, each with its files and the value that was varied; those whose own code
        fails are left out.

    Raises:
        BadInput: a value that cannot be used.
        GdexpError: the problem's own code fails at all ends.
    """
    space = plan.space
    if not space.dimensions:
        raise BadInput(
            "sweep.space", "{}", "is empty; sweep a key, such as optimizer.lr='interval(0.1,5)'"
        )
    for d in space.dimensions:
        if not d.is_group and not space.variants and not d.key.startswith(config.FREE):
            try:
                config.lookup(plan.base, d.key)
            except BadInput as error:
                shown = d.text() if d.choices is None else ", ".join(map(str, d.choices))
                raise BadInput(d.key, shown, error.allowed) from None
    for chosen in space.combinations():
        part = space.dimensions_with(chosen)
        first = {**chosen, **{d.name: d.corners()[0] for d in part}}
        varied = [{d.name: value} for d in part for value in d.corners()] or [{}]
        for problem in plan.problems or (None,):
            named = {} if problem is None else {"problem": problem.name}
            found = [
                ({**chosen, **named, **each}, _try(plan, {**first, **each}, problem))
                for each in varied
            ]
            failed = [each for _, each in found if isinstance(each, GdexpError)]
            # Code that fails at some corners only is a matter of single trials.
            if len(failed) == len(found):
                raise failed[0]
            yield from ((given, each) for given, each in found if isinstance(each, Experiment))
        for problem in plan.held_out:
            tried = [_try(plan, {**first, **each}, problem) for each in varied[:1]]
            if isinstance(tried[0], GdexpError):
                raise tried[0]


def _try(
    plan: TrialMaker, values: Mapping[str, Any], problem: ListedProblem | None
) -> Experiment | GdexpError:
    """Build the experiment of these values, and make its first update.

    Returns:
        The experiment; the error of the problem's own code, if it failed.

    Raises:
        BadInput: a value that cannot be used.
    """
    try:
        experiment = plan.experiment(plan.space.encoded(values), problem=problem)
        result = experiment.rehearse()
        if result is not None:
            check_metrics(plan, result)
    except BadInput as error:
        for d in plan.space.dimensions:
            whole = float(d.low).is_integer() and float(d.high).is_integer()
            if d.key == error.key and "an integer" in error.allowed and d.choices is None:
                ends = f"{d.low:g},{d.high:g}" if whole else "a,b"
                raise BadInput(
                    d.key, d.text(), f"must be an integer: int(interval({ends}))"
                ) from None
        raise
    except GdexpError as error:
        return error
    return experiment
