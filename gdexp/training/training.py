"""The base class of a user's training."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Self

import torch
from torch import nn

from gdexp.core import keep_arguments


class Training(ABC):
    """The minimisation of a module's loss over mini-batches.

    ::

        class Digits(gdexp.Training):
            modes = {"accuracy": "max"}

            def __init__(self, width: int = 32, batch_size: int = 64):
                ...

            def model(self):
                hidden = nn.Linear(64, self.width)
                return nn.Sequential(hidden, nn.ReLU(), nn.Linear(self.width, 10))

            def batches(self, generator):
                order = torch.randperm(len(self.inputs), generator=generator)
                for rows in order.split(self.batch_size):
                    yield self.inputs[rows], self.labels[rows]

            def loss(self, model, batch):
                inputs, labels = batch
                return F.cross_entropy(model(inputs), labels)

            def evaluate(self, model):
                right = model(self.test_inputs).argmax(1) == self.test_labels
                return {"accuracy": right.float().mean()}

    An iteration is one update. An object is made for each run, after all random generators were
    seeded, so that its constructor may draw.

    Attributes:
        modes: for metrics of `evaluate` whether `min` or `max` is best. Others have no best value,
            unless `stopping.mode` or `sweep.direction` says it.
        files: names of the data files, relative to the module's folder or to the current
            directory. Files that are read while the object is made are found without it.
        device: where the model and the batches are; set before `model` is called.
        dtype: the dtype of the weights; set before `model` is called.
    """

    modes: Mapping[str, str] = {}
    files: Sequence[str] = ()
    device: torch.device = torch.device("cpu")
    dtype: torch.dtype = torch.float32

    def __new__(cls, *positional: object, **named: object) -> Self:
        """Keep the arguments, by which a config names the training."""
        made = super().__new__(cls)
        keep_arguments(made, positional, named)
        return made

    @abstractmethod
    def model(self) -> nn.Module:
        """Return a new model; its weights are drawn from torch's generator, which is seeded."""

    @abstractmethod
    def batches(self, generator: torch.Generator) -> Iterable[Any]:
        """Return the batches of one epoch; it is called again for each epoch.

        Args:
            generator: decides any random order. It is one object for all epochs of a run.
        """

    @abstractmethod
    def loss(self, model: nn.Module, batch: Any) -> torch.Tensor:  # noqa: ANN401
        """Return the scalar loss of one batch.

        Args:
            model: in train mode.
            batch: one of `batches`, moved with `to`.
        """

    def evaluate(self, model: nn.Module) -> Mapping[str, Any]:
        """Return any number of metrics by name; none by default.

        It changes nothing: random generators, modes and buffers are restored after it.

        Args:
            model: in eval mode, without gradients.
        """
        return {}

    def parameter_groups(self, model: nn.Module) -> list[dict[str, Any]] | None:
        """Return groups as torch's optimizers take them; None: all parameters in one.

        Args:
            model: on the device and in the dtype of the run.
        """
        return None

    def to(self, batch: Any) -> Any:  # noqa: ANN401
        """Return a batch on the run's device; its float32 tensors in the run's dtype.

        Lists, tuples and dictionaries are searched for tensors. Anything else stays as it is.
        """
        if isinstance(batch, torch.Tensor):
            return batch.to(self.device, self.dtype if batch.dtype is torch.float32 else None)
        if isinstance(batch, dict):
            return {key: self.to(value) for key, value in batch.items()}
        if isinstance(batch, tuple) and hasattr(batch, "_fields"):
            return type(batch)(*map(self.to, batch))
        if isinstance(batch, list | tuple):
            return type(batch)(map(self.to, batch))
        return batch
