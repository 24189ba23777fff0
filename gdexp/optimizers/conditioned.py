"""Methods for functions whose condition number κ = L / mu is known; lr stands for 1 / L."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from functools import lru_cache
from typing import TYPE_CHECKING, Any, Self

import numpy as np
import numpy.typing as npt
import torch

from gdexp.core import BadInput, validation
from gdexp.optimizers.base import CONSTANT, Coefficient, State, UpdateRule
from gdexp.optimizers.mathematics import Iteration, at, root
from gdexp.optimizers.schedules import Schedule

if TYPE_CHECKING:
    from gdexp.problems import Problem

LONGEST = 1 << 20
"""Updates after which the numbers of the Chebyshev semi-iteration stay as they are."""


@dataclass(frozen=True)
class Conditioned(UpdateRule):
    """A rule with the field `condition`, which None leaves to the problem."""

    lr: float = 1.0
    condition: float | None = None
    schedule: Schedule = field(default=CONSTANT, kw_only=True)

    def __post_init__(self) -> None:
        self._check(lr=validation.positive)
        if self.condition is not None:
            number = validation.number("condition", self.condition)
            if number < 1:
                raise BadInput("condition", self.condition, "must be >= 1: it is L / mu")
            object.__setattr__(self, "condition", number)

    def for_problem(self, problem: Problem) -> Self:
        """Return the rule with the condition number of a problem, where it was not given.

        Raises:
            BadInput: the problem does not declare its curvature, or mu is 0.
        """
        if self.condition is not None:
            return self
        known = problem.curvature
        if known is None or not known[0] > 0:
            raise BadInput("condition", None, f"{problem.name} declares no L / mu: give a number")
        return replace(self, condition=max(1.0, known[1] / known[0]))

    @property
    def known(self) -> Any:  # noqa: ANN401
        """The condition number: a number, or an array of several rules.

        Raises:
            BadInput: it is not known.
        """
        if self.condition is None:
            raise BadInput("condition", None, "must be a number where no problem declares L / mu")
        return self.condition


@dataclass(frozen=True)
class TripleMomentum(Conditioned):
    """The triple momentum method: the fastest known rate on strongly convex functions.

    With ρ = 1 − 1 / √κ: `ξ' = ξ + β (ξ - ξ_before) - (1 + ρ) lr * gradient(x)` and
    `x = ξ' + γ (ξ' - ξ)`, with β = ρ² / (2 − ρ), γ = ρ² / ((1 + ρ)(2 − ρ)). B. Van Scoy,
    R. A. Freeman, K. M. Lynch, The fastest known globally convergent first-order method for
    minimizing strongly convex functions, IEEE Control Systems Letters 2, 2018.

    With lr = 1 / L and κ = L / mu, for mu-strongly convex functions with an L-Lipschitz gradient,
    in exact arithmetic, |x - x*| falls as ρ^k: gd needs κ / √κ times as many updates.

    Args:
        lr: learning rate, > 0; 1 / L in the proof.
        condition: κ, >= 1; None: of the problem, which must declare its curvature.
        schedule: of the learning rate; constant by default.
    """

    name = "triple_momentum"
    in_blocks = True

    def coefficients(self, iteration: Iteration) -> tuple[Any, ...]:
        """Return (1 + ρ) lr, β and γ."""
        rho = 1 - 1 / root(self.known)
        square = rho * rho
        rate = (1 + rho) * self.schedule.rate(self.lr, iteration)
        return rate, square / (2 - rho), square / ((1 + rho) * (2 - rho))

    @staticmethod
    def update(
        x: torch.Tensor, gradient: torch.Tensor, state: State, *coefficients: Coefficient
    ) -> tuple[torch.Tensor, State]:
        """Return the next x, and the last two ξ; at the start both are x."""
        alpha, beta, gamma = coefficients
        here, before = state or (x, x)
        following = here + beta * (here - before) - alpha * gradient
        return following + gamma * (following - here), (following, here)


@dataclass(frozen=True)
class ChebyshevSemiIteration(Conditioned):
    """`v = gradient + β_k v; x = x - α_k v`: the least worst case on quadratics, at every update.

    α and β make the residual the Chebyshev polynomial of the interval [mu, L]: with
    d = (L + mu) / 2 and c = (L − mu) / 2, `α_1 = 1 / d`, `β_2 = (c / d)² / 2`, later
    `β_k = (c α_(k-1) / 2)²`, and `α_k = 1 / (d - β_k / α_(k-1))`. They tend to Polyak's heavy ball.
    G. H. Golub, R. S. Varga, Chebyshev semi-iterative methods, successive overrelaxation iterative
    methods, and second order Richardson iterative methods, Numerische Mathematik 3, 1961. The
    schedule `chebyshev` has the same last point for its own number of steps, but large losses
    between.

    With lr = 1 / L, on quadratics with spectrum in [mu, L], in exact arithmetic, the gap after N
    updates is at most (f(x0) − f*) / T_N((κ+1)/(κ−1))².

    Args:
        lr: learning rate, > 0; 1 / L in the proof.
        condition: κ, >= 1; None: of the problem, which must declare its curvature.
        schedule: of the learning rate; constant by default.
    """

    name = "chebyshev_semi_iteration"
    in_blocks = True

    def coefficients(self, iteration: Iteration) -> tuple[Any, ...]:
        """Return α and β of an update."""
        alpha, beta = _chebyshev(self.known)
        place = np.minimum(iteration, len(alpha)) - 1
        return self.schedule.rate(self.lr, iteration) * at(alpha, place), at(beta, place)

    def constant_from(self, iteration: Iteration) -> bool:
        """Return whether α and β have come to their limits, in double precision."""
        settled: bool = iteration >= len(_chebyshev(self.known)[0])
        return settled & self.schedule.constant_from(iteration)

    @staticmethod
    def update(
        x: torch.Tensor, gradient: torch.Tensor, state: State, *coefficients: Coefficient
    ) -> tuple[torch.Tensor, State]:
        """Return the next x and v."""
        alpha, beta = coefficients
        velocity = gradient + beta * state[0] if state else gradient
        return x - alpha * velocity, (velocity,)


@lru_cache(maxsize=64)
def _chebyshev(condition: float) -> tuple[npt.NDArray[np.float64], npt.NDArray[np.float64]]:
    """Return α and β of L = 1 from the first update until they stay the same."""
    middle, radius = (1 + 1 / condition) / 2, (1 - 1 / condition) / 2
    alphas, betas = [1 / middle], [0.0]
    ratio = radius / middle
    beta = ratio * ratio / 2
    while len(alphas) < LONGEST:
        alpha = 1 / (middle - beta / alphas[-1])
        if alpha == alphas[-1] and beta == betas[-1]:
            break
        alphas.append(alpha)
        betas.append(beta)
        half = radius * alpha / 2
        beta = half * half
    return np.array(alphas), np.array(betas)
