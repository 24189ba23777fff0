"""Arrays in NumPy's `.npy` format: the only reader and the only writer of them.

Nothing is pickled or unpickled, and no memory is allocated on the word of a header alone.
"""

from __future__ import annotations

import io
import math
import os
from collections.abc import Mapping
from functools import lru_cache
from typing import Any, BinaryIO, Literal, NamedTuple

import numpy as np
import numpy.typing as npt
import torch

from gdexp.experiment import StoredFiles

Array = npt.NDArray[Any]

FLOATS = ("float16", "float32", "float64")

MAPPED_FROM = 1 << 20
"""Bytes from which a file is mapped, so that a thousand long traces need no memory of their own."""


class _Header(NamedTuple):
    """What a file says of its array; `offset` is where the numbers begin."""

    shape: tuple[int, ...]
    order: Literal["C", "F"]
    dtype: np.dtype[Any]
    offset: int


def encode_array(value: torch.Tensor | Array) -> bytes:
    """Return an array as the bytes of a `.npy` file; bfloat16, which NumPy lacks, as float32."""
    if isinstance(value, torch.Tensor):
        value = value.float().numpy() if value.dtype is torch.bfloat16 else value.numpy()
    array = np.ascontiguousarray(value)
    return b"".join(
        (_header_bytes(array.shape, array.dtype), array.reshape(-1).view(np.uint8).data)
    )


@lru_cache(1024)
def _header_bytes(shape: tuple[int, ...], dtype: np.dtype[Any]) -> bytes:
    """Return the header of a contiguous array; it takes longer than a short trace's numbers."""
    header = io.BytesIO()
    form = np.lib.format.header_data_from_array_1_0(np.broadcast_to(np.empty((), dtype), shape))
    np.lib.format.write_array_header_1_0(header, {**form, "fortran_order": False})
    return header.getvalue()


def decode_array(content: bytes) -> Array:
    """Return the array that the bytes of a `.npy` file hold, as a copy that can be written to.

    Raises:
        ValueError: these are not the bytes of such a file, it does not hold floating numbers, or
            its length is not the one that its header says.
    """
    header = _read_header(io.BytesIO(content), len(content))
    flat: Array = np.frombuffer(content, header.dtype, offset=header.offset)
    return flat.reshape(header.shape, order=header.order).copy()


def stored_files(files: Mapping[str, bytes]) -> StoredFiles:
    """Return the files of a run by name, their arrays decoded.

    Raises:
        ValueError: an array is malformed.
    """
    arrays = {name: decode_array(each) for name, each in files.items() if name.endswith(".npy")}
    return StoredFiles(arrays, files)


def read_array(file: BinaryIO) -> Array:
    """Read an open `.npy` file; a large one is mapped into memory, read-only.

    Raises:
        ValueError: as for `decode_array`.
    """
    size = os.fstat(file.fileno()).st_size
    if size < MAPPED_FROM:
        return decode_array(file.read(MAPPED_FROM))
    header = _read_header(file, size)
    return np.memmap(file, header.dtype, "r", header.offset, header.shape, header.order)


def check_trace(array: Array, empty: bool = False) -> npt.NDArray[np.float64]:
    """Check that an array is a loss trace: float64, shape (n + 1,).

    Args:
        array: that was read.
        empty: whether it may have no losses, as of a training that made no update.

    Raises:
        ValueError: it is not.
    """
    if array.ndim != 1 or (array.size == 0 and not empty) or array.dtype != np.float64:
        raise ValueError(f"is no loss trace: {array.dtype} of shape {array.shape}")
    return array


def _read_header(file: BinaryIO, size: int) -> _Header:
    try:
        version = np.lib.format.read_magic(file)
        if version != (1, 0):
            raise ValueError(f"is of the unknown version {version}")
        shape, fortran, dtype = np.lib.format.read_array_header_1_0(file)
    except ValueError as error:
        raise ValueError(f"is no .npy file that gdexp writes: {error}") from None
    if dtype.name not in FLOATS or not dtype.isnative:
        raise ValueError(f"holds {dtype}, not {', '.join(FLOATS)}")
    offset, numbers = file.tell(), math.prod(shape)
    if min(shape, default=0) < 0 or size - offset != numbers * dtype.itemsize:
        raise ValueError(f"does not hold the {numbers:,} numbers that its header promises")
    return _Header(shape, "F" if fortran else "C", dtype, offset)
