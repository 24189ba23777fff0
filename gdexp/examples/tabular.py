"""A logistic regression on a CSV file.

python -m gdexp experiment=tabular
python -m gdexp experiment=tabular problem.arguments.file=mine.csv problem.arguments.label=sick
"""

from __future__ import annotations

import csv
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import torch
import torch.nn.functional as F
from torch import nn

from gdexp.core import BadInput, nearest
from gdexp.training import Training

PATIENTS = "patients.csv"
"""The first ten columns of the breast-cancer data that come with scikit-learn, beside this file."""


class Tabular(Training):
    """Numbers in the columns of a CSV file, and a label of 0 or 1; each fifth row is held out.

    Args:
        file: its name; without a folder it is looked for here and beside this module.
        label: the column to predict.
        batch_size: rows per update.
        hidden: units of a hidden layer; 0 for none.
    """

    modes = {"accuracy": "max", "val_loss": "min"}  # noqa: RUF012 (as users write it)

    def __init__(
        self, file: str = PATIENTS, label: str = "benign", batch_size: int = 32, hidden: int = 0
    ) -> None:
        path = Path(file) if Path(file).exists() else Path(__file__).with_name(file)
        with path.open(newline="", encoding="utf-8") as rows:
            table = list(csv.DictReader(rows))
        if label not in table[0]:
            raise BadInput("problem.arguments.label", label, nearest(label, table[0]))
        columns = [name for name in table[0] if name != label]
        x = torch.tensor([[float(row[name]) for name in columns] for row in table])
        y = torch.tensor([float(row[label]) for row in table])
        held_out = torch.arange(len(y)) % 5 == 0
        mean, scale = x[~held_out].mean(0), x[~held_out].std(0).clamp_min(1e-12)
        x = (x - mean) / scale
        self.x, self.y = x[~held_out], y[~held_out]
        self.test_x, self.test_y = x[held_out], y[held_out]
        self.batch_size, self.hidden = batch_size, hidden

    def model(self) -> nn.Module:
        """Return a linear model, or a network with a hidden layer."""
        columns = self.x.shape[1]
        if not self.hidden:
            return nn.Linear(columns, 1)
        return nn.Sequential(nn.Linear(columns, self.hidden), nn.ReLU(), nn.Linear(self.hidden, 1))

    def batches(self, generator: torch.Generator) -> Iterator[Any]:
        """Yield the rows in random order."""
        order = torch.randperm(len(self.y), generator=generator)
        for rows in torch.split(order, self.batch_size):
            yield self.x[rows], self.y[rows]

    def loss(self, model: nn.Module, batch: Any) -> torch.Tensor:  # noqa: ANN401
        """Return the cross-entropy."""
        x, y = batch
        return F.binary_cross_entropy_with_logits(model(x).squeeze(1), y)

    def evaluate(self, model: nn.Module) -> dict[str, Any]:
        """Return accuracy and loss on the rows that are not trained on."""
        x, y = self.to((self.test_x, self.test_y))
        scores = model(x).squeeze(1)
        right = ((scores > 0) == (y > 0.5)).double().mean()
        return {"accuracy": right, "val_loss": F.binary_cross_entropy_with_logits(scores, y)}
