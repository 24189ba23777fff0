"""The gradient of a loss, by a direct call of torch's autograd engine."""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from typing import Any

import torch

Gradient = Callable[[torch.Tensor, torch.Tensor], torch.Tensor]
"""`gradient(loss, x)` returns the gradient of the loss's sum, of x's shape; it frees the graph."""


def gradient_like(loss: torch.Tensor) -> Gradient:
    """Return a function that differentiates losses of this one's shape, dtype and device.

    Its bits are those of `torch.autograd.grad(loss.sum(), x)`. For a small loss that call spends
    most of its time in preparation. So the engine is called directly, with a gradient of ones
    that is made once; where this version of torch has no such engine, the public call is used.
    """
    ones = torch.ones_like(loss)
    run = _engine()
    if run is None:

        def public(loss: torch.Tensor, x: torch.Tensor) -> torch.Tensor:
            (gradient,) = torch.autograd.grad((loss,), (x,), (ones,))
            return gradient

        return public

    initial = (ones,)

    def direct(loss: torch.Tensor, x: torch.Tensor) -> torch.Tensor:
        gradient: torch.Tensor = run(
            (loss,), initial, False, False, (x,), False, accumulate_grad=False
        )[0]
        return gradient

    return direct


@cache
def _engine() -> Callable[..., Any] | None:
    """Return the engine's entry point when it exists and works as expected, else None."""
    variable = getattr(torch.autograd, "Variable", None)
    run = getattr(getattr(variable, "_execution_engine", None), "run_backward", None)
    if run is None:
        return None
    try:
        with torch.enable_grad():
            x = torch.tensor(3.0, requires_grad=True)
            answer = run(
                (x * x,), (torch.ones(()),), False, False, (x,), False, accumulate_grad=False
            )
        expected = isinstance(answer, tuple) and len(answer) == 1 and answer[0].item() == 6.0
        expected = expected and not answer[0].requires_grad and x.grad is None
    except Exception:  # another version may raise anything; the public call remains
        return None
    return run if expected else None
