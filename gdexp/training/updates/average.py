"""The exponential moving average of a model's weights and buffers."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import torch
from torch import nn


class Average:
    """`average = decay * average + (1 - decay) * weights` after each update.

    The first is the weights after the first update. It has the bits of torch's `AveragedModel` with
    `get_ema_multi_avg_fn(decay)` and `use_buffers=True`, except that buffers of integers, such as
    BatchNorm's count of batches, are copied. B. T. Polyak, A. B. Juditsky, Acceleration of
    stochastic approximation by averaging, 1992.

    Args:
        model: the model.
        decay: in [0, 1).
    """

    def __init__(self, model: nn.Module, decay: float) -> None:
        self._model = model
        self._decay = decay
        self._average: dict[str, torch.Tensor] = {}

    @torch.no_grad()
    def update(self) -> None:
        """Take the model's weights and buffers into the average."""
        now = self._tensors()
        if self._average.keys() != now.keys():
            self._average = {name: each.detach().clone() for name, each in now.items()}
            return
        kinds: dict[tuple[torch.dtype, torch.device], list[str]] = {}
        for name, each in now.items():
            if each.is_floating_point() or each.is_complex():
                kinds.setdefault((each.dtype, each.device), []).append(name)
            else:
                self._average[name].copy_(each)
        for names in kinds.values():
            averages, weights = ([of[name] for name in names] for of in (self._average, now))
            torch._foreach_lerp_(averages, weights, 1 - self._decay)

    @torch.no_grad()
    def swap(self) -> None:
        """Exchange the model's tensors with the average; a second call undoes it."""
        now = self._tensors()
        for name, average in self._average.items():
            average.data, now[name].data = now[name].data, average.data

    def state_dict(self) -> dict[str, Any]:
        """Return the average by name; empty before the first update."""
        return {"average": dict(self._average)}

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Take copies of an average, on the devices of the model."""
        now = self._tensors()
        self._average = {
            name: each.detach().clone().to(now[name].device)
            for name, each in state["average"].items()
        }

    def _tensors(self) -> dict[str, torch.Tensor]:
        """Return parameters and buffers by name, as they are now: a buffer may be replaced."""
        found: dict[str, torch.Tensor] = dict(self._model.named_parameters())
        found |= dict(self._model.named_buffers())
        return found
