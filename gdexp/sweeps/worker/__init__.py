"""A worker: it asks the study for trials, evaluates and records them, and tells the study."""

from gdexp.sweeps.worker.ask import TrialAsker
from gdexp.sweeps.worker.checkpoints import TrialCheckpoints
from gdexp.sweeps.worker.further_descents import HOLDS_OUT, RACES, FurtherSeeds, HeldOutDescents
from gdexp.sweeps.worker.run import run_planned_worker, run_worker
from gdexp.sweeps.worker.trial_writer import failed_trial_runs

__all__ = [
    "HOLDS_OUT",
    "RACES",
    "FurtherSeeds",
    "HeldOutDescents",
    "TrialAsker",
    "TrialCheckpoints",
    "failed_trial_runs",
    "run_planned_worker",
    "run_worker",
]
