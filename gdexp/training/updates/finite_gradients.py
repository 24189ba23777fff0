"""Whether gradients are finite, which each update asks."""

from __future__ import annotations

import cmath
from collections.abc import Sequence

import torch


@torch.no_grad()
def all_finite(gradients: Sequence[torch.Tensor]) -> bool:
    """Return whether all numbers are finite.

    A sum is not finite where one of its terms is not, so each gradient is read once. Only where
    the sum of finite numbers overflows are they looked at one by one.
    """
    dense = [each._values() if each.is_sparse else each for each in gradients]
    sums = [each.sum() for each in dense]
    if all(each.device.type == "cpu" for each in sums):
        are_finite = all(cmath.isfinite(each.item()) for each in sums)
    else:  # one wait for the device
        are_finite = bool(torch.stack([each.isfinite() for each in sums]).all())
    return are_finite or all(bool(each.isfinite().all()) for each in dense)
