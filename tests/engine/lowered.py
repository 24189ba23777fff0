"""Helpers: a function recorded, lowered and interpreted beside torch."""

from __future__ import annotations

from collections.abc import Callable

import torch

from gdexp.engine.interpreter import Interpreter
from gdexp.engine.make_plan import program_of as program_of
from gdexp.engine.make_plan import recording_for
from gdexp.problems import FunctionProblem

Function = Callable[[torch.Tensor], torch.Tensor]


def weighted(function: Function) -> Function:
    """A scalar loss whose gradient has every entry of the function's Jacobian in it."""

    def loss(x: torch.Tensor) -> torch.Tensor:
        y = function(x)
        weights = torch.linspace(-1.0, 1.5, y.numel(), dtype=x.dtype) ** 2 + 0.1
        return (y * weights.reshape(y.shape)).sum()

    return loss


def both(
    function: Function, x: torch.Tensor
) -> tuple[tuple[torch.Tensor, torch.Tensor], tuple[torch.Tensor, torch.Tensor]]:
    """Loss and gradient as the program gives them, and as torch does without a recorder."""
    problem = FunctionProblem(function, x0=x)
    recording = recording_for(problem, x.dtype, x)
    program = program_of(recording, x.dtype)
    ours = Interpreter(program)({"x": x.unsqueeze(0)})
    point = x.clone().requires_grad_()
    loss = function(point)
    (gradient,) = torch.autograd.grad(loss, point)
    return (ours["loss"][0], ours["gradient"][0]), (loss.detach(), gradient)
