"""The update rule and the stopping rule of a descent, from its config."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from gdexp import config
from gdexp.core import BadInput
from gdexp.descent import GRADIENT_NORM, LOSS, Stopping
from gdexp.experiment.experiment import group
from gdexp.optimizers import UpdateRule, build_rule
from gdexp.problems import Problem


def rule_of(chosen: Mapping[str, Any], problem: Problem, trust: Sequence[str]) -> UpdateRule:
    """Return the update rule of a config, with what it takes from the problem."""
    rule = build_rule(chosen["optimizer"], trust)
    try:
        return rule.for_problem(problem)
    except BadInput as error:
        raise error.in_section("optimizer") from None


def stopping_of(chosen: Mapping[str, Any], problem: Problem) -> Stopping:
    """Return the stopping rule of a config; whether it is absolute follows from the problem."""
    given = group("stopping", chosen)
    if "absolute" in given:
        raise BadInput("stopping.absolute", given["absolute"], "write problem.f_star=absolute")
    if given.get("max_epochs") is not None:
        raise BadInput("stopping.max_epochs", given["max_epochs"], "only a training has epochs")
    if given.get("metric", LOSS) != LOSS:
        raise BadInput("stopping.metric", given["metric"], "must be loss: only a training has more")
    absolute = problem.absolute and given.get("measure") != GRADIENT_NORM
    return config.construct(
        "stopping", Stopping, {**given, "absolute": True} if absolute else given
    )
