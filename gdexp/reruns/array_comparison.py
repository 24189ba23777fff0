"""Compare two arrays bit for bit and measure their distance in units in the last place (ulp)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from gdexp.tracking import Array

DTYPE_BITS = {"float16": 16, "bfloat16": 16, "float32": 32, "float64": 64}
"""The width in bits of each dtype in which a descent computes."""


@dataclass(frozen=True)
class ArrayDifference:
    """The difference of two arrays of one shape.

    Attributes:
        first: the index of the first difference, in C order.
        count: how many numbers differ.
        total: how many numbers there are.
        reference: the number of the reference at `first`.
        rerun: the number of the rerun there.
        ulps: the largest distance, in ulp of the dtype of the descent; None if only one of two
            numbers is NaN.
        largest: the largest absolute difference; None if a difference is not finite.
    """

    first: tuple[int, ...]
    count: int
    total: int
    reference: float
    rerun: float
    ulps: int | None
    largest: float | None


def same_bits(a: Array, b: Array) -> bool:
    """Return whether two arrays are equal in dtype, shape and every byte."""
    return a.dtype == b.dtype and a.shape == b.shape and a.tobytes() == b.tobytes()


def compare_arrays(reference: Array, rerun: Array, dtype: str) -> ArrayDifference | None:
    """Return the difference of two arrays of one shape and dtype; None if all bits are equal.

    Args:
        reference: the recorded array.
        rerun: the array of the rerun.
        dtype: the dtype of the descent; the arrays may be stored in a wider one.
    """
    # Compare the stored bits: a trace is float64, and a conversion would drop its last bits.
    places = np.flatnonzero(_raw_bits(reference) != _raw_bits(rerun))
    if not places.size:
        return None
    a, b = ordered_integers(reference, dtype), ordered_integers(rerun, dtype)
    apart = np.where(a > b, a - b, b - a)
    unlike = np.isnan(reference.reshape(-1)) != np.isnan(rerun.reshape(-1))
    first = int(places[0])
    with np.errstate(all="ignore"):
        gaps = np.abs(reference.reshape(-1)[places].astype(np.float64) - rerun.reshape(-1)[places])
    return ArrayDifference(
        first=tuple(int(i) for i in np.unravel_index(first, reference.shape)),
        count=len(places),
        total=reference.size,
        reference=float(reference.reshape(-1)[first]),
        rerun=float(rerun.reshape(-1)[first]),
        ulps=None if unlike.any() else int(apart.max()),
        largest=float(gaps.max()) if np.isfinite(gaps).all() else None,
    )


def _raw_bits(values: Array) -> npt.NDArray[Any]:
    """Return the bits of each number as an unsigned integer; flat."""
    bits: npt.NDArray[Any] = np.ascontiguousarray(values.reshape(-1)).view(f"u{values.itemsize}")
    return bits


def ordered_integers(values: Array, dtype: str) -> npt.NDArray[np.uint64]:
    """Map numbers to unsigned integers so that neighbours of the dtype differ by one; flat.

    The integers are in the order of the numbers: −0 just below 0, NaNs beyond the infinities.
    """
    width = DTYPE_BITS[dtype]
    if dtype == "bfloat16":
        single = values.astype(np.float32).reshape(-1)
        bits = single.view(np.uint32).astype(np.uint64) >> np.uint64(16)
    else:
        kind = {16: np.float16, 32: np.float32, 64: np.float64}[width]
        with np.errstate(over="ignore"):
            narrow = np.ascontiguousarray(values.astype(kind).reshape(-1))
        bits = narrow.view(f"u{width // 8}").astype(np.uint64)
    sign, mask = np.uint64(1 << (width - 1)), np.uint64((1 << width) - 1)
    flat: npt.NDArray[np.uint64] = np.where(bits & sign, ~bits & mask, bits | sign)
    return flat
