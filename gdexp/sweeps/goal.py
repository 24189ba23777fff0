"""The goal of a sweep: its objectives, its pruner, and what both make of the trials' config."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any, Protocol

from gdexp import config
from gdexp.core import BadInput
from gdexp.descent import ITERATIONS, LOSS, Result
from gdexp.experiment import TRAININGS, Experiment, trusted_paths
from gdexp.sweeps.budget import Budget
from gdexp.sweeps.measures import KEY as MEASURE
from gdexp.sweeps.measures import check_measure
from gdexp.sweeps.objective import (
    HITTING_TIME,
    MODES,
    OBJECTIVES,
    RETURNED,
    THRESHOLD,
    VALUE_AT,
    VALUES,
    Objective,
)
from gdexp.sweeps.problem_list import ListedProblem
from gdexp.sweeps.pruning import NONE, WILCOXON, PrunedTrials, Pruner
from gdexp.sweeps.sampler_choice import suits_own_sampler
from gdexp.sweeps.sampling import LEARNING_RATE, Sampler
from gdexp.sweeps.seed_checks import check_confirmation, check_seeds
from gdexp.sweeps.settings import SweepSettings
from gdexp.sweeps.space import Space

THRESHOLD_KEY = "stopping.threshold"


class GoalPlan(Protocol):
    """What is needed of a sweep's plan."""

    @property
    def base(self) -> config.Config:
        """The config that every trial starts from."""

    @property
    def space(self) -> Space:
        """The keys that the trials change in it."""

    @property
    def settings(self) -> SweepSettings:
        """The group `sweep`."""

    @property
    def problems(self) -> Sequence[ListedProblem]:
        """On which every trial runs; none where it runs on that of the base config."""

    @property
    def held_out(self) -> Sequence[ListedProblem]:
        """On which the winner runs at the end."""

    @property
    def name(self) -> str:
        """The study's name."""

    @property
    def tells_failures(self) -> bool:
        """Whether the sweep is of another application, whose function may return a value."""

    @property
    def objectives(self) -> tuple[Objective, ...]:
        """What is minimised or maximised."""

    @property
    def several(self) -> bool:
        """Whether there are several objectives."""

    @property
    def pruner(self) -> Pruner:
        """The pruner that ends trials early."""

    @property
    def sampler(self) -> Sampler:
        """The sampler that chooses the trials."""

    def examples(self) -> Sequence[Experiment]:
        """Return experiments from the ends of the space."""


def trial_stopping(settings: SweepSettings, stopping: Mapping[str, Any]) -> config.Config:
    """Return the group `stopping` of all trials: with the budget, and without a useless threshold.

    Args:
        settings: of the sweep.
        stopping: of the composed config.
    """
    changed = dict(stopping)
    budget = Budget.parse(settings.budget)
    if budget is not None:
        changed[budget.key] = budget.amount
    if _only_values(settings, stopping):
        changed["threshold"] = None
    return changed


def trial_space(settings: SweepSettings, stopping: Mapping[str, Any], space: Space) -> Space:
    """Return the space without the threshold where it plays no part in the objective."""
    return space.without(THRESHOLD_KEY) if _only_values(settings, stopping) else space


def _only_values(settings: SweepSettings, stopping: Mapping[str, Any]) -> bool:
    return all(each.is_value for each in settings.objectives(stopping))


def goal_definition(plan: GoalPlan) -> dict[str, Any]:
    """Return what a study stores of its goal beside `objective`; nothing for the earliest goals."""
    found: dict[str, Any] = {}
    if any(each.kind not in (HITTING_TIME, THRESHOLD) for each in plan.objectives):
        found["objectives"] = [
            [each.name, "maximize" if each.maximize else "minimize"] for each in plan.objectives
        ]
    if plan.pruner.name != NONE:
        found |= {"pruner": plan.pruner.definition(), "reads": pruner_metric(plan)}
    return found


def objective_name(plan: GoalPlan) -> str:
    """Return what the objective is called in definitions and params."""
    given = plan.settings.objective
    if isinstance(given, str) and plan.settings.cost == ITERATIONS:
        return given
    return ", ".join(each.name for each in plan.objectives)


def pruner_metric(plan: GoalPlan) -> str:
    """Return the metric that the pruner reads."""
    first, asked = plan.objectives[0], plan.settings.metric
    if first.is_value and first.kind != RETURNED:
        return first.metric
    return asked if isinstance(asked, str) else str(plan.base["stopping"].get("metric") or LOSS)


def pruned_trials(plan: GoalPlan) -> PrunedTrials | None:
    """Return what compares trials with finished ones; None without a pruner."""
    if plan.pruner.name == NONE:
        return None
    objective, stopping = plan.objectives[0], plan.base["stopping"]
    maximize = objective.maximize
    if not objective.is_value:
        maximize = MODES.get(stopping.get("mode")) == "maximize"
    length = None
    if objective.is_value or plan.settings.budget is not None:
        length = int(stopping["max_iterations"]) * plan.settings.trial_seeds
    return PrunedTrials(
        plan.pruner, plan.name, objective, pruner_metric(plan), maximize=maximize, length=length
    )


def with_declared_directions(settings: SweepSettings, base: config.Config) -> SweepSettings:
    """Return the settings with the directions that a training's class declares of its metrics.

    Args:
        settings: of the sweep.
        base: the composed config.
    """
    if base["problem"].get("name") not in TRAININGS or settings.direction is not None:
        return settings
    modes = Experiment.from_config(base, trusted_paths(base)).metric_modes
    stopping = base["stopping"]
    given = settings.metric if isinstance(settings.metric, Sequence | None) else None
    own = stopping.get("metric") or LOSS
    asked = given if isinstance(given, list | tuple) else [given]
    known = [modes.get(str(own if metric is None else metric)) for metric in asked]
    directions = [None if mode is None else MODES[mode] for mode in known]
    if isinstance(given, list | tuple):
        return replace(settings, direction=directions)
    names = settings.objective
    values = [names] if isinstance(names, str) else list(names)
    wanted = [directions[0] if _is_value(each) else None for each in values]
    return replace(settings, direction=wanted[0] if isinstance(names, str) else wanted)


def _is_value(name: object) -> bool:
    return isinstance(name, str) and name.startswith(VALUES)


def check_metrics(plan: GoalPlan, result: Result) -> None:
    """Refuse a metric that a trial does not have.

    Args:
        plan: of the sweep.
        result: of a rehearsal.

    Raises:
        BadInput: names the metrics that were seen.
    """
    wanted = [each.metric for each in plan.objectives if each.is_value]
    if plan.pruner.name != NONE:
        wanted.append(pruner_metric(plan))
    for metric in wanted:
        try:
            result.curve(metric)
        except BadInput as error:
            raise error.in_section("sweep") from None


def check_goal(plan: GoalPlan) -> None:
    """Refuse objectives and pruners that the sweep cannot have.

    Raises:
        BadInput: names the key, and says what is possible.
    """
    _check_objectives(plan)
    _check_budget(plan)
    _check_pruner(plan)
    measures = [each for d in plan.space.dimensions if d.key == MEASURE for each in d.corners()]
    measure, settings = plan.base["stopping"].get("measure"), plan.settings
    check_measure(measure, measures, settings.seeds, settings.continue_to)
    _check_continuation(plan)
    check_seeds(plan.settings, plan.base, plan.space)
    check_confirmation(plan.settings, plan.objectives)
    _check_sampler(plan)


def _check_objectives(plan: GoalPlan) -> None:
    kinds = [each.kind for each in plan.objectives]
    name = objective_name(plan)
    if RETURNED in kinds and not plan.tells_failures:
        raise BadInput("sweep.objective", name, f"must be one of {', '.join(OBJECTIVES)}")
    if THRESHOLD in kinds and THRESHOLD_KEY not in plan.space.keys:
        raise BadInput(
            "sweep.objective", name, f"needs {THRESHOLD_KEY} in the space, as a range of it"
        )
    if plan.several and plan.sampler.name == "cmaes":
        raise BadInput("sweep.sampler", "cmaes", f"minimises one number, not {name}; try tpe")
    counted = {HITTING_TIME, THRESHOLD}
    if plan.settings.cap is not None and not counted.issuperset(kinds):
        raise BadInput(
            "sweep.cap",
            plan.settings.cap,
            f"must be null with sweep.objective={name}: it counts iterations to the threshold",
        )
    if plan.settings.continue_to is not None and not counted & set(kinds):
        further = plan.settings.continue_to
        raise BadInput("sweep.continue_to", further, f"needs a threshold; {name} has none")
    swept = {"stopping.max_iterations", "stopping.every"} & set(plan.space.keys)
    stopping = plan.base["stopping"]
    for each in plan.objectives:
        if each.kind != VALUE_AT or each.at is None or swept:
            continue
        if each.at > int(stopping["max_iterations"]):
            raise BadInput(
                "sweep.objective",
                f"{VALUE_AT}:{each.at}",
                f"is never reached: stopping.max_iterations is {stopping['max_iterations']}",
            )
        every, most = int(stopping.get("every", 1)), int(stopping["max_iterations"])
        if each.metric != LOSS and each.at % every and each.at != most:
            raise BadInput(
                "sweep.objective",
                f"{VALUE_AT}:{each.at}",
                f"must be a multiple of stopping.every={every}, at which {each.metric} is read",
            )


def _check_budget(plan: GoalPlan) -> None:
    budget = Budget.parse(plan.settings.budget)
    if budget is not None and f"stopping.{budget.key}" in plan.space.keys:
        raise BadInput(
            "sweep.budget", plan.settings.budget, f"sets stopping.{budget.key}, which is swept"
        )


def _check_pruner(plan: GoalPlan) -> None:
    pruner, settings = plan.pruner, plan.settings
    if pruner.name == NONE:
        return
    if plan.several:
        raise BadInput(
            "sweep.pruner",
            pruner.name,
            f"compares one number of each trial, and sweep.objective={objective_name(plan)} has "
            f"{len(plan.objectives)}; give one objective, or sweep.pruner={NONE}",
        )
    if settings.batch not in (None, 1):
        raise BadInput(
            "sweep.batch",
            settings.batch,
            "must be 1 with a pruner: each trial is compared with those before it",
        )
    if pruner.name == WILCOXON and settings.seeds < 2:
        raise BadInput(
            "sweep.pruner", WILCOXON, "compares trials seed by seed: sweep.seeds must be at least 2"
        )


def _check_continuation(plan: GoalPlan) -> None:
    """Refuse a continuation that no trial would make."""
    goal = plan.settings.continue_to
    if goal is None:
        return
    sign = plan.examples()[0].stopping.sign
    swept = [d.corners() for d in plan.space.dimensions if d.key == THRESHOLD_KEY]
    own = [float(each) for corners in swept for each in corners]
    loosest = max(own or [float(plan.base["stopping"]["threshold"])], key=lambda each: sign * each)
    if sign * goal >= sign * loosest:
        beyond, most = ("below", "most") if sign > 0 else ("above", "least")
        why = f"must be {beyond} {THRESHOLD_KEY}, which is {loosest:g} at {most}: "
        raise BadInput("sweep.continue_to", f"{goal:g}", why + "every trace goes to it")


def _check_sampler(plan: GoalPlan) -> None:
    """Ask the sampler for trials of each combination of files, where it has options."""
    if plan.sampler.name == LEARNING_RATE and not suits_own_sampler(plan):
        raise BadInput(
            "sweep.sampler",
            LEARNING_RATE,
            "needs a range of optimizer.lr, such as 'tag(log, interval(0.1, 5))', and "
            f"sweep.objective={HITTING_TIME}; else try tpe",
        )
    if not plan.sampler.options:
        return
    for chosen in plan.space.combinations():
        groups = [d for d in plan.space.dimensions if d.is_group]
        used = [*groups, *plan.space.dimensions_with(chosen)]
        ranges = {d.name: d.distribution() for d in used}
        try:
            plan.sampler.check_space(ranges, len(plan.objectives))
        except BadInput as error:
            raise error.in_section("sweep") from None
