"""Learning-rate schedules: the rate of each update.

A schedule computes an update's rate from a rule's `lr` and the update's number (from 1), in
double precision. `lr` may be a float64 array with one value per row of a batch, so schedules use
only operations that round numbers and arrays alike.
"""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any, ClassVar

import numpy as np
import numpy.typing as npt

from gdexp.core import BadInput, validation
from gdexp.optimizers.mathematics import Iteration, choose, cosine, power
from gdexp.optimizers.stable_order import portable_order, stable_order

LONGEST_CYCLE = 10_000
"""The most rates of a cyclic schedule; to order n rates takes n² steps."""


@dataclass(frozen=True)
class Schedule(ABC):
    """A learning-rate schedule.

    Attributes:
        name: the value of `optimizer.schedule.name` in a config.
        in_blocks: whether `rate` and `constant_from`, where this class defines them, also take
            many iterations, as `UpdateRule.coefficients` does. It is not inherited.
    """

    name: ClassVar[str] = ""
    in_blocks: ClassVar[bool] = False

    @abstractmethod
    def rate(self, lr: float, iteration: Iteration) -> float:
        """Return the rate of one update: a number, or an array when lr is one.

        Args:
            lr: the rule's learning rate.
            iteration: the update's number, from 1.
        """

    @abstractmethod
    def constant_from(self, iteration: Iteration) -> bool:
        """Return whether this update and every later one have the same rate."""

    @property
    def constant(self) -> bool:
        """Whether all updates have the same rate."""
        return self.constant_from(1)


@dataclass(frozen=True)
class Constant(Schedule):
    """`lr` at every update."""

    name = "constant"
    in_blocks = True

    def rate(self, lr: float, iteration: Iteration) -> float:
        """Return the learning rate."""
        return lr

    def constant_from(self, iteration: Iteration) -> bool:
        """Return True."""
        return True


@dataclass(frozen=True)
class InverseTime(Schedule):
    """`lr / (1 + decay * k)` at update k.

    With this decay stochastic approximation converges. H. Robbins, S. Monro, A
    stochastic approximation method, Annals of Mathematical Statistics 22, 1951.

    Args:
        decay: per update, >= 0.
    """

    name = "inverse_time"
    in_blocks = True
    decay: float = 0.01

    def __post_init__(self) -> None:
        _put(self, "decay", validation.non_negative("decay", self.decay))

    def rate(self, lr: float, iteration: Iteration) -> float:
        """Return `lr / (1 + decay * k)`."""
        rate: float = lr / (1 + self.decay * iteration)
        return rate

    def constant_from(self, iteration: Iteration) -> bool:
        """Return whether there is no decay."""
        return self.decay == 0


@dataclass(frozen=True)
class Cosine(Schedule):
    """From `lr` at update 1 down half a cosine wave to `floor * lr` at update `steps + 1`.

    I. Loshchilov, F. Hutter, SGDR: stochastic gradient descent with warm restarts, 2017,
    without the restarts: the rate stays at the floor.

    Args:
        steps: the number of updates from `lr` down to the floor, >= 1.
        floor: the last rate, as a share of `lr`, in [0, 1].
    """

    name = "cosine"
    in_blocks = True
    steps: int = 100
    floor: float = 0.0

    def __post_init__(self) -> None:
        validation.integer("steps", self.steps, low=1, high=10**9)
        _put(self, "floor", _share("floor", self.floor))

    def rate(self, lr: float, iteration: Iteration) -> float:
        """Return `lr * (floor + (1 - floor) * (1 + cos(pi * (k - 1) / steps)) / 2)`."""
        wave = (1 + cosine(math.pi * (iteration - 1) / self.steps)) / 2
        rate = lr * (self.floor + (1 - self.floor) * wave)
        chosen: float = choose(iteration > self.steps, lr * self.floor, rate)
        return chosen

    def constant_from(self, iteration: Iteration) -> bool:
        """Return whether the floor is reached."""
        reached: bool = (iteration > self.steps) | (self.floor == 1)
        return reached


@dataclass(frozen=True)
class StepDecay(Schedule):
    """`lr`, multiplied by `factor` after every `every` updates.

    Args:
        every: updates between two changes, >= 1.
        factor: above 0 and at most 1.
    """

    name = "step"
    in_blocks = True
    every: int = 100
    factor: float = 0.1

    def __post_init__(self) -> None:
        validation.integer("every", self.every, low=1, high=10**9)
        factor = validation.positive("factor", self.factor)
        if factor > 1:
            raise BadInput("factor", self.factor, "must be above 0 and at most 1")
        _put(self, "factor", factor)

    def rate(self, lr: float, iteration: Iteration) -> float:
        """Return `lr * factor ** ((k - 1) // every)`."""
        return lr * self._share(iteration)

    def constant_from(self, iteration: Iteration) -> bool:
        """Return whether the rate never changes, or is 0 in double precision."""
        return (self.factor == 1) | (self._share(iteration) == 0)

    def _share(self, iteration: int) -> float:
        share: float = power(self.factor, (iteration - 1) // self.every)
        return share


@dataclass(frozen=True)
class Warmup(Schedule):
    """`lr * k / steps` at update k, then `lr`.

    P. Goyal et al., Accurate, large minibatch SGD, 2017 (gradual warmup).

    Args:
        steps: the first update with the full `lr`, >= 1.
    """

    name = "warmup"
    in_blocks = True
    steps: int = 10

    def __post_init__(self) -> None:
        validation.integer("steps", self.steps, low=1, high=10**9)

    def rate(self, lr: float, iteration: Iteration) -> float:
        """Return `lr * k / steps`, at most `lr`."""
        rate: float = choose(iteration >= self.steps, lr, lr * (iteration / self.steps))
        return rate

    def constant_from(self, iteration: Iteration) -> bool:
        """Return whether `lr` is reached."""
        reached: bool = iteration >= self.steps
        return reached


@dataclass(frozen=True)
class _Cycle(Schedule):
    """A cycle of rates that do not depend on `lr`."""

    in_blocks = True

    @property
    @abstractmethod
    def rates(self) -> tuple[float, ...]:
        """The rates of one cycle, in order."""

    def rate(self, lr: float, iteration: Iteration) -> float:
        """Return the cycle's rate at this update."""
        rates: Any = self._portable_rates if isinstance(iteration, np.ndarray) else self.rates
        rate: float = rates[(iteration - 1) % len(rates)]
        return rate

    @property
    @abstractmethod
    def _portable_rates(self) -> npt.NDArray[np.float64]:
        """The rates with the same bits on every machine."""

    def constant_from(self, iteration: Iteration) -> bool:
        """Return whether the cycle has a single rate."""
        return len(self.rates) == 1


@dataclass(frozen=True)
class Chebyshev(_Cycle):
    """The best rates for plain gradient descent on a quadratic; `lr` is ignored.

    After `steps` updates the error along every eigenvector with an eigenvalue in [mu, L] is at
    most `1 / T(steps, (L + mu) / (L - mu))` of the first, where T is Chebyshev's polynomial; no
    other `steps` rates have a better bound. They are the inverses of the polynomial's roots on
    [mu, L]: L. F. Richardson, 1910; D. Young, On Richardson's method for solving linear
    systems with positive definite matrices, Journal of Mathematics and Physics 32, 1953.

    In their natural order, points within a cycle overflow or lose all digits to rounding (V. I.
    Lebedev, S. A. Finogenov, On the order of choice of the iteration parameters in the
    Chebyshev cyclic iteration method, 1971), so `stable_order` orders the roots. After `steps`
    updates the cycle starts again; the bound holds for whole cycles only.

    Args:
        mu: the smallest eigenvalue, > 0.
        L: the largest eigenvalue, >= mu.
        steps: the length of the cycle, 1 … 10,000.
    """

    name = "chebyshev"
    mu: float = 0.01
    L: float = 1.0
    steps: int = 32

    def __post_init__(self) -> None:
        mu, largest = validation.positive("mu", self.mu), validation.positive("L", self.L)
        if largest < mu:
            raise BadInput("L", self.L, f"must be at least mu={self.mu:g}")
        validation.integer("steps", self.steps, low=1, high=LONGEST_CYCLE)
        _put(self, "mu", mu)
        _put(self, "L", largest)

    @cached_property
    def rates(self) -> tuple[float, ...]:
        """The inverses of the roots, in stable order."""
        roots = self._roots([math.cos(angle) for angle in self._angles])
        return tuple(1 / root for root in stable_order(roots))

    @cached_property
    def _portable_rates(self) -> npt.NDArray[np.float64]:
        roots = self._roots(cosine(np.array(self._angles)).tolist())
        return 1 / np.array(portable_order(roots))

    @property
    def _angles(self) -> list[float]:
        return [math.pi * (2 * j + 1) / (2 * self.steps) for j in range(self.steps)]

    def _roots(self, cosines: list[float]) -> list[float]:
        middle, radius = self.mu / 2 + self.L / 2, self.L / 2 - self.mu / 2
        return [middle + radius * each for each in cosines]

    @property
    def bound(self) -> float:
        """The largest factor by which one cycle multiplies an error in the spectrum."""
        if self.mu == self.L:
            return 0.0
        return 1 / math.cosh(self.steps * math.acosh((self.L + self.mu) / (self.L - self.mu)))


@dataclass(frozen=True)
class InverseEigenvalue(_Cycle):
    """`1 / eigenvalue` for one eigenvalue after the other; `lr` is ignored.

    On a quadratic each update removes the error along its eigenvalue's eigenvectors. So plain
    gradient descent reaches the minimum, up to rounding, after as many updates as there are
    distinct eigenvalues. `stable_order` orders them. D. Young, On Richardson's method for solving
    linear systems with positive definite matrices, 1953.

    Args:
        eigenvalues: numbers > 0 in any order; duplicates count once.
    """

    name = "inverse_eigenvalue"
    eigenvalues: Sequence[float] = (1.0,)

    def __post_init__(self) -> None:
        given: object = self.eigenvalues
        if isinstance(given, str) or not isinstance(given, Sequence) or not given:
            raise BadInput("eigenvalues", given, "must be a list of numbers > 0")
        if len(given) > LONGEST_CYCLE:
            raise BadInput(
                "eigenvalues", f"{len(given)} numbers", f"must be at most {LONGEST_CYCLE:,} numbers"
            )
        _put(self, "eigenvalues", tuple(validation.positive("eigenvalues", each) for each in given))

    @cached_property
    def rates(self) -> tuple[float, ...]:
        """The inverses of the distinct eigenvalues, in stable order."""
        return tuple(1 / each for each in stable_order(sorted(set(self.eigenvalues))))

    @cached_property
    def _portable_rates(self) -> npt.NDArray[np.float64]:
        return 1 / np.array(portable_order(sorted(set(self.eigenvalues))))


def _share(key: str, value: object) -> float:
    result = validation.non_negative(key, value)
    if result > 1:
        raise BadInput(key, value, "must be from 0 to 1")
    return result


def _put(schedule: Schedule, key: str, value: object) -> None:
    """Store a checked value in a frozen schedule."""
    object.__setattr__(schedule, key, value)
