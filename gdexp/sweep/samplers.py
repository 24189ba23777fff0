"""Optuna's samplers by name, seeded for one trial at a time."""

from __future__ import annotations

import hashlib
import warnings
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from optuna.samplers import BaseSampler


def sampler_for(name: str, seed: int, ordinal: int) -> BaseSampler:
    """The sampler that chooses the trial with this ordinal.

    Seeded by both numbers, so that a sweep of 7 trials continued by 13 equals one of 20: what
    is drawn depends on which trial it is, not on when the process began.
    """
    import optuna

    number = trial_seed(seed, ordinal)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", optuna.exceptions.ExperimentalWarning)
        if name == "tpe":
            return optuna.samplers.TPESampler(seed=number, multivariate=True)
        return optuna.samplers.RandomSampler(seed=number)  # a grid's points are queued, not drawn


def trial_seed(seed: int, ordinal: int) -> int:
    """32 bits that depend on both numbers."""
    text = f"{seed}/{ordinal}".encode()
    return int.from_bytes(hashlib.sha256(text).digest()[:4], "big")
