"""What a descent asks of a GPU: the same bits each time, products in full precision, memory."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from typing import Any

import torch

from gdexp.core import GdexpError, format_count

WARN = 1
"""torch's own number for algorithms that are deterministic wherever it has one, with a warning
where it has none."""


def exact(device: torch.device) -> AbstractContextManager[None]:
    """While a descent computes on a GPU: settings that two runs must share to have the same bits.

    Deterministic algorithms, none of them chosen by timing, and no TensorFloat-32, which keeps
    10 bits of the 23 of a float32. A problem that needs an operation without a deterministic
    algorithm is warned about by torch and runs. The settings are the process's own, so they are
    put back afterwards. Nothing is changed for a processor.

    cuBLAS needs no environment variable for it: torch gives it a workspace of its own for each
    stream, and a descent has one stream.
    """
    return nullcontext() if device.type == "cpu" else _exact()


def settings() -> dict[str, Any]:
    """The settings that `exact` makes, as they are now; JSON-ready."""
    found: dict[str, Any] = {"deterministic": torch.get_deterministic_debug_mode()}
    for name, (owner, key, _) in _switches().items():
        found[name] = getattr(owner, key)
    return found


def out_of_memory(device: torch.device, numbers: int) -> GdexpError:
    """What to say when a single descent is too much for a device.

    Args:
        device: that has no more memory.
        numbers: that the descent's x has.
    """
    descent = f"one descent of {format_count(numbers, 'number')}"
    instead = "use a smaller problem" if device.type == "cpu" else "free some, or use device=cpu"
    return GdexpError(f"device={device}: out of memory with {descent}; {instead}")


@contextmanager
def _exact() -> Iterator[None]:
    before = settings()
    try:
        if before["deterministic"] < WARN:
            torch.set_deterministic_debug_mode(WARN)
        for owner, key, wanted in _switches().values():
            setattr(owner, key, wanted)
        yield
    finally:
        for name, (owner, key, _) in _switches().items():
            setattr(owner, key, before[name])
        torch.set_deterministic_debug_mode(before["deterministic"])


def _switches() -> dict[str, tuple[Any, str, Any]]:
    """Name to where torch keeps a setting, and what it must be."""
    matmul: Any = torch.backends.cuda.matmul
    cudnn: Any = torch.backends.cudnn
    by_timing = {"cudnn.benchmark": (cudnn, "benchmark", False)}
    if not hasattr(matmul, "fp32_precision"):  # before torch 2.9
        legacy = ("allow_tf32", False)
        return by_timing | {"matmul": (matmul, *legacy), "cudnn": (cudnn, *legacy)}
    full = ("fp32_precision", "ieee")
    return by_timing | {
        "matmul": (matmul, *full),
        "cudnn.conv": (cudnn.conv, *full),
        "cudnn.rnn": (cudnn.rnn, *full),
    }
