"""An instance of a function: its random constants, as tensors."""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch

from gdexp.problems.bbob import random_numbers
from gdexp.problems.constants import ConstantFunctions

INSTANCE_STEP, ROTATION_STEP = 10_000, 1_000_000
"""What an instance, and the second rotation of a function, add to the seed of the function."""

SAME_SEED = {4: 3, 18: 17}
"""Functions that have the random numbers of another one."""


@dataclass(frozen=True)
class Instance:
    """One instance of one function in one dimension.

    Attributes:
        function: its number in the suite, 1 … 24.
        instance: 1, 2, …
        dimension: n, the number of variables.
        functions: that the constants are computed with.
    """

    function: int
    instance: int
    dimension: int
    functions: ConstantFunctions

    @property
    def seed(self) -> int:
        """The seed of all random numbers of this instance."""
        return SAME_SEED.get(self.function, self.function) + INSTANCE_STEP * self.instance

    @property
    def second_seed(self) -> int:
        """The seed of the rotation that RR-6829 calls R."""
        return self.seed + ROTATION_STEP

    def f_opt(self) -> float:
        """Return the minimum, with two decimals."""
        return random_numbers.f_opt(self.seed)

    def x_opt(self) -> torch.Tensor:
        """Return the point that the function is shifted by; shape (n,)."""
        return random_numbers.x_opt(self.seed, self.dimension)

    def uniform(self, n: int) -> torch.Tensor:
        """Return n numbers in (0, 1); shape (n,)."""
        return random_numbers.uniform(self.seed, n)

    def gaussian(self) -> torch.Tensor:
        """Return n standard normal numbers; shape (n,)."""
        return random_numbers.gaussian(self.functions, self.seed, self.dimension)

    def q(self) -> torch.Tensor:
        """Return the rotation of the function's own seed, RR-6829's Q; shape (n, n)."""
        return random_numbers.rotation(self.functions, self.seed, self.dimension)

    def r(self) -> torch.Tensor:
        """Return the rotation of the second seed, RR-6829's R; shape (n, n)."""
        return random_numbers.rotation(self.functions, self.second_seed, self.dimension)

    def shares(self) -> torch.Tensor:
        """Return `i / (n − 1)` for i = 0 … n − 1; shape (n,)."""
        return torch.arange(self.dimension, dtype=torch.float64) / (self.dimension - 1)

    def powers(self, base: float) -> torch.Tensor:
        """Return `base^(i / (n − 1))`; shape (n,)."""
        return self.functions.powers(base, self.shares().tolist())

    def conditioning(self, alpha: float) -> torch.Tensor:
        """Return the diagonal of Λ^α, `√α^(i / (n − 1))`; shape (n,)."""
        return self.powers(math.sqrt(alpha))

    def r_conditioned_q(self, alpha: float) -> torch.Tensor:
        """Return R Λ^α Q; shape (n, n)."""
        return random_numbers.product(self.r(), self.conditioning(alpha), self.q())
