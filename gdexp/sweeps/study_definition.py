"""The definition of a study: what must not change while it goes on."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Protocol

from gdexp import config
from gdexp.sweeps.comparable_definition import comparable
from gdexp.sweeps.goal import GoalPlan, goal_definition, objective_name
from gdexp.sweeps.problem_list import KEPT
from gdexp.sweeps.settings import RACE_SEEDS
from gdexp.sweeps.study_engine import ENGINE
from gdexp.tracking import TrackingSettings


class DefinedPlan(GoalPlan, Protocol):
    """What is needed of a sweep's plan."""

    @property
    def tracking(self) -> TrackingSettings:
        """The MLflow store of the runs."""

    def recorded_config(self, made: Mapping[str, Any]) -> config.Config:
        """Return a config with the engine that all trials have, if they have one."""


def study_definition(plan: DefinedPlan) -> dict[str, Any]:
    """Return the definition of a plan's study, as JSON values.

    A key that means what happened before there was such a key is left out.
    """
    base = plan.recorded_config(plan.base)
    groups = tuple(f"{group.replace('/', '.')}." for group in plan.space.variants)
    listed = KEPT if plan.problems else ()
    fixed = {
        key: value
        for key, value in config.flatten(base).items()
        if key not in plan.space.keys and not key.startswith((*groups, *listed))
    }
    torch_only = base.get(ENGINE, "torch") == "torch" and ENGINE not in plan.space.keys
    return comparable(
        {
            **({} if torch_only else {"arithmetic": config.ARITHMETIC}),
            "schema": config.SCHEMA,
            "numerics": config.NUMERICS,
            "config": fixed,
            "space": plan.space.definition(),
            "files": {group: dict(files) for group, files in plan.space.variants.items()},
            "sampler": plan.sampler.definition(),
            "objective": objective_name(plan),
            **goal_definition(plan),
            **({"problems": [[e.name, dict(e.config)] for e in plan.problems]} if listed else {}),
            **({"race": RACE_SEEDS} if plan.settings.race else {}),
            "seeds": plan.settings.seeds,
            "cap": plan.settings.cap,
            "tracking": {"experiment": plan.tracking.experiment},
        }
    )
