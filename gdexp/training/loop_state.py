"""The state of a training: all that it needs to go on with the same bits."""

from __future__ import annotations

from array import array
from collections.abc import Mapping
from typing import Any, NamedTuple, Protocol

import numpy as np
import torch
from torch import nn

from gdexp.checkpoints import generator_states, restore_generators
from gdexp.core import GdexpError
from gdexp.training.batches import Batches
from gdexp.training.metrics import MetricTrace
from gdexp.training.result import Tensors
from gdexp.training.training import Training
from gdexp.training.updates import Updates
from gdexp.training.weights import tensors_of


class Met(NamedTuple):
    """A training at its own threshold, from where its losses and readings go on.

    Attributes:
        epochs: that were begun.
        digests: the sha256 of each parameter and buffer.
        final: the trained parameters, one after the other.
        state: the parameters and buffers that are kept, by name.
    """

    epochs: int
    digests: Mapping[str, str]
    final: torch.Tensor
    state: Tensors


class Loop(Protocol):
    """What changes while a training goes on; `TrainingLoop` has it."""

    name: str
    training: Training
    model: nn.Module
    updates: Updates
    batches: Batches
    generator: torch.Generator
    iteration: int
    losses: array[float]
    metrics: dict[str, MetricTrace]
    heard: list[tuple[int, dict[str, float], float]]
    best: float
    best_state: Tensors | None
    pending: dict[str, float]
    initial_digests: dict[str, str]
    met: Met | None
    seconds_before: float

    @property
    def seconds(self) -> float:
        """Wall time so far."""


def loop_state(loop: Loop) -> dict[str, Any]:
    """Return the state of a training after an update whose batches were marked.

    Its tensors share memory with the training's.
    """
    own = getattr(loop.training, "state_dict", None)
    return {
        "iteration": loop.iteration,
        "seconds": loop.seconds,
        "losses": np.array(loop.losses),
        "metrics": {name: _columns(each) for name, each in loop.metrics.items()},
        "heard": list(loop.heard),
        "best": loop.best,
        "best_state": None if loop.best_state is None else dict(loop.best_state),
        "pending": loop.pending,
        "initial": loop.initial_digests,
        "met": None if loop.met is None else loop.met._asdict(),
        "model": tensors_of(loop.model),
        "updates": loop.updates.state_dict(),
        "batches": loop.batches.state_dict(),
        "training": own() if callable(own) else None,
        "generators": generator_states(loop.generator),
    }


def load_loop_state(loop: Loop, state: Mapping[str, Any]) -> None:
    """Give a training that has just begun the state of another process.

    Raises:
        GdexpError: model, optimizer or batches are others; what differs is named.
    """
    if state["initial"] != loop.initial_digests:
        names = sorted(state["initial"].items() ^ loop.initial_digests.items())
        raise GdexpError(
            f"problem={loop.name}: cannot be resumed: its model begins with other weights than "
            f"before, {names[0][0]} among them"
        )
    _load_model(loop, state["model"])
    loop.updates.load_state_dict(state["updates"])
    loop.iteration = state["iteration"]
    loop.losses.extend(state["losses"].tolist())
    loop.metrics = {name: _trace(*columns) for name, columns in state["metrics"].items()}
    loop.heard = list(state["heard"])
    loop.best, loop.best_state = state["best"], state["best_state"]
    loop.pending = state["pending"]
    loop.seconds_before = state["seconds"]
    met = state.get("met")  # checkpoints of earlier versions have none
    loop.met = None if met is None else Met(**met)
    if state["training"] is not None:
        load: Any = getattr(loop.training, "load_state_dict", None)
        if not callable(load):
            raise GdexpError(f"problem={loop.name}: cannot be resumed: it has no load_state_dict")
        load(state["training"])
    loop.batches.load_state_dict(state["batches"])
    restore_generators(state["generators"], loop.generator)


@torch.no_grad()
def _load_model(loop: Loop, stored: Mapping[str, torch.Tensor]) -> None:
    """Copy parameters and buffers into the model, by name."""
    own = tensors_of(loop.model)
    for name in sorted(own.keys() | stored.keys()):
        there, here = stored.get(name), own.get(name)
        if there is None or here is None or (there.shape, there.dtype) != (here.shape, here.dtype):
            shown = [
                "none" if each is None else f"{tuple(each.shape)} {each.dtype}"
                for each in (there, here)
            ]
            raise GdexpError(
                f"problem={loop.name}: cannot be resumed: {name} of the checkpoint is {shown[0]}, "
                f"of the model {shown[1]}"
            )
        here.copy_(there)


def _columns(trace: MetricTrace) -> tuple[Any, Any]:
    return np.array(trace.updates), np.array(trace.values)


def _trace(updates: Any, values: Any) -> MetricTrace:  # noqa: ANN401
    made = MetricTrace()
    made.updates, made.values = array("q", updates.tolist()), array("d", values.tolist())
    return made
