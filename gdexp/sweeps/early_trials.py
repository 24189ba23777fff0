"""The first trials of a sweep, known before it begins."""

from __future__ import annotations

from typing import Any

from gdexp.sweeps.plan import Plan
from gdexp.sweeps.study import directions
from gdexp.sweeps.worker import TrialAsker


def first_trials(plan: Plan, most: int) -> list[dict[str, Any]]:
    """Return the parameters of the first trials of a new study, before any has a result."""
    import optuna

    optuna.logging.set_verbosity(optuna.logging.WARNING)
    study = optuna.create_study(directions=directions(plan))
    asker = TrialAsker(study, plan)
    startup = plan.sampler.startup
    many = min(most, plan.n_trials, most if startup is None else max(startup, 1))
    asked = [asker.ask(ordinal) for ordinal in range(many)]
    return [plan.space.decoded(each.trial.params) for each in asked]
