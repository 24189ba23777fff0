"""Functions for constants that have the same bits on every machine."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
import numpy.typing as npt
import torch

from gdexp.engine import LARGEST, NotPortable, compute, functions, linspace, tree_sum


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
        columns = self._normal(seed, n * n).reshape(n, n)
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
        """Return normal draws: those that cosines make, then those that sines make.

        G. E. P. Box, M. E. Muller, A note on the generation of random normal deviates, 1958.
        """
        half = (count + 1) // 2
        generator = torch.Generator().manual_seed(seed)
        first, second = torch.rand(2, half, generator=generator, dtype=torch.float64).numpy()
        radius = np.sqrt(-2.0 * compute(functions.log, 1.0 - first))
        angle = 2.0 * math.pi * second
        cosines, sines = compute(functions.cos, angle), compute(functions.sin, angle)
        return np.concatenate([radius * cosines, radius * sines])[:count]


def _check_size(numbers: int) -> None:
    """Refuse an array that no portable program may hold, before the work of making it.

    Raises:
        NotPortable: it is too large.
    """
    if numbers > LARGEST:
        raise NotPortable(f"an array of {numbers:,} numbers (a constant): torch is faster")
