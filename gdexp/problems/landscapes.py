"""Standard test functions of few variables.

The two variables are separate tensors and nothing is reduced, so a row of a batch has the same
bits as the row alone. Formulas, domains and minima follow M. Jamil, X.-S. Yang, A literature
survey of benchmark functions for global optimisation problems, 2013; the tests derive the
numbers again.
"""

from __future__ import annotations

import math
from abc import abstractmethod
from collections.abc import Sequence
from typing import ClassVar

import torch

from gdexp.core import validation
from gdexp.problems.base import Problem, row_sum


class Landscape(Problem):
    """A function of two variables with a usual start.

    Args:
        x0: the start, two numbers; the class's `start_at` by default.

    Attributes:
        start_at: the start by default.
        minimiser: a point with the smallest loss.
    """

    batchable = True
    f_star = 0.0
    shape = (2,)
    start_at: ClassVar[Sequence[float]]
    minimiser: ClassVar[Sequence[float]]

    def __init__(self, x0: object = None) -> None:
        super().__init__(list(self.start_at) if x0 is None else x0)
        self.x_star = torch.tensor(self.minimiser, dtype=torch.float64)
        self.target = self.x_star if self.unique else None

    def loss(self, x: torch.Tensor) -> torch.Tensor:
        """Return the function's value; x has shape (2,), or (B, 2) for B values."""
        return self.value(*x.unbind(-1))

    @abstractmethod
    def value(self, x: torch.Tensor, y: torch.Tensor) -> torch.Tensor:
        """Return the formula's value, elementwise in the two variables."""


class Booth(Landscape):
    """`(x + 2y − 7)² + (2x + y − 5)²`: a quadratic with eigenvalues 2 and 18.

    Minimum 0 at (1, 3). Starts at (0, 0), where it is 74. The fastest lr for plain gradient
    descent is 2 / (2 + 18) = 0.1; none above 2 / 18 converges.

    Args:
        x0: the start, two numbers.
    """

    name = "booth"
    curvature = (2.0, 18.0)
    start_at = (0.0, 0.0)
    minimiser = (1.0, 3.0)

    def value(self, x: torch.Tensor, y: torch.Tensor) -> torch.Tensor:
        """Return the sum of the two squared residuals."""
        first = x + 2 * y - 7
        second = 2 * x + y - 5
        return first * first + second * second


class Matyas(Landscape):
    """`0.26 (x² + y²) − 0.48 xy`: a quadratic with eigenvalues 0.04 and 1, a long flat valley.

    Minimum 0 at (0, 0). Starts at (4, −2), away from both eigenvectors, where it is 9.04.

    Args:
        x0: the start, two numbers.
    """

    name = "matyas"
    curvature = (0.04, 1.0)
    start_at = (4.0, -2.0)
    minimiser = (0.0, 0.0)

    def value(self, x: torch.Tensor, y: torch.Tensor) -> torch.Tensor:
        """Return the quadratic form."""
        return 0.26 * (x * x + y * y) - 0.48 * (x * y)


class Rosenbrock(Landscape):
    """`100 (y − x²)² + (1 − x)²`: a curved valley with a nearly flat floor.

    Minimum 0 at (1, 1), where the Hessian's eigenvalues are 501 ∓ √250601 = 0.3994 and
    1001.6; plain gradient descent is stable there below lr 2 / 1001.6 = 0.0019968. Starts at
    (−1.2, 1), where it is 24.2 (H. H. Rosenbrock, An automatic method for finding the greatest
    or least value of a function, 1960).

    Args:
        x0: the start, two numbers.
    """

    name = "rosenbrock"
    start_at = (-1.2, 1.0)
    minimiser = (1.0, 1.0)

    def value(self, x: torch.Tensor, y: torch.Tensor) -> torch.Tensor:
        """Return the weighted distance from the parabola plus the distance along it."""
        across = y - x * x
        along = 1 - x
        return 100 * (across * across) + along * along


class Beale(Landscape):
    """`(1.5 − x + xy)² + (2.25 − x + xy²)² + (2.625 − x + xy³)²`: steep walls, flat floor.

    Minimum 0 at (3, ½). Starts at (1, 1), where it is 14.203125 (E. M. L. Beale, On an
    iterative method for finding a local minimum of a function of more than one variable, 1958).

    Args:
        x0: the start, two numbers.
    """

    name = "beale"
    start_at = (1.0, 1.0)
    minimiser = (3.0, 0.5)

    def value(self, x: torch.Tensor, y: torch.Tensor) -> torch.Tensor:
        """Return the sum of the three squared residuals."""
        square = y * y
        first = 1.5 - x + x * y
        second = 2.25 - x + x * square
        third = 2.625 - x + x * (square * y)
        return first * first + second * second + third * third


class Himmelblau(Landscape):
    """`(x² + y − 11)² + (x + y² − 7)²`: four minima of 0, so the start decides which is found.

    `MINIMA` holds them; the first is exact. Starts at (0, 0), where it is 170; small learning
    rates lead from there to (3, 2) (D. M. Himmelblau, Applied Nonlinear Programming, 1972).

    Args:
        x0: the start, two numbers.
    """

    name = "himmelblau"
    start_at = (0.0, 0.0)
    minimiser = (3.0, 2.0)
    unique = False
    MINIMA: ClassVar[Sequence[Sequence[float]]] = (
        (3.0, 2.0),
        (-2.805118086952745, 3.131312518250573),
        (-3.779310253377747, -3.283185991286170),
        (3.584428340330492, -1.848126526964404),
    )

    def value(self, x: torch.Tensor, y: torch.Tensor) -> torch.Tensor:
        """Return the sum of the two squared residuals."""
        first = x * x + y - 11
        second = x + y * y - 7
        return first * first + second * second


class Hyperbola(Landscape):
    """`½ (1 − xy)²`: a small problem whose curvature differs from minimum to minimum.

    Minimum 0 everywhere on xy = 1, where the Hessian's largest eigenvalue (the sharpness) is
    x² + y² >= 2. Plain gradient descent ends where the sharpness is at most 2 / lr, so with
    lr > 1 it does not converge from a generic start (J. Cohen et al., Gradient descent on neural
    networks typically occurs at the edge of stability, 2021). Starts at (2, 0.1).

    Args:
        x0: the start, two numbers.
    """

    name = "hyperbola"
    start_at = (2.0, 0.1)
    minimiser = (1.0, 1.0)
    unique = False

    def value(self, x: torch.Tensor, y: torch.Tensor) -> torch.Tensor:
        """Return half the squared residual."""
        residual = 1 - x * y
        return 0.5 * (residual * residual)


class Rastrigin(Problem):
    """`Σ x_i² − 10 cos(2π x_i) + 10`: a bowl with a local minimum near every integer point.

    Minimum 0 at the origin. The nearest local minimum on each axis is x = 0.994958637 with
    f = 0.994959057. At the origin the Hessian is (2 + 40 π²) I, so lr must stay below
    2 / 396.78 = 0.0050405 (L. A. Rastrigin, Systems of Extremal Control, 1974).

    Args:
        dimension: the number of variables; at least 1.
        x0: the start; by default uniform on ±5.12, drawn from the seed.
    """

    name = "rastrigin"
    batchable = True
    f_star = 0.0
    BOUND: ClassVar[float] = 5.12

    def __init__(self, dimension: int = 2, x0: object = None) -> None:
        self.shape = (validation.integer("dimension", dimension, low=1, high=10_000_000),)
        super().__init__(x0)
        self.x_star = torch.zeros(self.shape, dtype=torch.float64)
        self.target = self.x_star

    def loss(self, x: torch.Tensor) -> torch.Tensor:
        """Return the sum over the axes, one value for each row of a batch."""
        return row_sum(x * x + (10 - 10 * torch.cos(2 * math.pi * x)))

    def draw(self, generator: torch.Generator) -> torch.Tensor:
        """Draw the start uniformly on the usual box, ±5.12 in every axis."""
        return (2 * torch.rand(self.shape, generator=generator) - 1) * self.BOUND
