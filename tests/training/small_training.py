"""A small training that draws from every generator, and the loop that one writes by hand for it."""

from __future__ import annotations

import random
from collections.abc import Callable, Iterable, Iterator
from typing import Any, ClassVar, NamedTuple

import numpy as np
import torch
import torch.nn.functional as F
from torch import nn
from torch.utils.data import DataLoader, TensorDataset

from gdexp import Training


class Small(Training):
    """Two classes of points; batches, loss and evaluation draw from all generators."""

    modes: ClassVar = {"accuracy": "max", "val_loss": "min"}

    def __init__(self, width: int = 8, batch_size: int = 16, workers: int | None = None) -> None:
        points = torch.Generator().manual_seed(1)
        self.x = torch.randn(80, 4, generator=points)
        self.y = (self.x.sum(1) > 0).long()
        self.width, self.batch_size, self.workers = width, batch_size, workers

    def model(self) -> nn.Module:
        return nn.Sequential(
            nn.Linear(4, self.width),
            nn.BatchNorm1d(self.width),
            nn.ReLU(),
            nn.Dropout(0.2),
            nn.Linear(self.width, 2),
        )

    def batches(self, generator: torch.Generator) -> Iterable[Any]:
        if self.workers is not None:
            data = TensorDataset(self.x, self.y)
            return DataLoader(
                data, self.batch_size, True, generator=generator, num_workers=self.workers
            )
        return self._noisy(generator)

    def _noisy(self, generator: torch.Generator) -> Iterator[Any]:
        for rows in torch.randperm(80, generator=generator).split(self.batch_size):
            noise = 0.01 * (np.random.rand() + random.random() + torch.rand(()).item())
            yield self.x[rows] + noise, self.y[rows]

    def loss(self, model: nn.Module, batch: Any) -> torch.Tensor:
        return F.cross_entropy(model(batch[0]), batch[1])

    def evaluate(self, model: nn.Module) -> dict[str, Any]:
        next(iter(DataLoader(TensorDataset(self.x), 80, shuffle=True)))  # moves torch's generator
        random.random(), np.random.rand()
        scores = model(self.to(self.x))
        return {
            "accuracy": (scores.argmax(1) == self.y).float().mean(),
            "val_loss": F.cross_entropy(scores, self.y).item(),
        }


class Hand(NamedTuple):
    """What a hand-written loop saw."""

    losses: list[float]
    readings: dict[str, list[tuple[int, float]]]
    updates: int
    state: dict[str, torch.Tensor]


def hand_loop(
    make: Callable[[], Training],
    optimizer: Callable[[Iterable[nn.Parameter]], torch.optim.Optimizer],
    *,
    seed: int = 0,
    updates: int = 1000,
    every: int = 50,
    until: Callable[[float | None, dict[str, float]], bool] = lambda loss, metrics: False,
) -> Hand:
    """Train as a person writes it: seed, model, one generator, batches, evaluation on the side.

    Args:
        make: the training.
        optimizer: of the parameters.
        seed: of all generators.
        updates: the most.
        every: updates between evaluations.
        until: whether a loss, or the metrics of an evaluation, end the loop.
    """
    _seed(seed)
    training = make()
    _seed(seed)
    model = training.model().train()
    steps = optimizer(model.parameters())
    generator = torch.Generator().manual_seed(seed)
    losses: list[float] = []
    readings: dict[str, list[tuple[int, float]]] = {}
    k = 0

    def evaluate() -> bool:
        own = torch.get_rng_state(), random.getstate(), np.random.get_state()
        model.eval()
        with torch.no_grad():
            found = {name: float(value) for name, value in training.evaluate(model).items()}
        model.train()
        torch.set_rng_state(own[0])
        random.setstate(own[1])
        np.random.set_state(own[2])
        for name, value in found.items():
            readings.setdefault(name, []).append((k, value))
        return until(None, found)

    def result() -> Hand:
        return Hand(losses, readings, k, model.state_dict())

    if evaluate():
        return result()
    while True:
        for batch in training.batches(generator):
            loss = training.loss(model, batch)
            losses.append(loss.item())
            if until(losses[-1], {}):
                if k % every:
                    evaluate()
                return result()
            steps.zero_grad()
            loss.backward()
            steps.step()
            k += 1
            if k % every == 0 and evaluate():
                return result()
            if k == updates:
                if k % every:
                    evaluate()
                return result()


def _seed(seed: int) -> None:
    torch.manual_seed(seed)
    random.seed(seed)
    np.random.seed(seed)
