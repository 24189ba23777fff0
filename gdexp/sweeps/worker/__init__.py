"""A worker: it asks the study for trials, evaluates and records them, and tells the study."""

from gdexp.sweeps.worker.ask import TrialAsker
from gdexp.sweeps.worker.run import run_worker

__all__ = [
    "TrialAsker",
    "run_worker",
]
