"""What a training's result keeps of the weights."""

from __future__ import annotations

from typing import NamedTuple


class Kept(NamedTuple):
    """What a result keeps of the weights, beside their digests.

    Attributes:
        tensors: the trained parameters at the start and at the end.
        model: the state `last`, `best` (the last too) or `none`.
        digests: the sha256 of each parameter and buffer.
    """

    tensors: bool = True
    model: str = "last"
    digests: bool = True


ALL = Kept()
"""What a result keeps by default."""
