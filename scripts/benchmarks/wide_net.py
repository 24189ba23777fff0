"""The training of the benchmark `training`: an MLP of 1.86 million weights on random data."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import torch
import torch.nn.functional as F
from torch import nn

from gdexp import Training

ROWS, BATCH = 1_280, 128


class WideNet(Training):
    """784-1024-1024-10 on random images, mini-batches of 128."""

    def __init__(self) -> None:
        data = torch.Generator().manual_seed(1)
        self.x = torch.randn(ROWS, 784, generator=data)
        self.y = torch.randint(10, (ROWS,), generator=data)

    def model(self) -> nn.Module:
        """Return the net."""
        layers = nn.Linear(784, 1024), nn.ReLU(), nn.Linear(1024, 1024), nn.ReLU()
        return nn.Sequential(*layers, nn.Linear(1024, 10))

    def batches(self, generator: torch.Generator) -> Iterator[Any]:
        """Yield the rows in random order."""
        order = torch.randperm(ROWS, generator=generator)
        for rows in torch.split(order, BATCH):
            yield self.x[rows], self.y[rows]

    def loss(self, model: nn.Module, batch: Any) -> torch.Tensor:  # noqa: ANN401
        """Return the cross-entropy."""
        return F.cross_entropy(model(batch[0]), batch[1])

    def evaluate(self, model: nn.Module) -> dict[str, Any]:
        """Return the loss on some rows."""
        return {"val_loss": F.cross_entropy(model(self.x[:BATCH]), self.y[:BATCH])}


def hand_loop(updates: int, every: int) -> list[float]:
    """Train as a person writes it, with the same evaluations; return the losses."""
    torch.manual_seed(0)
    training = WideNet()
    torch.manual_seed(0)
    model = training.model()
    optimizer = torch.optim.SGD(model.parameters(), lr=0.01, momentum=0.9)
    generator = torch.Generator().manual_seed(0)
    losses: list[float] = []
    while True:
        for batch in training.batches(generator):
            if len(losses) % every == 0:
                model.eval()
                with torch.no_grad():
                    training.evaluate(model)
                model.train()
            loss = training.loss(model, batch)
            losses.append(loss.item())
            optimizer.zero_grad()
            torch.autograd.backward(loss)
            optimizer.step()
            if len(losses) == updates:
                return losses
