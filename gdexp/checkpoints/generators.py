"""The states of all random generators of the process."""

from __future__ import annotations

import random
from collections.abc import Mapping
from typing import Any

import numpy as np
import torch


def generator_states(*own: torch.Generator) -> dict[str, Any]:
    """Return the states of the generators of torch, numpy and Python.

    Args:
        own: further generators of torch.
    """
    cuda: Any = torch.cuda
    version, words, spare = random.getstate()
    return {
        "torch": torch.get_rng_state(),
        "cuda": cuda.get_rng_state_all() if cuda.is_initialized() else [],
        "numpy": np.random.get_state(),
        "python": (version, np.array(words, dtype=np.uint64), spare),
        "own": [each.get_state() for each in own],
    }


def restore_generators(states: Mapping[str, Any], *own: torch.Generator) -> None:
    """Give all generators the states that `generator_states` returned.

    Args:
        states: them.
        own: the further generators, in the same order.
    """
    torch.set_rng_state(states["torch"])
    if states["cuda"] and torch.cuda.is_available():
        torch.cuda.set_rng_state_all(states["cuda"][: torch.cuda.device_count()])
    np.random.set_state(states["numpy"])
    version, words, spare = states["python"]
    random.setstate((version, tuple(int(each) for each in words), spare))
    for each, state in zip(own, states["own"], strict=True):
        each.set_state(state)
