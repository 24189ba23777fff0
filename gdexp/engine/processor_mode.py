"""The processor's mode: results rounded to nearest, subnormal numbers kept.

`torch.set_flush_denormal` and libraries built with fast-math change it for a thread. The portable
arithmetic has other bits then.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import torch

from gdexp.core import GdexpError

SHARED = 1 << 17
"""From so many numbers on, every thread of torch computes a part of an elementwise operation."""


@contextmanager
def exact_processor(device: torch.device, numbers: int) -> Iterator[None]:
    """Keep subnormal numbers in this thread, and restore its mode at the end.

    Args:
        device: that the numbers are on.
        numbers: the most in one array. torch's other threads are tested where it is large.

    Raises:
        GdexpError: the processor rounds in another direction, or another thread of torch's
            flushes subnormal numbers.
    """
    flushed = _flushes(torch.device("cpu"), 1)
    if flushed:
        torch.set_flush_denormal(False)
    try:
        if not _rounds_to_nearest(device):
            raise GdexpError("the processor does not round to nearest: restart the program")
        several = device.type == "cpu" and numbers >= 1 << 15 and torch.get_num_threads() > 1
        if several and _flushes(device, SHARED * torch.get_num_threads()):
            raise GdexpError(
                "torch's threads take subnormal numbers for 0: they were started after "
                "set_flush_denormal(True); leave it off, or use one thread"
            )
        if device.type != "cpu" and _flushes(device, 1):
            raise GdexpError(f"device={device} takes subnormal numbers for 0: use device=cpu")
        yield
    finally:
        if flushed:
            torch.set_flush_denormal(True)


def _flushes(device: torch.device, count: int) -> bool:
    """Return whether an operation takes subnormal inputs or results for 0."""
    bits = torch.full((count,), 2, dtype=torch.int32, device=device)  # 2 * 2^-149
    halves = bits.view(torch.float32) * 0.5
    return bool((halves.view(torch.int32) != 1).any())


def _rounds_to_nearest(device: torch.device) -> bool:
    """Return whether sums are rounded to nearest; every other direction fails one of three."""
    ulp = 2.0**-23
    pairs = torch.tensor([[1.0, 0.75 * ulp], [1.0, 0.5 * ulp], [-1.0, -0.75 * ulp]], device=device)
    sums = pairs[:, 0] + pairs[:, 1]
    return sums.tolist() == [1.0 + ulp, 1.0, -1.0 - ulp]
