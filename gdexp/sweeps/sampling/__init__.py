"""Optuna's samplers, chosen by name and seeded for each trial."""

from gdexp.sweeps.sampling.options import OPTIONS as SAMPLER_OPTIONS
from gdexp.sweeps.sampling.samplers import AUTO, GRID, QMC, RANDOM, Sampler, trial_seed

__all__ = [
    "AUTO",
    "GRID",
    "QMC",
    "RANDOM",
    "SAMPLER_OPTIONS",
    "Sampler",
    "trial_seed",
]
