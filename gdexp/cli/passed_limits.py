"""Limits that are given anew with `+resume`, and that the run has passed already."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from typing import Any

from gdexp.checkpoints import Checkpoint
from gdexp.core import BadInput
from gdexp.descent import LOSS, Plateau, Stopping


def check_passed_limits(
    checkpoint: Checkpoint, stopping: Stopping, changed: Collection[str]
) -> None:
    """Refuse limits that would have ended the run before its checkpoint.

    The run would be another one than its record says, so that no rerun could equal it.

    Args:
        checkpoint: the newest that is whole.
        stopping: the stopping rule with the limits that are given.
        changed: the keys that are given.

    Raises:
        BadInput: names the key, and what is allowed.
    """
    made, state = checkpoint.number, checkpoint.state
    if stopping.max_iterations < made and "stopping.max_iterations" in changed:
        allowed = f"must be at least {made:,}: the checkpoint is as far as that"
        raise BadInput("stopping.max_iterations", stopping.max_iterations, allowed)
    epochs = state.get("batches", {}).get("epoch", 0) if "stopping.max_epochs" in changed else 0
    if stopping.max_epochs is not None and stopping.max_epochs < epochs:
        allowed = f"must be at least {epochs:,}: the checkpoint is in that epoch"
        raise BadInput("stopping.max_epochs", stopping.max_epochs, allowed)
    if stopping.patience is None or "stopping.patience" not in changed:
        return
    plateau = Plateau(
        stopping.patience, stopping.min_delta, stopping.metric, maximize=stopping.sign < 0
    )
    for iteration, metrics in _readings(state, stopping.every):
        if plateau.reading(iteration, metrics, 0.0) is not None:
            allowed = f"would have ended the run at {iteration:,}, before its checkpoint; give more"
            raise BadInput("stopping.patience", stopping.patience, allowed)


def _readings(state: Mapping[str, Any], every: int) -> Iterator[tuple[int, Mapping[str, float]]]:
    """Yield the readings until a checkpoint, of a training or loop, or of a function."""
    if "trace" not in state:
        yield from ((iteration, metrics) for iteration, metrics, _ in state["heard"])
        return
    losses = state["trace"].tolist()
    yield from ((k, {LOSS: losses[k]}) for k in range(0, len(losses), every))
