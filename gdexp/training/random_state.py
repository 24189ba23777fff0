"""The random generators of a process: seeded for a run, and kept unchanged by a check."""

from __future__ import annotations

import random
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np
import torch

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
    cuda: Any = torch.cuda
    on_gpu = cuda.get_rng_state_all() if cuda.is_initialized() else None
    states = torch.get_rng_state(), random.getstate(), np.random.get_state()
    own = [(each, each.get_state()) for each in more]
    try:
        yield
    finally:
        torch.set_rng_state(states[0])
        random.setstate(states[1])
        np.random.set_state(states[2])
        if on_gpu is not None:
            cuda.set_rng_state_all(on_gpu)
        for generator, state in own:
            generator.set_state(state)
