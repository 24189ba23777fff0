"""Models, batches and per-tensor optimizers for the comparison with hand-written loops."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import partial
from typing import Any

import torch
import torch.nn.functional as F
from torch import nn

from gdexp.training.updates import Updates, UpdateSettings

Batch = tuple[torch.Tensor, torch.Tensor]
Loop = Callable[[nn.Module, list[list[Batch]]], tuple[list[float], torch.optim.Optimizer]]


def make_model(seed: int = 0) -> nn.Module:
    """A small net with BatchNorm and dropout; torch's generator is then where training begins."""
    torch.manual_seed(seed)
    return nn.Sequential(
        nn.Linear(6, 16), nn.BatchNorm1d(16), nn.Tanh(), nn.Dropout(0.2), nn.Linear(16, 3)
    )


def make_batches(updates: int, micro: int = 1, seed: int = 5) -> list[list[Batch]]:
    """Mini-batches for each update."""
    own = torch.Generator().manual_seed(seed)
    return [
        [
            (torch.randn(8, 6, generator=own), torch.randint(0, 3, (8,), generator=own))
            for _ in range(micro)
        ]
        for _ in range(updates)
    ]


def loss_of(model: nn.Module, batch: Batch) -> torch.Tensor:
    return F.cross_entropy(model(batch[0]), batch[1])


def run_updates(
    group: dict[str, Any], batches: list[list[Batch]], model: nn.Module | None = None
) -> tuple[list[float], nn.Module, Updates]:
    """Losses, model and updates of gdexp."""
    model = make_model() if model is None else model
    trust = [each for each in _texts(group) if "." in each]
    updates = Updates(UpdateSettings.from_config(group, trust), model)
    losses = []
    for each in batches:
        losses.append(updates.gradients([partial(loss_of, model, batch) for batch in each]))
        assert updates.apply()
    return losses, model, updates


def _texts(value: object) -> Iterator[str]:
    if isinstance(value, str):
        yield value
    elif isinstance(value, dict):
        for each in value.values():
            yield from _texts(each)
    elif isinstance(value, list):
        for each in value:
            yield from _texts(each)


def plain_loop(
    make: Callable[[nn.Module], torch.optim.Optimizer],
    schedule: Callable[[torch.optim.Optimizer], Any] | None = None,
    clip: Callable[[nn.Module], Any] | None = None,
) -> Loop:
    """The loop that a person writes, with torch alone."""

    def loop(
        model: nn.Module, batches: list[list[Batch]]
    ) -> tuple[list[float], torch.optim.Optimizer]:
        optimizer = make(model)
        scheduler = None if schedule is None else schedule(optimizer)
        losses = []
        for each in batches:
            optimizer.zero_grad()
            total = 0.0
            for batch in each:
                loss = loss_of(model, batch)
                total += loss.item()
                (loss / len(each) if len(each) > 1 else loss).backward()
            losses.append(total / len(each))
            if clip is not None:
                clip(model)
            optimizer.step()
            if scheduler is not None:
                scheduler.step()
        return losses, optimizer

    return loop


def same(one: Any, other: Any) -> bool:
    """Whether two nested states are equal, bit for bit and in their dtypes."""
    if isinstance(one, torch.Tensor):
        return (
            isinstance(other, torch.Tensor)
            and one.dtype == other.dtype
            and one.shape == other.shape
            and torch.equal(one.view(torch.uint8), other.view(torch.uint8))
            if one.dim()
            else one.dtype == other.dtype and bool(one == other)
        )
    if isinstance(one, dict):
        return one.keys() == other.keys() and all(same(one[key], other[key]) for key in one)
    if isinstance(one, list | tuple):
        return len(one) == len(other) and all(map(same, one, other))
    return bool(one == other)
