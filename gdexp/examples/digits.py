"""A small network on the digits that come with scikit-learn: 1,797 images of 8×8 pixels.

python -m gdexp experiment=digits
python -m gdexp +sweep experiment=digits
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import torch
import torch.nn.functional as F
from torch import nn

from gdexp.training import Training

VALIDATION = 360
"""Images that are not trained on: every fifth."""


class Digits(Training):
    """A network with one hidden layer, or a convolutional one.

    Args:
        width: hidden units, or channels of the convolutions.
        batch_size: images per update.
        kind: `mlp` or `cnn`.
    """

    modes = {"accuracy": "max", "val_loss": "min"}  # noqa: RUF012 (as users write it)

    def __init__(self, width: int = 64, batch_size: int = 32, kind: str = "mlp") -> None:
        from sklearn.datasets import load_digits

        data = load_digits()
        images = torch.tensor(data.data, dtype=torch.float32) / 16
        labels = torch.tensor(data.target)
        held_out = torch.arange(len(labels)) % 5 == 0
        self.images, self.labels = images[~held_out], labels[~held_out]
        self.test_images, self.test_labels = images[held_out], labels[held_out]
        self.width, self.batch_size, self.kind = width, batch_size, kind

    def model(self) -> nn.Module:
        """Return the network."""
        if self.kind == "mlp":
            hidden = nn.Linear(64, self.width)
            return nn.Sequential(hidden, nn.ReLU(), nn.Linear(self.width, 10))
        return nn.Sequential(
            nn.Unflatten(1, (1, 8, 8)),
            nn.Conv2d(1, self.width, 3, padding=1),
            nn.ReLU(),
            nn.MaxPool2d(2),
            nn.Conv2d(self.width, self.width, 3, padding=1),
            nn.ReLU(),
            nn.Flatten(),
            nn.Linear(16 * self.width, 10),
        )

    def batches(self, generator: torch.Generator) -> Iterator[Any]:
        """Yield the images in random order."""
        order = torch.randperm(len(self.labels), generator=generator)
        for rows in torch.split(order, self.batch_size):
            yield self.images[rows], self.labels[rows]

    def loss(self, model: nn.Module, batch: Any) -> torch.Tensor:  # noqa: ANN401
        """Return the cross-entropy."""
        images, labels = batch
        return F.cross_entropy(model(images), labels)

    def evaluate(self, model: nn.Module) -> dict[str, Any]:
        """Return accuracy and loss on the images that are not trained on."""
        images, labels = self.to((self.test_images, self.test_labels))
        scores = model(images)
        right = (scores.argmax(1) == labels).double().mean()
        return {"accuracy": right, "val_loss": F.cross_entropy(scores, labels)}
