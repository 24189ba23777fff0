"""Learning-rate schedules: which rate each update takes.

A schedule turns a rule's `lr` and the number of the update that is made (from 1) into that
update's rate, in double precision. `lr` may also be a float64 array, one value per row of a
batch: only operations that round alike for numbers and arrays touch it.
"""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import ClassVar

import numpy as np
import numpy.typing as npt

from gdexp import config
from gdexp.core import BadInput, validation

LONGEST_CYCLE = 10_000
"""The most rates that a cyclic schedule holds; putting n rates in order takes n² steps."""

_TIE = 1e-9


@dataclass(frozen=True)
class Schedule(ABC):
    """What the learning rate is at every update.

    Attributes:
        name: the word that chooses the schedule in a config.
    """

    name: ClassVar[str] = ""

    @abstractmethod
    def rate(self, lr: float, iteration: int) -> float:
        """The rate of one update; of lr's kind, a number or an array of one per row.

        Args:
            lr: the rule's learning rate.
            iteration: the update that is made, from 1.
        """

    @abstractmethod
    def settled(self, iteration: int) -> bool:
        """Whether this update and every later one have the same rate."""

    @property
    def constant(self) -> bool:
        """Whether all updates have the same rate."""
        return self.settled(1)


@dataclass(frozen=True)
class Constant(Schedule):
    """`lr` at every update."""

    name = "constant"

    def rate(self, lr: float, iteration: int) -> float:
        """The learning rate."""
        return lr

    def settled(self, iteration: int) -> bool:
        """Always."""
        return True


@dataclass(frozen=True)
class InverseTime(Schedule):
    """`lr / (1 + decay * k)` at update k.

    The decay under which stochastic approximation converges. H. Robbins, S. Monro, A
    stochastic approximation method, Annals of Mathematical Statistics 22, 1951.

    Args:
        decay: per update, >= 0.
    """

    name = "inverse_time"
    decay: float = 0.01

    def __post_init__(self) -> None:
        _put(self, "decay", validation.non_negative("decay", self.decay))

    def rate(self, lr: float, iteration: int) -> float:
        """Slowed from the first update on."""
        return lr / (1 + self.decay * iteration)

    def settled(self, iteration: int) -> bool:
        """Only without decay."""
        return self.decay == 0


@dataclass(frozen=True)
class Cosine(Schedule):
    """From `lr` at update 1 down half a cosine wave to `floor * lr` at update `steps + 1`.

    I. Loshchilov, F. Hutter, SGDR: stochastic gradient descent with warm restarts, 2017,
    without the restarts: the floor is kept.

    Args:
        steps: updates on the way down, >= 1.
        floor: the share of `lr` that is left, in [0, 1].
    """

    name = "cosine"
    steps: int = 100
    floor: float = 0.0

    def __post_init__(self) -> None:
        validation.integer("steps", self.steps, low=1, high=10**9)
        _put(self, "floor", _share("floor", self.floor))

    def rate(self, lr: float, iteration: int) -> float:
        """`lr * (floor + (1 - floor) * (1 + cos(pi * (k - 1) / steps)) / 2)`, then the floor."""
        if iteration > self.steps:
            return lr * self.floor
        wave = (1 + math.cos(math.pi * (iteration - 1) / self.steps)) / 2
        return lr * (self.floor + (1 - self.floor) * wave)

    def settled(self, iteration: int) -> bool:
        """Once the floor is reached."""
        return iteration > self.steps or self.floor == 1


@dataclass(frozen=True)
class StepDecay(Schedule):
    """`lr`, multiplied by `factor` after every `every` updates.

    Args:
        every: updates between two changes, >= 1.
        factor: above 0 and at most 1.
    """

    name = "step"
    every: int = 100
    factor: float = 0.1

    def __post_init__(self) -> None:
        validation.integer("every", self.every, low=1, high=10**9)
        factor = validation.positive("factor", self.factor)
        if factor > 1:
            raise BadInput("factor", self.factor, "must be above 0 and at most 1")
        _put(self, "factor", factor)

    def rate(self, lr: float, iteration: int) -> float:
        """`lr * factor ** ((k - 1) // every)`."""
        return lr * self._share(iteration)

    def settled(self, iteration: int) -> bool:
        """Without a change of rate, or once the rate is 0 in double precision."""
        return self.factor == 1 or self._share(iteration) == 0

    def _share(self, iteration: int) -> float:
        return float(self.factor ** ((iteration - 1) // self.every))


@dataclass(frozen=True)
class Warmup(Schedule):
    """`lr * k / steps` at update k, then `lr`.

    P. Goyal et al., Accurate, large minibatch SGD, 2017 (gradual warmup).

    Args:
        steps: the first update that has the whole `lr`, >= 1.
    """

    name = "warmup"
    steps: int = 10

    def __post_init__(self) -> None:
        validation.integer("steps", self.steps, low=1, high=10**9)

    def rate(self, lr: float, iteration: int) -> float:
        """A straight line up to `lr`."""
        return lr if iteration >= self.steps else lr * (iteration / self.steps)

    def settled(self, iteration: int) -> bool:
        """Once the whole `lr` is reached."""
        return iteration >= self.steps


@dataclass(frozen=True)
class _Cycle(Schedule):
    """Absolute rates, over and over; `lr` plays no part."""

    @property
    @abstractmethod
    def rates(self) -> tuple[float, ...]:
        """The rates of one cycle, in the order in which they are taken."""

    def rate(self, lr: float, iteration: int) -> float:
        """The rate that the cycle has at this update, whatever `lr` is."""
        return self.rates[(iteration - 1) % len(self.rates)]

    def settled(self, iteration: int) -> bool:
        """Only when the cycle holds a single rate."""
        return len(self.rates) == 1


@dataclass(frozen=True)
class Chebyshev(_Cycle):
    """The rates that are best for plain gradient descent on a quadratic; `lr` is ignored.

    After `steps` updates the error of every eigenvector with an eigenvalue in [mu, L] has
    shrunk by at least `1 / T(steps, (L + mu) / (L - mu))`, T being Chebyshev's polynomial; no
    other `steps` rates promise as much. They are the inverses of the polynomial's roots on
    [mu, L]: L. F. Richardson, 1910; D. Young, On Richardson's method for solving linear
    systems with positive definite matrices, Journal of Mathematics and Physics 32, 1953.

    In their natural order the updates in between overflow or drown in rounding errors (V. I.
    Lebedev, S. A. Finogenov, On the order of choice of the iteration parameters in the
    Chebyshev cyclic iteration method, 1971), so the roots are taken in `stable_order`. After
    `steps` updates the cycle starts again; only whole cycles keep the promise.

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
        """The inverses of the roots, in a stable order."""
        middle, radius = self.mu / 2 + self.L / 2, self.L / 2 - self.mu / 2
        angles = [math.pi * (2 * j + 1) / (2 * self.steps) for j in range(self.steps)]
        return tuple(
            1 / root for root in stable_order([middle + radius * math.cos(a) for a in angles])
        )

    @property
    def bound(self) -> float:
        """The factor by which one cycle shrinks any error in the spectrum at least."""
        if self.mu == self.L:
            return 0.0
        return 1 / math.cosh(self.steps * math.acosh((self.L + self.mu) / (self.L - self.mu)))


@dataclass(frozen=True)
class InverseEigenvalue(_Cycle):
    """`1 / eigenvalue`, one eigenvalue after the other; `lr` is ignored.

    On a quadratic each update removes the error along its eigenvalue's eigenvectors, so plain
    gradient descent is done, up to rounding, after as many updates as there are distinct
    eigenvalues; they are taken in `stable_order`. D. Young, On Richardson's method for solving
    linear systems with positive definite matrices, 1953.

    Args:
        eigenvalues: each > 0, in any order; one that is given twice counts once.
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
        """The inverses of the distinct eigenvalues, in a stable order."""
        return tuple(1 / each for each in stable_order(sorted(set(self.eigenvalues))))


SCHEDULES: dict[str, type[Schedule]] = {
    cls.name: cls
    for cls in (Constant, InverseTime, Cosine, StepDecay, Warmup, Chebyshev, InverseEigenvalue)
}


def build_schedule(given: Mapping[str, object]) -> Schedule:
    """The schedule that a mapping describes: `{"name": "cosine", "steps": 100}`.

    Raises:
        BadInput: a name or key that does not exist (the nearest is offered), or a value that
            the schedule refuses, by its key under `schedule`.
    """
    return config.choose("schedule", SCHEDULES, given)


def stable_order(points: Sequence[float]) -> list[float]:
    """Points > 0 in the order in which rates 1/point keep an iteration stable.

    Leja's order: the largest point first, then always the one whose product of distances to
    those already taken is largest, the larger of two equals. It keeps both the errors in
    between and the rounding errors small, for any number of points (B. Fischer, L. Reichel, A
    stable Richardson iteration method for complex linear systems, Numerische Mathematik 54,
    1988); Lebedev and Finogenov's order does so for powers of two.
    """
    rest: npt.NDArray[np.float64] = np.array(sorted(points, reverse=True), dtype=np.float64)
    logs = np.zeros_like(rest)
    ordered: list[float] = []
    while rest.size:
        # Symmetric points tie up to rounding, which must not decide: it differs by machine.
        chosen = int(np.flatnonzero(logs >= logs.max() - _TIE)[0])
        point = rest[chosen]
        ordered.append(float(point))
        rest, logs = np.delete(rest, chosen), np.delete(logs, chosen)
        with np.errstate(divide="ignore"):
            logs += np.log(np.abs(rest - point))
    return ordered


def _share(key: str, value: object) -> float:
    result = validation.non_negative(key, value)
    if result > 1:
        raise BadInput(key, value, "must be from 0 to 1")
    return result


def _put(schedule: Schedule, key: str, value: object) -> None:
    """Store a checked value in a frozen schedule."""
    object.__setattr__(schedule, key, value)
