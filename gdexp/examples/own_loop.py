"""A loop as one writes it, which gdexp counts, records and ends: three lines are gdexp's.

python -m gdexp problem=loop problem.path=gdexp.examples.own_loop.fit stopping.metric=accuracy \
stopping.mode=max stopping.threshold=0.95 problem.arguments.lr=0.5
"""

from __future__ import annotations

from collections.abc import Iterator  # gdexp's: the type of what is yielded

import torch
import torch.nn.functional as F
from torch import nn


def fit(lr: float = 0.1, width: int = 64, epochs: int = 50) -> Iterator[dict[str, float]]:
    """Train a network on digits; yield its metrics after each epoch."""
    from sklearn.datasets import load_digits

    data = load_digits()
    images, labels = torch.tensor(data.data).float() / 16, torch.tensor(data.target)
    model = nn.Sequential(nn.Linear(64, width), nn.ReLU(), nn.Linear(width, 10))
    optimizer = torch.optim.SGD(model.parameters(), lr=lr)
    for _ in range(epochs):
        model.train()
        for rows in torch.split(torch.randperm(1400), 32):
            loss = F.cross_entropy(model(images[rows]), labels[rows])
            optimizer.zero_grad()
            torch.autograd.backward(loss)
            optimizer.step()
        model.eval()
        with torch.no_grad():
            right = (model(images[1400:]).argmax(1) == labels[1400:]).float().mean()
        yield {"loss": loss.item(), "accuracy": right.item()}  # gdexp's: was a print
