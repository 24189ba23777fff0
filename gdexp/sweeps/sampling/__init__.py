"""Optuna's samplers and gdexp's own, chosen by name and seeded for each trial."""

from gdexp.sweeps.sampling.learning_rate import Learned, Outcome
from gdexp.sweeps.sampling.options import OPTIONS as SAMPLER_OPTIONS
from gdexp.sweeps.sampling.samplers import (
    AUTO,
    GRID,
    LEARNING_RATE,
    QMC,
    RANDOM,
    TPE,
    Sampler,
    trial_seed,
)

__all__ = [
    "AUTO",
    "GRID",
    "LEARNING_RATE",
    "QMC",
    "RANDOM",
    "SAMPLER_OPTIONS",
    "TPE",
    "Learned",
    "Outcome",
    "Sampler",
    "trial_seed",
]
