"""The settings of a GPU for repeatable descents in full precision, and its memory error."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from typing import Any

import torch

from gdexp.core import GdexpError, format_count

WARN = 1
"""torch's debug mode that uses deterministic algorithms and warns where it has none."""


def exact_arithmetic(device: torch.device) -> AbstractContextManager[None]:
    """Return a context in which a GPU gives the same bits in every run; a CPU needs none.

    Algorithms are deterministic and not chosen by timing. TensorFloat-32 is off: it keeps 10 of
    a float32's 23 bits. torch warns of an operation without a deterministic algorithm, which
    still runs. The settings belong to the process, so the context restores them at its end.

    cuBLAS needs no environment variable: torch gives each stream its own workspace, and a
    descent has one stream.
    """
    return nullcontext() if device.type == "cpu" else _deterministic_gpu()


def arithmetic_settings() -> dict[str, Any]:
    """Return the present values of the settings that `exact_arithmetic` changes, for JSON."""
    found: dict[str, Any] = {"deterministic": torch.get_deterministic_debug_mode()}
    for name, (owner, key, _) in _switches().items():
        found[name] = getattr(owner, key)
    return found


def out_of_memory(device: torch.device, numbers: int) -> GdexpError:
    """Return the error for a device that has too little memory for a single descent.

    Args:
        device: the device.
        numbers: the size of the descent's x.
    """
    descent = f"one descent of {format_count(numbers, 'number')}"
    instead = "use a smaller problem" if device.type == "cpu" else "free some, or use device=cpu"
    return GdexpError(f"device={device}: out of memory with {descent}; {instead}")


@contextmanager
def _deterministic_gpu() -> Iterator[None]:
    before = arithmetic_settings()
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
    """Return each setting's object in torch, its attribute and the value it must have."""
    matmul: Any = torch.backends.cuda.matmul
    cudnn: Any = torch.backends.cudnn
    benchmark = {"cudnn.benchmark": (cudnn, "benchmark", False)}
    if not hasattr(matmul, "fp32_precision"):  # before torch 2.9
        legacy = ("allow_tf32", False)
        return benchmark | {"matmul": (matmul, *legacy), "cudnn": (cudnn, *legacy)}
    full = ("fp32_precision", "ieee")
    return benchmark | {
        "matmul": (matmul, *full),
        "cudnn.conv": (cudnn.conv, *full),
        "cudnn.rnn": (cudnn.rnn, *full),
    }
