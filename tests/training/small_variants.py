"""Variants of the small training, and a loop that saves and dies where it is told to."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import Any

import torch

from gdexp.checkpoints import CheckpointFolder, Checkpointing
from gdexp.core import WorkEnded
from gdexp.training import TrainingLoop
from tests.training.small_training import Small

EPOCH = 5
"""Batches of an epoch of the small training."""


class Kill(WorkEnded):
    """Stands for SIGKILL: nothing of the loop goes on."""


class At(Checkpointing):
    """Saves after some updates, and kills after others."""

    def __init__(self, folder: Path, saves: Iterable[int], kill: int | None = None) -> None:
        super().__init__(CheckpointFolder(folder), None, {})
        self.saves, self.kill = set(saves), kill
        self.loop: TrainingLoop | None = None

    def is_due(self) -> bool:
        assert self.loop is not None
        if self.kill is not None and self.loop.iteration >= self.kill:
            raise Kill
        return self.loop.iteration + 1 in self.saves


class Recording(Small):
    """Small, with the rows that its loss saw; two of its epochs' batches are one update."""

    seen: list[float]

    def loss(self, model: Any, batch: Any) -> torch.Tensor:
        self.seen.append(float(batch[0].double().sum()))
        return super().loss(model, batch)


class Ordered(Small):
    """Its batches ignore the generator; another process has another order."""

    offset = 0

    def batches(self, generator: torch.Generator) -> Iterable[Any]:
        for i in range(EPOCH):
            rows = slice(16 * ((i + self.offset) % EPOCH), None)
            yield self.x[rows][:16], self.y[rows][:16]


class Stateful:
    """A loader with a state of its own, as torchdata has them."""

    def __init__(self, x: torch.Tensor, y: torch.Tensor) -> None:
        self.x, self.y, self.place = x, y, 0

    def state_dict(self) -> dict[str, Any]:
        return {"place": self.place}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        self.place = state["place"]

    def __iter__(self) -> Any:
        while self.place < EPOCH:
            rows = slice(16 * self.place, 16 * self.place + 16)
            self.place += 1
            yield self.x[rows], self.y[rows]
        self.place = 0


class WithState(Small):
    def batches(self, generator: torch.Generator) -> Iterable[Any]:
        return Stateful(self.x, self.y)
