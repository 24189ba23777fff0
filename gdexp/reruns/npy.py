"""`.npy` bytes as an array, without pickle and without trusting what the header promises."""

from __future__ import annotations

import io
import math

import numpy as np

from gdexp.reruns.bits import Array

FLOATS = ("float16", "float32", "float64")


def array_of(content: bytes) -> Array:
    """The array that the bytes of a `.npy` file hold.

    Raises:
        ValueError: they are no such file, hold no floating numbers, or are not as long as the
            header says; nothing is allocated before that is known.
    """
    stream = io.BytesIO(content)
    try:
        version = np.lib.format.read_magic(stream)
        if version != (1, 0):
            raise ValueError(f"is of the unknown version {version}")
        shape, fortran, dtype = np.lib.format.read_array_header_1_0(stream)
    except ValueError as error:
        raise ValueError(f"is no .npy file that gdexp writes: {error}") from None
    if dtype.name not in FLOATS or not dtype.isnative:
        raise ValueError(f"holds {dtype}, not {', '.join(FLOATS)}")
    numbers = math.prod(shape)
    if min(shape, default=0) < 0 or len(content) - stream.tell() != numbers * dtype.itemsize:
        raise ValueError(f"does not hold the {numbers:,} numbers that its header promises")
    flat: Array = np.frombuffer(content, dtype=dtype, offset=stream.tell())
    return flat.reshape(shape, order="F" if fortran else "C")
