"""Trials that the user added to the study, by `study.add_trial` or in a dashboard."""

from __future__ import annotations

from typing import TYPE_CHECKING

from gdexp.core import BadInput
from gdexp.sweeps.plan import Plan
from gdexp.sweeps.study.trial_record import is_added

if TYPE_CHECKING:
    from optuna import Study


def check_added_trials(study: Study, plan: Plan) -> None:
    """Check that Optuna can take the parameters of added trials together with those of the sweep.

    Raises:
        BadInput: names the trial and the parameter; the sweep would end at its first trial.
    """
    from optuna.distributions import check_distribution_compatibility

    ranges = plan.space.distributions
    for trial in filter(is_added, study.get_trials(deepcopy=False)):
        for name, distribution in trial.distributions.items():
            try:
                check_distribution_compatibility(distribution, ranges.get(name, distribution))
            except ValueError:
                raise BadInput(
                    "sweep.name",
                    plan.name,
                    f"trial {trial.number}, which was added to this study, has another kind of "
                    f"range for {name}; give another sweep.name",
                ) from None
