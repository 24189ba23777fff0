"""A plain C loop for the descents of `matrix`, compiled with `cc -O2`."""

from __future__ import annotations

import ctypes
import subprocess
import time
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import torch

SOURCE = r"""
#include <math.h>
static const float target[9] = {0.1f, 0.2f, 0.3f, 0.4f, 0.5f, 0.6f, 0.7f, 0.8f, 0.9f};
static float loss_of(const float *x) {
    float sum = 0;
    for (int i = 0; i < 9; i++) { float d = x[i] - target[i]; sum += d * d; }
    return sum / 9;
}
long descend(const float *starts, long count, const double *rates, long rate_count,
             double threshold, long most, int *iterations) {
    long total = 0;
    for (long r = 0; r < rate_count; r++) {
        float rate = (float)rates[r];
        for (long s = 0; s < count; s++) {
            float x[9];
            for (int i = 0; i < 9; i++) x[i] = starts[9 * s + i];
            long k = 0;
            float loss = loss_of(x);
            while (isfinite(loss) && loss > threshold && k < most) {
                for (int i = 0; i < 9; i++) x[i] -= rate * (2.0f / 9 * (x[i] - target[i]));
                loss = loss_of(x);
                k++;
            }
            iterations[r * count + s] = (int)k;
            total += k;
        }
    }
    return total;
}
"""


class CLoop:
    """The compiled loop.

    Args:
        folder: for the source and the library.
    """

    def __init__(self, folder: Path) -> None:
        source, library = folder / "loop.c", folder / "loop.so"
        source.write_text(SOURCE)
        subprocess.run(["cc", "-O2", "-shared", "-fPIC", "-o", library, source, "-lm"], check=True)
        self._descend = ctypes.CDLL(str(library)).descend
        self._descend.restype = ctypes.c_long
        self.iterations = 0

    def seconds(
        self, starts: torch.Tensor, rates: Sequence[float], threshold: float, most: int
    ) -> float:
        """Return the time of a descent from each start with each rate.

        Args:
            starts: shape (count, 3, 3), float32.
            rates: learning rates.
            threshold: at which a descent ends.
            most: iterations of one.
        """
        points = np.ascontiguousarray(starts.numpy())
        numbers = np.asarray(rates, dtype=np.float64)
        counts = np.empty(len(points) * len(numbers), dtype=np.int32)
        began = time.perf_counter()
        self.iterations = self._descend(
            points.ctypes.data_as(ctypes.c_void_p),
            ctypes.c_long(len(points)),
            numbers.ctypes.data_as(ctypes.c_void_p),
            ctypes.c_long(len(numbers)),
            ctypes.c_double(threshold),
            ctypes.c_long(most),
            counts.ctypes.data_as(ctypes.c_void_p),
        )
        return time.perf_counter() - began
