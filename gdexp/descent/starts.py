"""The checked start and stopping rule of a descent."""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
import torch

from gdexp.core import BadInput, machine_memory, validation
from gdexp.descent.stopping import Stopping
from gdexp.optimizers import UpdateRule
from gdexp.problems import Problem


def check_objects(problem: object, rule: object = None, stopping: object = None) -> None:
    """Refuse a class, a name or a number where a problem or a rule is needed.

    Args:
        problem: the problem.
        rule: the update rule; None: the usual one.
        stopping: the stopping rule; None: the usual one.

    Raises:
        BadInput: names the argument and what it can be.
    """
    for key, given, kind, example in (
        ("problem", problem, Problem, "Matrix()"),
        ("rule", rule, UpdateRule, "GradientDescent(lr=1)"),
        ("stopping", stopping, Stopping, "Stopping(1e-5)"),
    ):
        if not isinstance(given, kind) and (given is not None or kind is Problem):
            raise BadInput(key, given, f"must be an object, such as gdexp.{example}")


def stopping_for(problem: Problem, stopping: Stopping | None) -> Stopping:
    """Return the stopping rule as the problem needs it: with an absolute threshold or without.

    Raises:
        BadInput: the rule is absolute and the problem is not.
    """
    stopping = Stopping() if stopping is None else stopping
    if stopping.absolute and not problem.absolute:
        raise BadInput("absolute", True, "only with a problem whose f_star is absolute")
    if problem.absolute and not stopping.of_norm:
        return replace(stopping, absolute=True)
    return stopping


def starting_point(problem: Problem, seed: int = 0, x0: object = None) -> torch.Tensor:
    """Return the checked start of a descent: floating, finite and of the problem's shape."""
    seed = validation.integer("seed", seed)
    if x0 is None:
        _check_size(problem)
    start = problem.start(seed) if x0 is None else x0
    if isinstance(start, list | tuple | np.ndarray):
        start = validation.tensor("x0", start)
    if not isinstance(start, torch.Tensor) or not start.is_floating_point():
        kind = getattr(start, "dtype", type(start).__name__)
        raise BadInput("x0", kind, "must be a tensor of a floating dtype: use .float()")
    shape = tuple(problem.shape)
    if shape and tuple(start.shape) != shape:
        raise BadInput("x0", f"shape {tuple(start.shape)}", f"must have shape {shape}")
    if start.numel() == 0:
        raise BadInput("x0", f"shape {tuple(start.shape)}", "must hold at least one number")
    finite = math.isfinite(start.sum().item()) or torch.isfinite(start).all()
    if not finite:
        raise BadInput("x0", "nan or inf", "must hold finite numbers only")
    return start.detach().clone(memory_format=torch.contiguous_format)


def _check_size(problem: Problem) -> None:
    """Refuse a shape of which one x alone, in float32, takes all memory of this machine."""
    shape, memory = tuple(problem.shape), machine_memory()
    if memory is None or not all(isinstance(each, int) for each in shape):
        return
    numbers = math.prod(shape)
    if 4 * numbers > memory:
        raise BadInput(
            "problem.shape",
            [*shape],
            f"{numbers:,} numbers take {4 * numbers / 1e9:,.0f} GB in float32, and this machine "
            f"has {memory / 1e9:,.0f} GB of memory; choose a smaller shape",
        )
