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
    # The reading costs, not the sum: of 1.86 million numbers in 0.46 ms, 2.5 % of an update of
    # `scripts/bench training`. Dot products, norms, extrema and sums of blocks take 0.41 to 0.74,
    # sums in hooks where each gradient was just made 0.36.
    dense = [each._values() if each.is_sparse else each for each in gradients]
    sums = [each.sum() for each in dense]
    if all(each.device.type == "cpu" for each in sums):
        are_finite = all(cmath.isfinite(each.item()) for each in sums)
    else:  # one wait for the device
        are_finite = bool(torch.stack([each.isfinite() for each in sums]).all())
    return are_finite or all(bool(each.isfinite().all()) for each in dense)
