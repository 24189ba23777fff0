"""Two arrays compared bit for bit, and how far apart they are in units in the last place."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from gdexp.tracking import Array

HALVED = {"float16": 16, "bfloat16": 16, "float32": 32, "float64": 64}
"""Bits of each dtype that a descent computes in."""


@dataclass(frozen=True)
class Difference:
    """How two arrays of one shape differ.

    Attributes:
        first: where they differ first, in C order.
        count: how many numbers differ.
        total: how many there are.
        there: the reference's number at `first`.
        here: the rerun's.
        ulps: the largest distance, in units in the last place of the dtype computed in; None
            where one of the two is not a number.
        largest: the largest absolute difference; None where one is not finite.
    """

    first: tuple[int, ...]
    count: int
    total: int
    there: float
    here: float
    ulps: int | None
    largest: float | None


def same_bits(a: Array, b: Array) -> bool:
    """Equal in dtype, shape and every byte."""
    return a.dtype == b.dtype and a.shape == b.shape and a.tobytes() == b.tobytes()


def difference(there: Array, here: Array, dtype: str) -> Difference | None:
    """How two arrays of one shape and dtype differ; None where no bit does.

    Args:
        there: the reference's.
        here: the rerun's.
        dtype: that the numbers were computed in, whatever they are stored in.
    """
    # As they are stored: a trace holds float64, and its last bits are lost in what was computed in.
    places = np.flatnonzero(_stored(there) != _stored(here))
    if not places.size:
        return None
    a, b = ordered(there, dtype), ordered(here, dtype)
    apart = np.where(a > b, a - b, b - a)
    unlike = np.isnan(there.reshape(-1)) != np.isnan(here.reshape(-1))
    first = int(places[0])
    with np.errstate(all="ignore"):
        gaps = np.abs(there.reshape(-1)[places].astype(np.float64) - here.reshape(-1)[places])
    return Difference(
        first=tuple(int(i) for i in np.unravel_index(first, there.shape)),
        count=len(places),
        total=there.size,
        there=float(there.reshape(-1)[first]),
        here=float(here.reshape(-1)[first]),
        ulps=None if unlike.any() else int(apart.max()),
        largest=float(gaps.max()) if np.isfinite(gaps).all() else None,
    )


def _stored(values: Array) -> npt.NDArray[Any]:
    """The bits of each number, flat."""
    bits: npt.NDArray[Any] = np.ascontiguousarray(values.reshape(-1)).view(f"u{values.itemsize}")
    return bits


def ordered(values: Array, dtype: str) -> npt.NDArray[np.uint64]:
    """Unsigned integers, one apart where two numbers of the dtype are neighbours; flat.

    The order is that of the numbers, −0 just below 0, and NaNs outside the infinities.
    """
    width = HALVED[dtype]
    if dtype == "bfloat16":
        bits = values.astype(np.float32).reshape(-1).view(np.uint32).astype(np.uint64) >> np.uint64(
            16
        )
    else:
        kind = {16: np.float16, 32: np.float32, 64: np.float64}[width]
        with np.errstate(over="ignore"):
            narrow = np.ascontiguousarray(values.astype(kind).reshape(-1))
        bits = narrow.view(f"u{width // 8}").astype(np.uint64)
    sign, mask = np.uint64(1 << (width - 1)), np.uint64((1 << width) - 1)
    flat: npt.NDArray[np.uint64] = np.where(bits & sign, ~bits & mask, bits | sign)
    return flat
