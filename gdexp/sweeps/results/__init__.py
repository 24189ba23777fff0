"""What a sweep found: answers from all traces, tables, figures, and the sweep's own run."""

from gdexp.sweeps.results import console
from gdexp.sweeps.results.answers import Answers
from gdexp.sweeps.results.console import announce
from gdexp.sweeps.results.promotion import promoted
from gdexp.sweeps.results.sweep_run import begin, end, sweep_params
from gdexp.sweeps.results.tables import short

__all__ = [
    "Answers",
    "announce",
    "begin",
    "console",
    "end",
    "promoted",
    "short",
    "sweep_params",
]
