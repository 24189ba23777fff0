"""What a sweep looks for, in words."""

from __future__ import annotations

from gdexp.sweeps.goal import GoalPlan
from gdexp.sweeps.objective import HITTING_TIME, PARETO, THRESHOLD, Objective


def goal_text(plan: GoalPlan) -> str:
    """Return what is looked for: `the smallest hitting time`."""
    objectives: list[Objective] = list(plan.objectives)
    seeds = plan.settings.trial_seeds
    if plan.settings.objective == PARETO or [each.kind for each in objectives] == [
        HITTING_TIME,
        THRESHOLD,
    ]:
        return f"{_one_text(objectives[0], seeds)} at every threshold"
    if plan.problems:
        wanted = "the expected running time" if seeds > 1 else "the hitting time"
        if objectives[0].kind != HITTING_TIME:
            wanted = f"the {objectives[0].counted} to the threshold"
        over = f" over {seeds} seeds" if seeds > 1 else ""
        mean = f"the smallest geometric mean over {len(plan.problems)} problems"
        return f"{mean} of the ratio of {wanted}{over} to the best known"
    return " and ".join(_one_text(each, seeds) for each in objectives)


def _one_text(objective: Objective, seeds: int) -> str:
    if seeds == 1:
        return objective.text
    if objective.kind == HITTING_TIME:
        return f"the smallest expected running time over {seeds} seeds"
    return f"{objective.text} on average over {seeds} seeds"
