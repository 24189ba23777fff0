"""Whether gradients are finite, which each update asks."""

from __future__ import annotations

import math
from collections.abc import Sequence

import torch

WIDE = (torch.float32, torch.float64)
"""The dtypes whose squares seldom overflow."""


@torch.no_grad()
def all_finite(gradients: Sequence[torch.Tensor]) -> bool:
    """Return whether all numbers are finite; the sums of squares tell most of the time."""
    if not gradients:
        return True
    dense = [each._values() if each.is_sparse else each for each in gradients]
    if all(map(math.isfinite, torch.stack(_sums_of_squares(dense)).tolist())):
        return True
    return all(bool(each.isfinite().all()) for each in dense)


def _sums_of_squares(tensors: Sequence[torch.Tensor]) -> list[torch.Tensor]:
    """Return one number for each tensor, not finite where one of its numbers is not."""
    if all(t.device.type == "cpu" and t.dtype in WIDE for t in tensors):
        flat = [each.reshape(-1) for each in tensors]
        return [torch.dot(each, each).double() for each in flat]  # the quickest on a processor
    return [each.float() for each in torch._foreach_norm(list(tensors))]
