"""The functions that make a problem's constants: grids, targets, spectra, data and rotations.

There are two implementations. `TORCH` uses torch's own kernels and Python's library, whose last
bits depend on the processor; descents on torch's engine have had these constants since the first
version. `PORTABLE` has the same bits on every machine.
"""

from __future__ import annotations

import math
from collections.abc import Hashable, Sequence
from typing import Protocol

import torch

from gdexp.problems.portable_constants import PortableFunctions


class ConstantFunctions(Hashable, Protocol):
    """Functions for constants; all tensors are float64 on the CPU.

    Attributes:
        portable: whether the bits are the same on every machine.
    """

    portable: bool

    def linspace(self, low: float, high: float, n: int) -> torch.Tensor:
        """Return n numbers from low to high at equal distances; shape (n,)."""

    def sine(self, t: torch.Tensor) -> torch.Tensor:
        """Return the sine of each number."""

    def exponential(self, t: torch.Tensor) -> torch.Tensor:
        """Return e to the power of each number."""

    def logarithm(self, t: torch.Tensor) -> torch.Tensor:
        """Return the natural logarithm of each number; shape (n,)."""

    def cosine(self, t: torch.Tensor) -> torch.Tensor:
        """Return the cosine of each number; shape (n,)."""

    def polynomial(self, t: torch.Tensor, coefficients: Sequence[float]) -> torch.Tensor:
        """Return a polynomial at each number; its constant term is the first coefficient."""

    def powers(self, base: float, exponents: Sequence[float]) -> torch.Tensor:
        """Return powers of a number > 0; shape (exponents,)."""

    def standardised(self, values: torch.Tensor) -> torch.Tensor:
        """Return columns, or a vector, with mean 0 and population standard deviation 1."""

    def rotation(self, seed: int, n: int) -> torch.Tensor:
        """Return a uniformly distributed orthogonal matrix; shape (n, n)."""

    def product(self, matrix: torch.Tensor, vector: torch.Tensor) -> torch.Tensor:
        """Return the product of a matrix and a vector."""


class TorchFunctions:
    """Functions of torch's kernels and Python's library."""

    portable = False

    def linspace(self, low: float, high: float, n: int) -> torch.Tensor:
        """Return n numbers from low to high at equal distances."""
        return torch.linspace(low, high, n, dtype=torch.float64)

    def sine(self, t: torch.Tensor) -> torch.Tensor:
        """Return the sine of each number."""
        return torch.sin(t)

    def exponential(self, t: torch.Tensor) -> torch.Tensor:
        """Return e to the power of each number."""
        return torch.exp(t)

    def logarithm(self, t: torch.Tensor) -> torch.Tensor:
        """Return the natural logarithm of each number, by the C library."""
        return torch.tensor([math.log(each) for each in t.tolist()], dtype=torch.float64)

    def cosine(self, t: torch.Tensor) -> torch.Tensor:
        """Return the cosine of each number, by the C library."""
        return torch.tensor([math.cos(each) for each in t.tolist()], dtype=torch.float64)

    def polynomial(self, t: torch.Tensor, coefficients: Sequence[float]) -> torch.Tensor:
        """Return a polynomial at each number."""
        terms = torch.tensor(coefficients, dtype=torch.float64)
        return sum((c * t**power for power, c in enumerate(terms)), 0 * t)

    def powers(self, base: float, exponents: Sequence[float]) -> torch.Tensor:
        """Return powers of a number."""
        return torch.tensor([base**each for each in exponents], dtype=torch.float64)

    def standardised(self, values: torch.Tensor) -> torch.Tensor:
        """Return columns with mean 0 and standard deviation 1."""
        return (values - values.mean(0)) / values.std(0, correction=0)

    def rotation(self, seed: int, n: int) -> torch.Tensor:
        """Return the Q of a Gaussian matrix, with the signs of R's diagonal moved into it.

        Without them the result depends on the library's convention (F. Mezzadri, How to generate
        random matrices from the classical compact groups, 2007).
        """
        generator = torch.Generator().manual_seed(seed)
        q, r = torch.linalg.qr(torch.randn(n, n, generator=generator, dtype=torch.float64))
        signs: torch.Tensor = torch.where(torch.diagonal(r) < 0, -1.0, 1.0)
        return torch.mul(q, signs)

    def product(self, matrix: torch.Tensor, vector: torch.Tensor) -> torch.Tensor:
        """Return the product of a matrix and a vector."""
        return matrix @ vector


TORCH: ConstantFunctions = TorchFunctions()
PORTABLE: ConstantFunctions = PortableFunctions()
