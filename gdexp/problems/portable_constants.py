"""Functions for constants that have the same bits on every machine."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
import numpy.typing as npt
import torch

from gdexp.engine import LARGEST, NotPortable, compute, functions, linspace, tree_sum

BLOCK = 16
"""Normal numbers that torch makes together."""


class PortableFunctions:
    """Functions made of IEEE operations in a fixed order: see `gdexp.engine`.

    Uniform draws are the bits of the Mersenne twister. Numpy's `+ - * /` and square roots are
    rounded once on every machine; no other function of a library is called.
    """

    portable = True

    def linspace(self, low: float, high: float, n: int) -> torch.Tensor:
        """Return n numbers from low to high; each half counts from its own end."""
        _check_size(n)
        return torch.from_numpy(linspace(low, high, n))

    def sine(self, t: torch.Tensor) -> torch.Tensor:
        """Return the sine of each number."""
        return torch.from_numpy(compute(functions.sin, t.numpy()))

    def exponential(self, t: torch.Tensor) -> torch.Tensor:
        """Return e to the power of each number."""
        return torch.from_numpy(compute(functions.exp, t.numpy()))

    def logarithm(self, t: torch.Tensor) -> torch.Tensor:
        """Return the natural logarithm of each number."""
        _check_size(t.numel())
        return torch.from_numpy(compute(functions.log, t.numpy()))

    def cosine(self, t: torch.Tensor) -> torch.Tensor:
        """Return the cosine of each number."""
        _check_size(t.numel())
        return torch.from_numpy(compute(functions.cos, t.numpy()))

    def polynomial(self, t: torch.Tensor, coefficients: Sequence[float]) -> torch.Tensor:
        """Return the sum of the terms from the constant one on; powers are repeated products."""
        values, total = t.numpy(), 0.0 * t.numpy()
        power = 1.0 + total
        for coefficient in coefficients:
            total = total + coefficient * power
            power = power * values
        return torch.from_numpy(total)

    def powers(self, base: float, exponents: Sequence[float]) -> torch.Tensor:
        """Return powers of a number."""
        _check_size(len(exponents))
        return torch.from_numpy(compute(functions.power, base, exponents))

    def standardised(self, values: torch.Tensor) -> torch.Tensor:
        """Return columns with mean 0 and standard deviation 1; sums are balanced trees."""
        rows = np.ascontiguousarray(values.numpy().T)
        n = rows.shape[-1]
        centered = rows - (tree_sum(rows) / n)[..., None]
        deviations = np.sqrt(tree_sum(centered * centered) / n)
        return torch.from_numpy(np.ascontiguousarray((centered / deviations[..., None]).T))

    def rotation(self, seed: int, n: int) -> torch.Tensor:
        """Return a Gaussian matrix whose columns are made orthonormal, from the first one on.

        That is its Q where R has a positive diagonal. Each column is made orthogonal to those
        before it twice, which is enough (L. Giraud, J. Langou, M. Rozložník, J. van den Eshof,
        Rounding error analysis of the classical Gram-Schmidt orthogonalization process, 2005).
        """
        _check_size(n * n)
        columns = np.ascontiguousarray(self._normal(seed, n * n).reshape(n, n).T)
        for k in range(n):
            column = columns[k]
            for _ in range(2 if k else 0):
                shares = tree_sum(columns[:k] * column)
                column = column - tree_sum((shares[:, None] * columns[:k]).T)
            columns[k] = column / np.sqrt(tree_sum(column * column))
        return torch.from_numpy(np.ascontiguousarray(columns.T))

    def product(self, matrix: torch.Tensor, vector: torch.Tensor) -> torch.Tensor:
        """Return the product of a matrix and a vector; sums are balanced trees."""
        return torch.from_numpy(np.asarray(tree_sum(matrix.numpy() * vector.numpy())))

    def _normal(self, seed: int, count: int) -> npt.NDArray[np.float64]:
        """Return the draws of `torch.randn(count)` in float64, up to its rounding.

        A rotation is so the same as torch's within rounding. G. E. P. Box, M. E. Muller, A note
        on the generation of random normal deviates, 1958, on the Mersenne twister's uniform
        draws. Torch makes fewer than 16 numbers in pairs that follow one another; more in blocks
        of 16, the last of which are drawn anew (aten/src/ATen/native/cpu/DistributionTemplates.h).
        """
        generator = torch.Generator().manual_seed(seed)

        def uniform(size: int) -> npt.NDArray[np.float64]:
            return torch.rand(size, generator=generator, dtype=torch.float64).numpy()

        if count < BLOCK:
            angles, radii = uniform(count + count % 2).reshape(-1, 2).T
            return np.stack(_box_muller(radii, angles), axis=1).flatten()[:count]
        drawn = np.empty(count)
        whole = count - count % BLOCK
        pairs = uniform(count)[:whole].reshape(-1, 2, BLOCK // 2)
        drawn[:whole] = np.stack(_box_muller(pairs[:, 0], pairs[:, 1]), axis=1).flatten()
        if whole < count:
            drawn[-BLOCK:] = np.concatenate(_box_muller(*uniform(BLOCK).reshape(2, -1)))
        return drawn


def _box_muller(
    radii: npt.NDArray[np.float64], angles: npt.NDArray[np.float64]
) -> tuple[npt.NDArray[np.float64], npt.NDArray[np.float64]]:
    """Return two normal numbers for each pair of uniform numbers in [0, 1)."""
    radius = np.sqrt(-2.0 * compute(functions.log, np.ascontiguousarray(1.0 - radii)))
    angle = np.ascontiguousarray(2.0 * math.pi * angles)
    return radius * compute(functions.cos, angle), radius * compute(functions.sin, angle)


def _check_size(numbers: int) -> None:
    """Refuse an array that no portable program may hold, before the work of making it.

    Raises:
        NotPortable: it is too large.
    """
    if numbers > LARGEST:
        raise NotPortable(f"an array of {numbers:,} numbers (a constant): torch is faster")
