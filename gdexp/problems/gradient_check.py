"""A check of autograd's gradient by finite differences."""

from __future__ import annotations

import math

import torch

from gdexp.problems.base import Problem

STEP = 7e-4
"""About the fifth root of a double's precision, where a fourth-order difference is most exact."""

SMALLEST_SLOPE = 1e-6
"""A slope below this share of the loss is lost in the rounding of the loss."""


def gradient_error(problem: Problem, x: torch.Tensor, coordinates: int = 256) -> float:
    """Return the largest relative error of autograd against central differences, in float64.

    Differences over h and h/2 are combined so that their error is of order h⁴ (L. F.
    Richardson, 1911). The error is relative to the largest entry of the gradient, or to a
    millionth of the loss when that is larger. It is below 1e-6 for a correct gradient of a
    smooth loss; kinks make it larger.

    Args:
        problem: the problem; its loss is evaluated in float64 on the CPU.
        x: the point, of the problem's shape.
        coordinates: the most coordinates to compare, evenly spaced in x.

    Returns:
        The error, >= 0; infinite when the loss or the gradient is not finite.
    """
    double = problem.to(torch.float64, torch.device("cpu"))
    point = x.detach().to("cpu", torch.float64, copy=True).requires_grad_()
    with torch.enable_grad():
        loss = double.loss(point)
        (gradient,) = torch.autograd.grad(loss, (point,))
    flat = point.detach().flatten()
    n = flat.numel()
    count = min(n, coordinates)
    chosen = [i * n // count for i in range(count)]
    slopes = flat.new_tensor([_slope(double, flat, i, point.shape) for i in chosen])
    expected = gradient.flatten()[chosen]
    scale = max(
        float(expected.abs().max()),
        float(slopes.abs().max()),
        SMALLEST_SLOPE * abs(float(loss.detach())),
    )
    worst = float((expected - slopes).abs().max())
    if not (math.isfinite(worst) and math.isfinite(scale)):
        return math.inf
    return worst / scale if worst > 0 else 0.0


def _slope(problem: Problem, flat: torch.Tensor, i: int, shape: torch.Size) -> float:
    def central(h: float) -> float:
        ahead, behind = flat.clone(), flat.clone()
        ahead[i] += h
        behind[i] -= h
        width = float(ahead[i] - behind[i])  # the difference after rounding
        rise = problem.loss(ahead.view(shape)) - problem.loss(behind.view(shape))
        return float(rise) / width

    h = STEP * max(1.0, abs(float(flat[i])))
    with torch.no_grad():
        return (4 * central(h / 2) - central(h)) / 3
