"""The minimum along a line, by trials that halve a bracket: a search of losses and slopes.

J. Nocedal, S. J. Wright, Numerical Optimization, 2006, algorithms 3.5 and 3.6, with secants of
the slope for interpolation, and bisection where a secant has not halved the bracket.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import torch

from gdexp.optimizers.base import Coefficient, Search, State

MOST_TRIALS = 40
"""After so many trials of a search the best one is taken."""

WIDEST = 10.0
"""A trial is at most so many times further than the last, until a minimum is between two."""

Turn = Callable[[torch.Tensor, torch.Tensor, torch.Tensor], torch.Tensor]
"""From the new gradient, the one at the last iterate and the last direction to the next one."""


class Line(NamedTuple):
    """The state of a search: tensors of shape (), but for the first three.

    Attributes:
        base: the iterate that it began at.
        direction: of the search.
        gradient: at the base.
        loss: at the base.
        slope: at the base, along the direction; negative.
        low: the best t so far; the minimum is between it and `high`.
        low_loss: its loss.
        low_slope: its slope.
        high: the other end; infinite while there is none.
        high_slope: its slope; infinite where it is not to be used.
        width: of the bracket before; infinite at first.
        t: of the trial.
        trials: made so far.
    """

    base: torch.Tensor
    direction: torch.Tensor
    gradient: torch.Tensor
    loss: torch.Tensor
    slope: torch.Tensor
    low: torch.Tensor
    low_loss: torch.Tensor
    low_slope: torch.Tensor
    high: torch.Tensor
    high_slope: torch.Tensor
    width: torch.Tensor
    t: torch.Tensor
    trials: torch.Tensor


def search_line(
    x: torch.Tensor,
    loss: torch.Tensor,
    gradient: torch.Tensor,
    state: State,
    first: Coefficient,
    decrease: Coefficient,
    flatness: Coefficient,
    turn: Turn,
) -> Search:
    """Return the next point, the state, and whether x is an iterate.

    It is one where `loss <= loss_0 + decrease * t * slope_0` and `|slope| <= flatness * |slope_0|`,
    the strong Wolfe conditions. A negative decrease stands for no condition on the loss.

    Args:
        x: the point that was evaluated.
        loss: at x.
        gradient: at x.
        state: a `Line`; () at the start.
        first: the first t of the first search; later ones begin with the last t times the ratio of
            the slopes.
        decrease: the share of the linear decrease that is asked for.
        flatness: the share of the slope that may be left.
        turn: the next direction.
    """
    nothing = torch.zeros_like(loss)
    if not state:
        line = _begun(x, loss, gradient, -gradient, nothing + first)
        return x + line.t * line.direction, line, None
    line = Line(*state)
    slope = (gradient * line.direction).sum()
    by_loss = nothing + decrease >= 0
    fell = (loss <= line.loss + decrease * line.t * line.slope) | ~by_loss
    better = (loss < line.low_loss) | (line.low == 0) | ~by_loss
    finite = (loss - loss == 0) & (slope - slope == 0)
    good = fell & better & finite
    flat = slope.abs() <= flatness * line.slope.abs()
    accepted = (good & flat) | (line.trials >= MOST_TRIALS)
    begun = _begun(x, loss, gradient, turn(gradient, line.gradient, line.direction), nothing)
    ratio = line.slope / torch.where(begun.slope < 0, begun.slope, nothing - 1)
    usable = (begun.slope < 0) & (ratio > 0) & (line.t > 0)
    widest = nothing + WIDEST
    ratio = torch.where(usable, torch.where(ratio < widest, ratio, widest), nothing + 1)
    again = torch.where(line.t > 0, line.t * ratio, nothing + first)
    begun = begun._replace(t=again)
    tried = _narrowed(line, loss, slope, good, finite)
    line = Line(*(torch.where(accepted, a, b) for a, b in zip(begun, tried, strict=True)))
    return line.base + line.t * line.direction, line, accepted


def _begun(
    x: torch.Tensor,
    loss: torch.Tensor,
    gradient: torch.Tensor,
    direction: torch.Tensor,
    t: torch.Tensor,
) -> Line:
    """Return the state of a search that begins at x; steepest descent if nothing else descends."""
    slope = (gradient * direction).sum()
    direction = torch.where(slope < 0, direction, -gradient)
    slope = (gradient * direction).sum()
    zero = torch.zeros_like(loss)
    infinite = zero + float("inf")
    return Line(
        x,
        direction,
        gradient,
        loss,
        slope,
        zero,
        loss,
        slope,
        infinite,
        infinite,
        infinite,
        t,
        zero,
    )


def _narrowed(
    line: Line,
    loss: torch.Tensor,
    slope: torch.Tensor,
    good: torch.Tensor,
    finite: torch.Tensor,
) -> Line:
    """Return the search after a trial that was rejected: the bracket, and the next trial."""
    nothing = torch.zeros_like(loss)
    infinite = nothing + float("inf")
    # The minimum is behind the trial where the slope leads back to the last one.
    upward = line.low < line.high
    behind = upward & (slope >= 0) | ~upward & (slope <= 0)
    high = torch.where(good, torch.where(behind, line.low, line.high), line.t)
    own = torch.where(finite, slope, infinite)
    high_slope = torch.where(good, torch.where(behind, line.low_slope, line.high_slope), own)
    low = torch.where(good, line.t, line.low)
    low_loss = torch.where(good, loss, line.low_loss)
    low_slope = torch.where(good, slope, line.low_slope)
    open_end = high - high != 0

    rise = torch.where(open_end, slope - line.low_slope, high_slope - low_slope)
    run = torch.where(open_end, line.t - line.low, high - low)
    secant = low - low_slope * (run / torch.where(rise != 0, rise, nothing + 1))
    furthest = line.t + (WIDEST - 1) * (line.t - line.low)
    ahead = (secant > line.t) & (secant < furthest) & (rise > 0)
    further = torch.where(ahead, secant, furthest)

    width = (high - low).abs()
    middle = low + (high - low) / 2
    inside = ((secant - low) * (secant - high) < 0) & (high_slope - high_slope == 0)
    halved = (width <= line.width / 2) | (line.width - line.width != 0)
    inner = torch.where(inside & halved & (rise != 0), secant, middle)
    t = torch.where(open_end, further, inner)
    trials = line.trials + 1
    t = torch.where(trials >= MOST_TRIALS, low, t)
    return line._replace(
        low=low,
        low_loss=low_loss,
        low_slope=low_slope,
        high=high,
        high_slope=high_slope,
        width=torch.where(open_end, infinite, width),
        t=t,
        trials=trials,
    )
