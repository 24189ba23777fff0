"""Rates from the last two gradients: Barzilai and Borwein's, and adaptive gradient descent."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import torch

from gdexp.core import BadInput, validation
from gdexp.optimizers.base import CONSTANT, Coefficient, Search, SearchingRule, State
from gdexp.optimizers.mathematics import Iteration, choose
from gdexp.optimizers.schedules import Schedule

STEPS = ("long", "short", "alternating")

VERSIONS = (2020, 2024)


@dataclass(frozen=True)
class BarzilaiBorwein(SearchingRule):
    """`x = x - t * gradient` with t from s = x − x_before and y = g − g_before.

    The long step is `s·s / s·y`, the short one `s·y / y·y`; `alternating` takes the long one
    first. J. Barzilai, J. M. Borwein, Two-point step size gradient methods, IMA Journal of
    Numerical Analysis 8, 1988; Y.-H. Dai, R. Fletcher, 2005, for the alternation. The safeguard:
    where s·y is not positive the last t is taken again, and t stays in [shortest, longest]
    (M. Raydan, 1997). It converges on strictly convex quadratics, in exact arithmetic; elsewhere
    it may diverge. The loss need not fall.

    Args:
        lr: the first t, > 0.
        step: long, short or alternating.
        shortest: the smallest t, > 0.
        longest: the largest t, at least the smallest.
        schedule: of lr; constant by default.
    """

    name = "barzilai_borwein"
    in_blocks = True
    rejects = False
    lr: float = 1.0
    step: str = "long"
    shortest: float = 1e-10
    longest: float = 1e10
    schedule: Schedule = field(default=CONSTANT, kw_only=True)

    def __post_init__(self) -> None:
        self._check(
            lr=validation.positive, shortest=validation.positive, longest=validation.positive
        )
        validation.choice("step", self.step, STEPS)
        if self.longest < self.shortest:
            raise BadInput("longest", self.longest, f"must be at least shortest={self.shortest:g}")

    def coefficients(self, iteration: Iteration) -> tuple[Any, ...]:
        """Return lr, whether the first step is short, whether they alternate, and the limits."""
        first, alternates = float(self.step == "short"), float(self.step == "alternating")
        rate = self.schedule.rate(self.lr, iteration)
        return rate, first, alternates, self.shortest, self.longest

    @staticmethod
    def search(
        x: torch.Tensor,
        loss: torch.Tensor,
        gradient: torch.Tensor,
        state: State,
        *coefficients: Coefficient,
    ) -> Search:
        """Return the next point; every point is an iterate.

        The state: x, its gradient, t, and 1 where the next step is short, else 0.
        """
        rate, short_first, alternates, shortest, longest = coefficients
        one = torch.zeros_like(loss) + 1
        if not state:
            return x - rate * gradient, (x, gradient, one * rate, one * short_first), None
        before, gradient_before, t, short = state
        s, y = x - before, gradient - gradient_before
        ss, sy, yy = (s * s).sum(), (s * y).sum(), (y * y).sum()
        curved = (sy > 0) & (yy > 0)
        long_step, short_step = ss / torch.where(curved, sy, one), sy / torch.where(curved, yy, one)
        t = torch.where(curved, torch.where(short > 0, short_step, long_step), t)
        t = torch.where(t < shortest, one * shortest, t)
        t = torch.where(t > longest, one * longest, t)
        short = (short - alternates) * (short - alternates)
        return x - t * gradient, (x, gradient, t, short), None


@dataclass(frozen=True)
class AdGD(SearchingRule):
    """Adaptive gradient descent: the rate from the local curvature, which it never overestimates.

    With L_k = |g − g_before| / |x − x_before|, the last rate λ and θ, the ratio of the last two:

    - 2020: the smaller of `√(1 + θ) λ` and `1 / (2 L_k)`. Y. Malitsky, K. Mishchenko, Adaptive
      gradient descent without descent, ICML 2020. The first θ is infinite there, 1e30 here.
    - 2024: the smaller of `√(2/3 + θ) λ` and `λ / √(2 λ² L_k² - 1)`, without the second where the
      root is of a negative number; the first θ is 1/3. Y. Malitsky, K. Mishchenko, Adaptive
      proximal gradient method for convex optimization, NeurIPS 2024, algorithm 2.

    It converges on convex functions whose gradient is locally Lipschitz, in exact arithmetic.

    Args:
        lr: the first rate, > 0; small, such as 1e-7 in the first paper.
        version: 2020 or 2024.
        schedule: of lr; constant by default.
    """

    name = "adgd"
    in_blocks = True
    rejects = False
    lr: float = 1e-3
    version: int = 2024
    schedule: Schedule = field(default=CONSTANT, kw_only=True)

    def __post_init__(self) -> None:
        self._check(lr=validation.positive)
        if validation.integer("version", self.version) not in VERSIONS:
            raise BadInput("version", self.version, "must be 2020 or 2024")

    def coefficients(self, iteration: Iteration) -> tuple[Any, ...]:
        """Return lr, the first θ, what is added to θ, and 1 where the version is that of 2020."""
        rate, early = self.schedule.rate(self.lr, iteration), self.version == VERSIONS[0]
        return rate, choose(early, 1e30, 1 / 3), choose(early, 1.0, 2 / 3), choose(early, 1.0, 0.0)

    @staticmethod
    def search(
        x: torch.Tensor,
        loss: torch.Tensor,
        gradient: torch.Tensor,
        state: State,
        *coefficients: Coefficient,
    ) -> Search:
        """Return the next point; every point is an iterate.

        The state: x, its gradient, the rate and θ.
        """
        rate, first_theta, added, early = coefficients
        one = torch.zeros_like(loss) + 1
        if not state:
            return x - rate * gradient, (x, gradient, one * rate, one * first_theta), None
        before, gradient_before, last, theta = state
        s, y = x - before, gradient - gradient_before
        ss, yy = (s * s).sum(), (y * y).sum()
        growth = torch.sqrt(theta + added) * last
        curved, moved = yy > 0, ss > 0
        half = torch.sqrt(ss / torch.where(curved, yy, one)) / (one + one)
        square = last * last * (yy / torch.where(moved, ss, one))
        under = square + square - 1
        limited = moved & (under > 0)
        later = last / torch.sqrt(torch.where(limited, under, one))
        first = one * early > 0
        local, bounded = torch.where(first, half, later), first & curved | ~first & limited
        step = torch.where(bounded & (local < growth), local, growth)
        return x - step * gradient, (x, gradient, step, step / last), None
