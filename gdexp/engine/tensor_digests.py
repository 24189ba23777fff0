"""What a tensor holds, as a short value that equal tensors share."""

from __future__ import annotations

import hashlib
import weakref
from collections.abc import Hashable

import torch

SMALL = 256
"""Numbers of a tensor that is read each time; the digest of a larger one is kept."""


class TensorDigests:
    """Digests of tensors on the CPU, each made once as long as the tensor stays as it is."""

    def __init__(self) -> None:
        self._known: dict[int, tuple[weakref.ref[torch.Tensor], int, bytes]] = {}

    def token(self, tensor: torch.Tensor) -> Hashable | None:
        """Return what equal tensors share; None for one that is not to be read, as on a GPU."""
        if tensor.layout is not torch.strided or tensor.device.type != "cpu":
            return None
        content = _bytes(tensor) if tensor.numel() <= SMALL else self._digest(tensor)
        kind = (type(tensor), tensor.dtype, tuple(tensor.shape), tensor.stride())
        return (*kind, tensor.requires_grad, content)

    def _digest(self, tensor: torch.Tensor) -> bytes:
        place = id(tensor)
        known = self._known.get(place)
        if known is not None and known[0]() is tensor and known[1] == tensor._version:
            return known[2]
        digest = hashlib.sha256(_bytes(tensor)).digest()
        kept = weakref.ref(tensor, lambda _: self._known.pop(place, None))
        self._known[place] = (kept, tensor._version, digest)
        return digest


def _bytes(tensor: torch.Tensor) -> bytes:
    flat = tensor.detach().resolve_conj().resolve_neg().contiguous().reshape(-1)
    return flat.view(torch.uint8).numpy().tobytes()
