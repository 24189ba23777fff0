"""Whether autograd's gradient is the slope of the loss, measured by differences."""

from __future__ import annotations

import math

import torch

from gdexp.problems.base import Problem

STEP = 7e-4
"""About the fifth root of a double's precision: where a fourth-order difference errs least."""

VISIBLE = 1e-6
"""A slope below this share of the loss drowns in the rounding of the loss itself."""


def gradient_error(problem: Problem, x: torch.Tensor, coordinates: int = 256) -> float:
    """The largest relative difference between autograd and central differences, in float64.

    Differences over h and h/2 are combined so that their error is of order h⁴ (L. F.
    Richardson, 1911). They are compared relative to the largest entry of the gradient, or to a
    millionth of the loss when the whole gradient is smaller than that. A right gradient of a
    smooth loss comes out below 1e-6; kinks make it larger.

    Args:
        problem: its loss is evaluated in float64 on the CPU, whatever its own dtype.
        x: where; of the problem's shape.
        coordinates: of a larger x, this many evenly spaced ones are compared.

    Returns:
        The difference, >= 0; infinite when the loss or the gradient is not finite.
    """
    moved = problem.to(torch.float64, torch.device("cpu"))
    point = x.detach().to("cpu", torch.float64, copy=True).requires_grad_()
    with torch.enable_grad():
        loss = moved.loss(point)
        (gradient,) = torch.autograd.grad(loss, (point,))
    flat = point.detach().flatten()
    n = flat.numel()
    count = min(n, coordinates)
    chosen = [i * n // count for i in range(count)]
    slopes = flat.new_tensor([_slope(moved, flat, i, point.shape) for i in chosen])
    known = gradient.flatten()[chosen]
    scale = max(
        float(known.abs().max()), float(slopes.abs().max()), VISIBLE * abs(float(loss.detach()))
    )
    worst = float((known - slopes).abs().max())
    if not (math.isfinite(worst) and math.isfinite(scale)):
        return math.inf
    return worst / scale if worst > 0 else 0.0


def _slope(problem: Problem, flat: torch.Tensor, i: int, shape: torch.Size) -> float:
    def central(h: float) -> float:
        ahead, behind = flat.clone(), flat.clone()
        ahead[i] += h
        behind[i] -= h
        width = float(ahead[i] - behind[i])  # what adding h really added
        rise = problem.loss(ahead.view(shape)) - problem.loss(behind.view(shape))
        return float(rise) / width

    h = STEP * max(1.0, abs(float(flat[i])))
    with torch.no_grad():
        return (4 * central(h / 2) - central(h)) / 3
