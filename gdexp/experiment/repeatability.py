"""The check that a user's problem gives the same loss for the same settings."""

from __future__ import annotations

import copy
import random
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from typing import Any

import numpy as np
import torch

from gdexp.descent import starting_point
from gdexp.experiment.experiment import Experiment, trusted_paths
from gdexp.experiment.provenance import problem_code
from gdexp.problems import Problem, first_loss

NONDETERMINISTIC_TAG = "gdexp.nondeterministic"
"""The tag of a run whose problem gave different losses for the same x."""


def nondeterminism_warning(experiment: Experiment) -> str | None:
    """Evaluate a user's problem three times at the start; return a warning if the bits differ.

    Twice on a copy of the problem, and once on a problem that is made anew. Random generators and
    the buffers of modules are restored afterwards, so that the run is as it would be without this.

    Returns:
        None for a problem of gdexp's, and where start, loss and gradient have the same bits.
    """
    original = experiment.function
    if original is None or problem_code(experiment.config) is None:
        return None
    with experiment.problem_errors(), _restored(experiment):
        problem = _copied(original)
        on_torch = {**experiment.config, "engine": "torch"}  # the loss is called, not recorded
        again = Experiment.from_config(on_torch, trusted_paths(on_torch))
        made = again.function or original
        first, *others = [_evaluated(experiment, p) for p in (problem, problem, made)]
    differing = [loss for loss, bits in others if bits != first[1]]
    if not differing:
        return None
    name = experiment.config["problem"]["path"]
    losses = f"{first[0]!r}, then {differing[0]!r}"
    what = losses if differing[0] != first[0] else "the same loss with another start or gradient"
    return (
        f"problem={name} gives different numbers for the same settings ({what}); its runs have "
        f"the tag {NONDETERMINISTIC_TAG}, and a rerun need not repeat them"
    )


def _evaluated(experiment: Experiment, problem: Problem) -> tuple[float, bytes]:
    """Return the loss at the start, and the bits of start, loss and gradient."""
    start = starting_point(problem, experiment.seed)
    x = start.to(dtype=experiment.dtype, device=experiment.device, copy=True).requires_grad_()
    loss = first_loss(problem.to(experiment.dtype, experiment.device), x)
    (gradient,) = torch.autograd.grad(loss, x)
    return float(loss.detach()), b"".join(_bits(each) for each in (start, loss, gradient))


def _bits(values: torch.Tensor) -> bytes:
    flat = values.detach().cpu().contiguous().reshape(-1)
    return flat.view(torch.uint8).numpy().tobytes()


def _copied(problem: Problem) -> Problem:
    """Return a deep copy, or the problem itself where it holds what cannot be copied."""
    with suppress(Exception):
        return copy.deepcopy(problem)
    return problem


@contextmanager
def _restored(experiment: Experiment) -> Iterator[None]:
    """Restore every random generator and module buffer that the user's code can change."""
    undo = [_restorer(torch.get_rng_state(), torch.set_rng_state)]
    undo.append(_restorer(np.random.get_state(), np.random.set_state))
    undo.append(_restorer(random.getstate(), random.setstate))
    cuda: Any = torch.cuda
    if cuda.is_initialized():
        undo.append(_restorer(cuda.get_rng_state_all(), cuda.set_rng_state_all))
    for value in _values(experiment):
        undo += _restorers(value)
    try:
        yield
    finally:
        with torch.no_grad():
            for each in undo:
                each()


def _values(experiment: Experiment) -> list[object]:
    """Return the attributes of the problem and the globals of the user's modules."""
    code = problem_code(experiment.config)
    paths = set() if code is None else {file.path for file in code.files.values()}
    modules = [m for m in tuple(sys.modules.values()) if getattr(m, "__file__", None) in paths]
    return [v for owner in (experiment.problem, *modules) for v in tuple(vars(owner).values())]


def _restorers(value: object) -> list[Callable[[], object]]:
    if isinstance(value, torch.Generator):
        return [_restorer(value.get_state(), value.set_state)]
    if isinstance(value, np.random.Generator):
        generator = value.bit_generator
        return [_restorer(generator.state, lambda state: setattr(generator, "state", state))]
    if isinstance(value, np.random.RandomState):
        return [_restorer(value.get_state(), value.set_state)]
    if isinstance(value, random.Random):
        return [_restorer(value.getstate(), value.setstate)]
    if isinstance(value, torch.nn.Module):
        return [_restorer(buffer.clone(), buffer.copy_) for buffer in value.buffers()]
    return []


def _restorer(state: Any, put: Callable[[Any], object]) -> Callable[[], object]:  # noqa: ANN401
    return lambda: put(state)
