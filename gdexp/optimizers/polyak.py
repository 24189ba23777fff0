"""Polyak's step: the rate from the gap of the loss, known or estimated."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any, Self

import torch

from gdexp.core import BadInput, validation
from gdexp.optimizers.base import CONSTANT, Coefficient, Search, SearchingRule, State
from gdexp.optimizers.mathematics import Iteration
from gdexp.optimizers.schedules import Schedule

if TYPE_CHECKING:
    from gdexp.problems import Problem


@dataclass(frozen=True)
class Polyak(SearchingRule):
    """`x = x - lr * (loss - f*) / |gradient|² * gradient`, with f* known.

    B. T. Polyak, Minimization of unsmooth functionals, USSR Computational Mathematics and
    Mathematical Physics 9, 1969. On convex functions each step with lr in (0, 2) comes nearer to
    every minimiser, in exact arithmetic, whatever the smoothness.

    Args:
        lr: the share of the step, > 0; 1 in the paper.
        f_star: f*; None: of the problem, which must declare it.
        schedule: of lr; constant by default.
    """

    name = "polyak"
    in_blocks = True
    rejects = False
    lr: float = 1.0
    f_star: float | None = None
    schedule: Schedule = field(default=CONSTANT, kw_only=True)

    def __post_init__(self) -> None:
        self._check(lr=validation.positive)
        if self.f_star is not None:
            object.__setattr__(self, "f_star", validation.number("f_star", self.f_star))

    def for_problem(self, problem: Problem) -> Self:
        """Return the rule with the f* of a problem, where it was not given.

        Raises:
            BadInput: the problem does not declare it.
        """
        if self.f_star is not None:
            return self
        if problem.f_star is None:
            wanted = f"{problem.name} declares no f*: give a number, or take optimizer=polyak_level"
            raise BadInput("f_star", None, wanted)
        return replace(self, f_star=float(problem.f_star))

    def coefficients(self, iteration: Iteration) -> tuple[Any, ...]:
        """Return lr and f*.

        Raises:
            BadInput: f* is not known.
        """
        if self.f_star is None:
            raise BadInput("f_star", None, "must be a number where no problem declares it")
        return self.schedule.rate(self.lr, iteration), self.f_star

    @staticmethod
    def search(
        x: torch.Tensor,
        loss: torch.Tensor,
        gradient: torch.Tensor,
        state: State,
        *coefficients: Coefficient,
    ) -> Search:
        """Return the next point; there is no state, and every point is an iterate."""
        lr, f_star = coefficients
        return x - lr * polyak_step(loss - f_star, gradient) * gradient, (), None


@dataclass(frozen=True)
class PolyakLevel(SearchingRule):
    """Polyak's step to a level that is estimated, where f* is unknown.

    The level is δ below a record. Where the loss is within δ / 2 of the level, the best loss
    becomes the record; where the path since the last record is longer than `path`, it does too,
    and δ is halved. J.-L. Goffin, K. C. Kiwiel, Convergence of a simple subgradient level
    algorithm, Mathematical Programming 85, 1999, after U. Brännlund, 1993. On convex functions the
    least loss tends to f* for any δ and path, in exact arithmetic.

    Args:
        lr: the share of the step, > 0; 1 in the paper.
        gap: the first δ, > 0: a guess at loss − f* at the start.
        path: a length, > 0: a guess at |x0 − x*|.
        schedule: of lr; constant by default.
    """

    name = "polyak_level"
    in_blocks = True
    rejects = False
    lr: float = 1.0
    gap: float = 1.0
    path: float = 1.0
    schedule: Schedule = field(default=CONSTANT, kw_only=True)

    def __post_init__(self) -> None:
        self._check(lr=validation.positive, gap=validation.positive, path=validation.positive)

    def coefficients(self, iteration: Iteration) -> tuple[Any, ...]:
        """Return lr, the first δ and the path."""
        return self.schedule.rate(self.lr, iteration), self.gap, self.path

    @staticmethod
    def search(
        x: torch.Tensor,
        loss: torch.Tensor,
        gradient: torch.Tensor,
        state: State,
        *coefficients: Coefficient,
    ) -> Search:
        """Return the next point; every point is an iterate.

        The state: the best loss, the record, δ and the path since the record.
        """
        lr, gap, longest = coefficients
        zero = torch.zeros_like(loss)
        if state:
            best, record, delta, path = state
            best = torch.where(loss < best, loss, best)
            fell = loss <= record - delta / (zero + 2)
            late = ~fell & (path > longest)
            record = torch.where(fell | late, best, record)
            delta = torch.where(late, delta / (zero + 2), delta)
            path = torch.where(fell | late, zero, path)
        else:
            best, record, delta, path = loss, loss, zero + gap, zero
        step = lr * polyak_step(loss - (record - delta), gradient)
        path = path + step * torch.sqrt((gradient * gradient).sum())
        return x - step * gradient, (best, record, delta, path), None


def polyak_step(gap: torch.Tensor, gradient: torch.Tensor) -> torch.Tensor:
    """Return `gap / |gradient|²`; 0 where the gap or the gradient is 0, or rounding hides them."""
    square = (gradient * gradient).sum()
    usable = (square > 0) & (gap > 0)
    nothing = torch.zeros_like(gap)
    return torch.where(usable, gap / torch.where(usable, square, nothing + 1), nothing)
