"""A worker: it asks the study for trials, evaluates, records and tells them."""

from gdexp.sweeps.worker.ask import Asking
from gdexp.sweeps.worker.run import work

__all__ = [
    "Asking",
    "work",
]
