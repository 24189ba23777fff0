"""Computing on the engine that is asked for; on torch's where `auto` finds no portable form."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import TypeVar

import torch

from gdexp.descent.batch import BatchResult
from gdexp.descent.device import out_of_memory
from gdexp.descent.portable import check_engine, refusal
from gdexp.descent.result import Result
from gdexp.engine import NotPortable

AnyResult = TypeVar("AnyResult", Result, BatchResult)


def on_engine(
    engine: str,
    start: torch.Tensor,
    device: torch.device,
    by_portable: Callable[[], AnyResult],
    by_torch: Callable[[], AnyResult],
) -> AnyResult:
    """Return what an engine computes, with the reason where `auto` takes torch.

    Args:
        engine: `auto`, `portable` or `torch`.
        start: of one descent.
        device: that it is computed on.
        by_portable: computes it on the portable engine, or raises `NotPortable`.
        by_torch: computes it with torch's own kernels.

    Raises:
        BadInput: there is no such engine, or `engine` is portable and the descent is not.
        GdexpError: the device has too little memory.
    """
    reason = None
    try:
        if check_engine(engine) != "torch":
            try:
                return by_portable()
            except NotPortable as error:
                if engine == "portable":
                    raise refusal(error) from None
                reason = str(error)
        result = by_torch()
    except torch.OutOfMemoryError:
        raise out_of_memory(device, start.numel()) from None
    return result if reason is None else replace(result, engine_reason=reason)
