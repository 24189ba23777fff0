"""A worker: it asks the study for trials, evaluates, records and tells them."""

from gdexp.sweeps.worker.ask import TrialAsker
from gdexp.sweeps.worker.run import run_worker

__all__ = [
    "TrialAsker",
    "run_worker",
]
