"""Rules that search along a line: exact and strong Wolfe line searches, conjugate gradients."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import torch

from gdexp.core import BadInput, validation
from gdexp.optimizers.base import CONSTANT, Coefficient, Search, SearchingRule, State
from gdexp.optimizers.line_minimum import search_line
from gdexp.optimizers.line_search import share
from gdexp.optimizers.mathematics import Iteration
from gdexp.optimizers.schedules import Schedule

FORMULAS = ("polak_ribiere", "fletcher_reeves")


@dataclass(frozen=True)
class ExactLineSearch(SearchingRule):
    """`x = x - t * gradient` with the t of the first minimum along the line: steepest descent.

    A.-L. Cauchy, 1847. The slope at the minimum is at most `tolerance` times that at x. Every
    trial is an evaluation of loss and gradient; on a quadratic the second trial is the minimum, up
    to rounding. On quadratics, in exact arithmetic, each update multiplies the gap by at most
    ((κ − 1) / (κ + 1))². After 40 trials the best one is taken.

    Args:
        lr: the first trial of the first search, > 0.
        tolerance: above 0 and below 1.
        schedule: of lr; constant by default.
    """

    name = "exact_line_search"
    in_blocks = True
    lr: float = 1.0
    tolerance: float = 1e-5
    schedule: Schedule = field(default=CONSTANT, kw_only=True)

    def __post_init__(self) -> None:
        self._check(lr=validation.positive, tolerance=share)

    def coefficients(self, iteration: Iteration) -> tuple[Any, ...]:
        """Return lr and the tolerance."""
        return self.schedule.rate(self.lr, iteration), self.tolerance

    @staticmethod
    def search(
        x: torch.Tensor,
        loss: torch.Tensor,
        gradient: torch.Tensor,
        state: State,
        *coefficients: Coefficient,
    ) -> Search:
        """Return the next point, the state of the line search, and whether x is an iterate."""
        rate, tolerance = coefficients
        return search_line(x, loss, gradient, state, rate, -1.0, tolerance, steepest)


@dataclass(frozen=True)
class Wolfe(SearchingRule):
    """`x = x - t * gradient` with a t that satisfies the strong Wolfe conditions.

    `loss(x - t g) <= loss(x) - decrease * t * |g|²` and `|slope(t)| <= curvature * |g|²`.
    P. Wolfe, Convergence conditions for ascent methods, SIAM Review 11, 1969. Every trial is an
    evaluation of loss and gradient. After 40 trials the best one is taken.

    Args:
        lr: the first trial of the first search, > 0.
        decrease: above 0 and below `curvature`.
        curvature: below 1.
        schedule: of lr; constant by default.
    """

    name = "wolfe"
    in_blocks = True
    lr: float = 1.0
    decrease: float = 1e-4
    curvature: float = 0.9
    schedule: Schedule = field(default=CONSTANT, kw_only=True)

    def __post_init__(self) -> None:
        self._check(lr=validation.positive, decrease=share, curvature=share)
        check_wolfe(self.decrease, self.curvature)

    def coefficients(self, iteration: Iteration) -> tuple[Any, ...]:
        """Return lr, and the constants of both conditions."""
        return self.schedule.rate(self.lr, iteration), self.decrease, self.curvature

    @staticmethod
    def search(
        x: torch.Tensor,
        loss: torch.Tensor,
        gradient: torch.Tensor,
        state: State,
        *coefficients: Coefficient,
    ) -> Search:
        """Return the next point, the state of the line search, and whether x is an iterate."""
        rate, decrease, curvature = coefficients
        return search_line(x, loss, gradient, state, rate, decrease, curvature, steepest)


@dataclass(frozen=True)
class ConjugateGradients(SearchingRule):
    """Nonlinear conjugate gradients: `d = -gradient + β d`, with strong Wolfe line searches.

    Fletcher–Reeves: β = |g|² / |g_before|² (R. Fletcher, C. M. Reeves, Function minimization by
    conjugate gradients, The Computer Journal 7, 1964). Polak–Ribière+:
    β = max(0, g·(g − g_before) / |g_before|²) (E. Polak, G. Ribière, 1969; M. J. D. Powell, 1984).
    A d that does not descend is replaced by −gradient. On a quadratic with exact line searches
    both are the linear method of M. R. Hestenes, E. Stiefel, 1952, whose gap after N updates is
    the least of all methods whose steps combine the gradients, in exact arithmetic.

    Args:
        lr: the first trial of the first search, > 0.
        formula: polak_ribiere or fletcher_reeves.
        decrease: of the Wolfe conditions; above 0 and below `curvature`.
        curvature: of the Wolfe conditions; below 1/2, with which Fletcher–Reeves always descends
            (M. Al-Baali, 1985).
        schedule: of lr; constant by default.
    """

    name = "conjugate_gradients"
    in_blocks = True
    lr: float = 1.0
    formula: str = "polak_ribiere"
    decrease: float = 1e-4
    curvature: float = 0.1
    schedule: Schedule = field(default=CONSTANT, kw_only=True)

    def __post_init__(self) -> None:
        self._check(lr=validation.positive, decrease=share, curvature=share)
        validation.choice("formula", self.formula, FORMULAS)
        check_wolfe(self.decrease, self.curvature)
        if self.curvature >= 0.5:
            raise BadInput("curvature", self.curvature, "must be below 0.5")

    def coefficients(self, iteration: Iteration) -> tuple[Any, ...]:
        """Return lr, the constants of both conditions, and whether the formula is the first."""
        rate, first = self.schedule.rate(self.lr, iteration), self.formula == FORMULAS[0]
        return rate, self.decrease, self.curvature, first

    @staticmethod
    def search(
        x: torch.Tensor,
        loss: torch.Tensor,
        gradient: torch.Tensor,
        state: State,
        *coefficients: Coefficient,
    ) -> Search:
        """Return the next point, the state of the line search, and whether x is an iterate."""
        rate, decrease, curvature, first = coefficients
        turn = polak_ribiere if first else fletcher_reeves
        return search_line(x, loss, gradient, state, rate, decrease, curvature, turn)


def steepest(gradient: torch.Tensor, before: torch.Tensor, direction: torch.Tensor) -> torch.Tensor:
    """Return minus the gradient."""
    return -gradient


def fletcher_reeves(
    gradient: torch.Tensor, before: torch.Tensor, direction: torch.Tensor
) -> torch.Tensor:
    """Return `-g + |g|² / |g_before|² d`."""
    return conjugate(gradient, (gradient * gradient).sum(), before, direction)


def polak_ribiere(
    gradient: torch.Tensor, before: torch.Tensor, direction: torch.Tensor
) -> torch.Tensor:
    """Return `-g + max(0, g·(g - g_before) / |g_before|²) d`."""
    product = (gradient * (gradient - before)).sum()
    product = torch.where(product > 0, product, torch.zeros_like(product))
    return conjugate(gradient, product, before, direction)


def conjugate(
    gradient: torch.Tensor, product: torch.Tensor, before: torch.Tensor, direction: torch.Tensor
) -> torch.Tensor:
    """Return `-g + product / |g_before|² d`; without d where the gradient before was 0."""
    square = (before * before).sum()
    beta = product / torch.where(square > 0, square, torch.zeros_like(square) + 1)
    return beta * direction - gradient


def check_wolfe(decrease: float, curvature: float) -> None:
    """Refuse constants with which no point may satisfy both conditions.

    Raises:
        BadInput: the first is not below the second.
    """
    if decrease >= curvature:
        raise BadInput("decrease", decrease, f"must be below curvature={curvature:g}")
