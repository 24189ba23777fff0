"""Accelerated gradient methods whose momentum follows from a proof: no parameter but the rate.

All gradients are taken at x, whose loss is the trace. With lr = 1 / L the proofs hold.
"""

from __future__ import annotations

import math
from abc import abstractmethod
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Any

import numpy as np
import numpy.typing as npt
import torch

from gdexp.core import validation
from gdexp.optimizers.base import CONSTANT, Coefficient, State, UpdateRule
from gdexp.optimizers.mathematics import Iteration, at
from gdexp.optimizers.schedules import Schedule

Sequence = npt.NDArray[np.float64]


@lru_cache(maxsize=8)
def _grown(length: int) -> Sequence:
    sequence = np.empty(length)
    t = sequence[0] = 1.0
    for k in range(1, length):
        t = sequence[k] = (1 + math.sqrt(1 + 4 * t * t)) / 2
    return sequence


def nesterov_sequence(last: int) -> Sequence:
    """Return `t_0 = 1, t_(k+1) = (1 + √(1 + 4 t_k²)) / 2` up to t_last or further.

    Y. Nesterov, A method of solving a convex programming problem with convergence rate O(1/k²),
    Soviet Mathematics Doklady 27, 1983. It has the same bits everywhere.
    """
    return _grown(1 << (last + 1).bit_length())


def last_of(t: float) -> float:
    """Return `(1 + √(1 + 8 t²)) / 2`, the last number of a sequence with a horizon, after t."""
    return (1 + math.sqrt(1 + 8 * t * t)) / 2


def ogm_g_sequence(horizon: int) -> Sequence:
    """Return θ_0 … θ_N of OGM-G: Nesterov's sequence backwards, with a larger first number."""
    numbers = nesterov_sequence(horizon)[:horizon][::-1]
    return np.concatenate([[last_of(float(numbers[0]))], numbers])


@dataclass(frozen=True)
class Accelerated(UpdateRule):
    """`y' = x - lr * gradient; x = y' + β (y' - y) + γ (y' - x)`, with y = x at the start.

    β and γ belong to the update's number. β is 0 at the first one.
    """

    lr: float = 1.0
    schedule: Schedule = field(default=CONSTANT, kw_only=True)

    def __post_init__(self) -> None:
        self._check(lr=validation.positive)

    @abstractmethod
    def momenta(self, iteration: Iteration) -> tuple[Any, Any]:
        """Return β and γ of an update, numbers or arrays of its shape."""

    def coefficients(self, iteration: Iteration) -> tuple[Any, ...]:
        """Return the learning rate, β and γ."""
        return (self.schedule.rate(self.lr, iteration), *self.momenta(iteration))

    def constant_from(self, iteration: Iteration) -> bool:
        """Return False: the momentum always changes."""
        return False

    @staticmethod
    def update(
        x: torch.Tensor, gradient: torch.Tensor, state: State, *coefficients: Coefficient
    ) -> tuple[torch.Tensor, State]:
        """Return the next x, and y."""
        lr, beta, gamma = coefficients
        step = lr * gradient
        y = x - step
        following = y - gamma * step
        if state:
            following = following + beta * (y - state[0])
        return following, (y,)


@dataclass(frozen=True)
class FastGradient(Accelerated):
    """Gradient descent with Nesterov's momentum of 1983, the fast gradient method.

    `y' = x - lr * g; x = y' + (t_(k-1) - 1) / t_k (y' - y)` at update k, with
    `t_0 = 1, t_k = (1 + √(1 + 4 t_(k-1)²)) / 2`. Y. Nesterov, A method of solving a convex
    programming problem with convergence rate O(1/k²), 1983.

    With lr = 1 / L, for convex functions with an L-Lipschitz gradient, in exact arithmetic,
    y after N updates has a gap of at most 2 L ‖x0 − x*‖² / (N + 1)² (A. Beck, M. Teboulle, 2009).

    Args:
        lr: learning rate, > 0.
        schedule: of the learning rate; constant by default.
    """

    name = "fast_gradient"
    in_blocks = True

    def momenta(self, iteration: Iteration) -> tuple[Any, Any]:
        """Return `(t_(k-1) - 1) / t_k` and 0."""
        t = nesterov_sequence(int(np.max(iteration)))
        before, after = at(t, iteration - 1), at(t, iteration)
        return (before - 1) / after, 0.0 * iteration


@dataclass(frozen=True)
class OptimizedGradient(Accelerated):
    """The optimized gradient method, OGM: the least worst case of the loss.

    `y' = x - lr * g; x = y' + (θ_(k-1) - 1) / θ_k (y' - y) + θ_(k-1) / θ_k (y' - x)` at update k,
    with the sequence of `FastGradient`; with a horizon N the last one is
    `θ_N = (1 + √(1 + 8 θ_(N-1)²)) / 2`. D. Kim, J. A. Fessler, Optimized first-order methods for
    smooth convex minimization, Mathematical Programming 159, 2016.

    With lr = 1 / L and horizon N, for convex functions with an L-Lipschitz gradient, in exact
    arithmetic, the gap after N updates is at most L ‖x0 − x*‖² / (2 θ_N²), and no first-order
    method has a smaller worst case if the dimension is large (Y. Drori, 2017).

    Args:
        lr: learning rate, > 0.
        horizon: N, the updates after which the loss counts, >= 1; then the method begins again
            from where it is. None: there is no last update.
        schedule: of the learning rate; constant by default.
    """

    name = "ogm"
    in_blocks = True
    horizon: int | None = None

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.horizon is not None:
            validation.integer("horizon", self.horizon, low=1, high=10**7)

    def momenta(self, iteration: Iteration) -> tuple[Any, Any]:
        """Return `(θ_(k-1) - 1) / θ_k` and `θ_(k-1) / θ_k`."""
        if self.horizon is None:
            t = nesterov_sequence(int(np.max(iteration)))
            before, after = at(t, iteration - 1), at(t, iteration)
            return (before - 1) / after, before / after
        beta, gamma = _ogm_momenta(self.horizon)
        place = (iteration - 1) % self.horizon
        return at(beta, place), at(gamma, place)


@dataclass(frozen=True)
class OptimizedGradientG(Accelerated):
    """OGM-G: the least worst case of the gradient after N updates, from the gap at the start.

    `y' = x - lr * g` and
    `x = y' + (θ_i - 1)(2 θ_(i+1) - 1) / (θ_i (2 θ_i - 1)) (y' - y) + (2 θ_(i+1) - 1) / (2 θ_i - 1)
    (y' - x)` at update i + 1 of N, with `θ_N = 1, θ_i = (1 + √(1 + 4 θ_(i+1)²)) / 2` and
    `θ_0 = (1 + √(1 + 8 θ_1²)) / 2`. D. Kim, J. A. Fessler, Optimizing the efficiency of first-order
    methods for decreasing the gradient of smooth convex functions, Journal of Optimization Theory
    and Applications 188, 2021.

    With lr = 1 / L, for convex functions with an L-Lipschitz gradient, in exact arithmetic,
    after N updates |gradient|² is at most 2 L (f(x0) − f*) / θ_0².

    Args:
        lr: learning rate, > 0.
        horizon: N, >= 1; then the method begins again from where it is.
        schedule: of the learning rate; constant by default.
    """

    name = "ogm_g"
    in_blocks = True
    horizon: int = 100

    def __post_init__(self) -> None:
        super().__post_init__()
        validation.integer("horizon", self.horizon, low=1, high=10**7)

    def momenta(self, iteration: Iteration) -> tuple[Any, Any]:
        """Return β and γ; at the first update y is x, and γ stands for both."""
        beta, gamma = _ogm_g_momenta(self.horizon)
        place = (iteration - 1) % self.horizon
        return at(beta, place), at(gamma, place)


@lru_cache(maxsize=64)
def _ogm_momenta(horizon: int) -> tuple[Sequence, Sequence]:
    t = nesterov_sequence(horizon)[: horizon + 1].copy()
    t[horizon] = last_of(float(t[horizon - 1]))
    return (t[:-1] - 1) / t[1:], t[:-1] / t[1:]


@lru_cache(maxsize=64)
def _ogm_g_momenta(horizon: int) -> tuple[Sequence, Sequence]:
    theta = ogm_g_sequence(horizon)
    here, after = theta[:-1], theta[1:]
    gamma = (2 * after - 1) / (2 * here - 1)
    beta = (here - 1) / here * gamma
    gamma[0] = beta[0] + gamma[0]
    beta[0] = 0.0
    return beta, gamma
