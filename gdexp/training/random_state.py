"""The random generators of a process: seeded for a run, and kept unchanged by a check."""

from __future__ import annotations

import random
from collections.abc import Iterator
from contextlib import contextmanager

import numpy as np
import torch

from gdexp.checkpoints import generator_states, restore_generators

NUMPY_SEEDS = 2**32
"""Seeds of numpy's legacy generator are below this."""


def seed_generators(seed: int) -> None:
    """Seed torch's generators, on all devices, and those of Python and numpy.

    numpy takes the seed's lowest 32 bits.
    """
    torch.manual_seed(seed)
    random.seed(seed)
    np.random.seed(seed % NUMPY_SEEDS)


@contextmanager
def unchanged_generators(*more: torch.Generator) -> Iterator[None]:
    """Restore the generators of torch, Python and numpy at the end of the block.

    Args:
        more: further generators of torch to restore.
    """
    states = generator_states(*more)
    try:
        yield
    finally:
        restore_generators(states, *more)
