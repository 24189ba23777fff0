"""Pruning: trials end early where their readings are worse than those of earlier trials.

`choice` reads `sweep.pruner`, `readings` are what a trial reports, `trials` compares a trial with
the finished ones by one of Optuna's pruners, which sees them as a `memory_study`.
"""

from gdexp.sweeps.pruning.choice import NONE, WILCOXON, Pruner
from gdexp.sweeps.pruning.readings import Reading, Readings
from gdexp.sweeps.pruning.trials import (
    FinishedReadings,
    PrunedTrials,
    TrialPruning,
    seed_value,
)

__all__ = [
    "NONE",
    "WILCOXON",
    "FinishedReadings",
    "PrunedTrials",
    "Pruner",
    "Reading",
    "Readings",
    "TrialPruning",
    "seed_value",
]
