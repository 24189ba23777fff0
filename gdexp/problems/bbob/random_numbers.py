"""The random numbers, rotations and offsets of BBOB, the same as those of COCO.

N. Hansen, S. Finck, R. Ros, A. Auger, Real-parameter black-box optimization benchmarking 2009:
noiseless functions definitions, INRIA research report RR-6829, 2009; with the generator and the
order of operations of the suite's reference code (numbbo/coco).
"""

from __future__ import annotations

import math

import numpy as np
import torch

from gdexp.problems.constants import PORTABLE, ConstantFunctions

MODULUS, MULTIPLIER = 2**31 - 1, 16807
WARM_UP, TABLE = 40, 32
SLOT = 67108865
"""The number that the last output is divided by to choose a place in the table."""

SMALLEST = 1e-99
"""What COCO puts in the place of a random number that is 0."""

BOUND = 1000.0
"""The largest |f_opt|."""


def uniform(seed: int, n: int) -> torch.Tensor:
    """Return n numbers in (0, 1), whole numbers divided once; shape (n,).

    The generator of S. K. Park, K. W. Miller, Random number generators: good ones are hard to
    find, 1988, shuffled by a table of 32 numbers (C. Bays, S. D. Durham, 1976).

    Args:
        seed: at least 1.
        n: how many.
    """
    state, table = seed, [0] * TABLE
    for place in reversed(range(WARM_UP)):
        state = state * MULTIPLIER % MODULUS
        if place < TABLE:
            table[place] = state
    drawn, last = [], table[0]
    for _ in range(n):
        state = state * MULTIPLIER % MODULUS
        place = last // SLOT
        last, table[place] = table[place], state
        drawn.append(last)
    return without_zeros(torch.tensor(drawn, dtype=torch.float64) / MODULUS)


def gaussian(functions: ConstantFunctions, seed: int, n: int) -> torch.Tensor:
    """Return n standard normal numbers by the Box–Muller transform; shape (n,)."""
    drawn = uniform(seed, 2 * n)
    squares = -2 * functions.logarithm(drawn[:n])
    roots = torch.from_numpy(np.sqrt(squares.numpy()))  # rounded once, which torch's may not be
    return without_zeros(roots * functions.cosine(2 * math.pi * drawn[n:]))


def without_zeros(drawn: torch.Tensor) -> torch.Tensor:
    """Return the numbers with another one in the place of 0."""
    return torch.where(drawn == 0, SMALLEST, drawn)


def rotation(functions: ConstantFunctions, seed: int, n: int) -> torch.Tensor:
    """Return an orthogonal matrix; shape (n, n).

    The columns of a Gaussian matrix are made orthonormal by the modified Gram–Schmidt process.
    """
    matrix = gaussian(functions, seed, n * n).view(n, n).T.clone()
    for i in range(n):
        column = matrix[:, i] / math.sqrt(in_order(matrix[:, i] * matrix[:, i]))
        matrix[:, i] = column
        rest = matrix[:, i + 1 :]
        rest -= in_order(rest * column[:, None]) * column[:, None]
    return matrix


def product(left: torch.Tensor, scales: torch.Tensor, right: torch.Tensor) -> torch.Tensor:
    """Return the matrix `left diag(scales) right`; shape (n, n)."""
    total = torch.zeros_like(right)
    for column, row in zip((left * scales).T, right, strict=True):
        total = total + column[:, None] * row
    return total


def in_order(terms: torch.Tensor) -> torch.Tensor:
    """Return the sum over the first dimension, from the first term to the last as in COCO."""
    return torch.cumsum(terms, 0)[-1]


def x_opt(seed: int, n: int) -> torch.Tensor:
    """Return a point in [−4, 4]^n whose coordinates are multiples of 0.0008; shape (n,)."""
    drawn = 8 * torch.floor(1e4 * uniform(seed, n)) / 1e4 - 4
    return torch.where(drawn == 0, -1e-5, drawn)


def f_opt(seed: int) -> float:
    """Return a Cauchy number times 100, rounded to two decimals and clipped to ±1000."""
    one, two = (float(gaussian(PORTABLE, each, 1)) for each in (seed, seed + 1))
    rounded = math.floor(100 * 100 * one / two + 0.5) / 100
    return min(BOUND, max(-BOUND, rounded))
