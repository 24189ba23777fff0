"""What a sweep over several problems cannot have."""

from __future__ import annotations

from gdexp.core import BadInput
from gdexp.descent import GAP
from gdexp.experiment import TRAININGS
from gdexp.sweeps.goal import GoalPlan, objective_name
from gdexp.sweeps.pruning import NONE
from gdexp.sweeps.sampling import LEARNING_RATE

ONE_PROBLEM = "with sweep.problems"


def check_problems(plan: GoalPlan) -> None:
    """Refuse what several problems cannot have.

    Raises:
        BadInput: names the key.
    """
    if plan.held_out and plan.base["problem"].get("name") in TRAININGS:
        names = ", ".join(each.name for each in plan.held_out)
        raise BadInput("sweep.held_out", names, "must be null where trainings are swept")
    if not plan.problems:
        return
    settings = plan.settings
    if plan.several or plan.objectives[0].is_value:
        raise BadInput(
            "sweep.objective",
            objective_name(plan),
            f"must be hitting_time {ONE_PROBLEM}: values of several losses have no common scale",
        )
    refused = {
        "cap": (
            settings.cap,
            "null: a mean limits none of its counts, as a trial that is slow on one problem may "
            "win by the others; lower stopping.max_iterations instead",
        ),
        "pruner": (
            None if plan.pruner.name == NONE else plan.pruner.name,
            f"{NONE}: a trial that is ended early has no mean over all problems; lower "
            "stopping.max_iterations instead",
        ),
        "sampler": (
            plan.sampler.name if plan.sampler.name == LEARNING_RATE else None,
            "another one, such as tpe: it learns the curvature of one problem",
        ),
    }
    for key, (value, why) in refused.items():
        if value is not None:
            allowed, _, reason = why.partition(": ")
            raise BadInput(f"sweep.{key}", value, f"must be {allowed} {ONE_PROBLEM}: {reason}")
    measure = plan.base["stopping"].get("measure", GAP)
    if measure not in (GAP, "gradient_norm"):
        raise BadInput(
            "stopping.measure",
            measure,
            f"must be {GAP} or gradient_norm {ONE_PROBLEM}: each start has a threshold of its own",
        )
