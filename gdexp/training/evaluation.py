"""The evaluation of a training's model, which changes nothing."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import torch
from torch import nn

from gdexp.core import BadInput
from gdexp.descent import LOSS
from gdexp.training.metrics import metric_numbers
from gdexp.training.random_state import unchanged_generators
from gdexp.training.training import Training


def evaluated(
    training: Training, model: nn.Module, generator: torch.Generator, name: str
) -> dict[str, float]:
    """Return the metrics of `training.evaluate`, with the model in eval mode.

    Args:
        training: the user's object.
        model: the model.
        generator: of the batches.
        name: of the training, for errors.

    Raises:
        BadInput: the evaluation changed the weights, or returned something else than numbers.
    """
    versions = [each._version for each in model.parameters()]
    with unchanged_generators(generator), eval_mode(model), torch.no_grad():
        returned: object = training.evaluate(model)
    if versions != [each._version for each in model.parameters()]:
        raise BadInput("problem", name, "its evaluate changes the weights; it must only read them")
    metrics = metric_numbers(f"{name}.evaluate", returned)
    if LOSS in metrics:
        raise BadInput(
            "problem", name, f"its metric {LOSS!r} is the mini-batch loss; name it val_loss"
        )
    return metrics


@contextmanager
def eval_mode(model: nn.Module) -> Iterator[None]:
    """Put a model into eval mode inside the block; restore each module's mode and its buffers."""
    modes = [(module, module.training) for module in model.modules()]
    buffers = [(buffer, buffer.clone()) for buffer in model.buffers()]
    model.eval()
    try:
        yield
    finally:
        for module, training in modes:
            module.training = training
        with torch.no_grad():
            for buffer, before in buffers:
                if not torch.equal(buffer, before):
                    buffer.copy_(before)
