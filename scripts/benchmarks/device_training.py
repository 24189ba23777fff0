"""A training on a GPU against the loop that one writes by hand, there and after a kill.

It is part of `scripts/bench device`. Where torch and gdexp are all that there is:
`PYTHONPATH=. python scripts/benchmarks/device_training.py cuda`.
"""

from __future__ import annotations

import sys
import tempfile
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, NamedTuple

import torch
import torch.nn.functional as F
from torch import nn

from gdexp.checkpoints import CheckpointFolder, Checkpointing
from gdexp.descent import Stopping, exact_arithmetic
from gdexp.training import Training, TrainingLoop, TrainingResult, UpdateSettings

UPDATES, EVERY, KILLED_AT = 60, 10, 37
ROWS, BATCH = 512, 64

ADAMW: dict[str, Any] = {"name": "torch", "class_name": "AdamW", "lr": 0.01}
SETTINGS: dict[str, dict[str, Any]] = {
    "float32": ADAMW,
    "bfloat16": ADAMW | {"autocast": "bfloat16"},
    "float16 with a scaler": ADAMW | {"autocast": "float16"},
    "average and clipping": ADAMW | {"ema": 0.9, "clip_norm": 1.0},
}


class Check(NamedTuple):
    """What was checked, how much of it is wrong, and more of it in words."""

    name: str
    wrong: int
    note: str


class Kill(BaseException):
    """Stands for SIGKILL."""


class OnDevice(Training):
    """A net with dropout and batch normalization, on data that stay on the processor."""

    seen: set[str]

    def __init__(self) -> None:
        points = torch.Generator().manual_seed(1)
        self.x = torch.randn(ROWS, 32, generator=points)
        self.y = (self.x.sum(1) > 0).long()
        self.seen = set()

    def model(self) -> nn.Module:
        """Return the net."""
        return nn.Sequential(
            *(nn.Linear(32, 64), nn.BatchNorm1d(64), nn.ReLU(), nn.Dropout(0.1)), nn.Linear(64, 2)
        )

    def batches(self, generator: torch.Generator) -> Iterator[Any]:
        """Yield the rows in random order."""
        for rows in torch.split(torch.randperm(ROWS, generator=generator), BATCH):
            yield self.x[rows], self.y[rows]

    def loss(self, model: nn.Module, batch: Any) -> torch.Tensor:  # noqa: ANN401
        """Return the cross-entropy; note where everything is."""
        tensors = (*batch, *model.parameters(), *model.buffers())
        self.seen |= {each.device.type for each in tensors}
        return F.cross_entropy(model(batch[0]), batch[1])

    def evaluate(self, model: nn.Module) -> dict[str, Any]:
        """Return the accuracy."""
        scores = model(self.to(self.x))
        return {"accuracy": (scores.argmax(1) == self.to(self.y)).float().mean()}


class At(Checkpointing):
    """Saves after each of some updates, and kills after the last of them."""

    loop: TrainingLoop

    def __init__(self, folder: Path, kill: int | None) -> None:
        super().__init__(CheckpointFolder(folder), None, {})
        self._kill = kill

    def is_due(self) -> bool:
        """Return whether the next update is saved."""
        if self._kill is not None and self.loop.iteration > self._kill:
            raise Kill
        return self.loop.iteration == self._kill


def by_hand(device: torch.device, settings: Mapping[str, Any]) -> tuple[list[float], list[float]]:
    """Train as a person writes it; return the losses and the last weights."""
    training = OnDevice()
    torch.manual_seed(0)
    model = training.model().to(device)
    optimizer = torch.optim.AdamW(model.parameters(), lr=0.01)
    kind = settings.get("autocast")
    dtype = torch.float32 if kind is None else getattr(torch, kind)
    scaler = torch.amp.GradScaler(device.type, enabled=kind == "float16")
    generator, losses = torch.Generator().manual_seed(0), list[float]()
    while len(losses) < UPDATES:
        for batch in training.batches(generator):
            if len(losses) == UPDATES:
                break
            x, y = (each.to(device) for each in batch)
            with torch.autocast(device.type, dtype, enabled=kind is not None):
                loss = F.cross_entropy(model(x), y)
            losses.append(loss.item())
            optimizer.zero_grad()
            torch.autograd.backward(scaler.scale(loss))
            scaler.step(optimizer)
            scaler.update()
    return losses, torch.cat(
        [each.detach().flatten().cpu() for each in model.parameters()]
    ).tolist()


def trained(
    device: torch.device, settings: Mapping[str, Any], folder: Path, kill: int | None = None
) -> tuple[TrainingResult | None, set[str]]:
    """Return the result, None where it was killed, and the devices that the loss saw."""
    training, saves = OnDevice(), At(folder, kill)
    made = UpdateSettings.from_config(dict(settings))
    stopping = Stopping(1e-9, UPDATES, every=EVERY)
    loop = TrainingLoop(lambda: training, "net", made, stopping, device=device, checkpoints=saves)
    saves.loop = loop
    try:
        return loop.run(), training.seen
    except Kill:
        return None, training.seen


def checks(device: torch.device) -> list[Check]:
    """Return what holds of a training on a device."""
    found = []
    for name, settings in SETTINGS.items():
        with tempfile.TemporaryDirectory() as own:
            whole, seen = trained(device, settings, Path(own) / "whole")
            killed, _ = trained(device, settings, Path(own) / "other", KILLED_AT)
            again, _ = trained(device, settings, Path(own) / "other")
        assert whole is not None
        assert again is not None
        elsewhere = seen - {device.type}
        found.append(Check(f"{name}: tensors of the loss elsewhere", len(elsewhere), str(seen)))
        other = _differences(whole, again) + (killed is not None)
        note = f"killed at update {KILLED_AT} of {UPDATES}"
        found.append(Check(f"{name}: losses and weights other after a kill", other, note))
        if "ema" in settings:
            continue
        with exact_arithmetic(device):
            losses, weights = by_hand(device, settings)
        wrong = sum(a != b for a, b in zip(losses, whole.trace.tolist(), strict=True))
        wrong += sum(a != b for a, b in zip(weights, whole.final.tolist(), strict=True))
        found.append(Check(f"{name}: losses and weights other than by hand", wrong, ""))
    return found


def _differences(one: TrainingResult, other: TrainingResult) -> int:
    """Return how many losses, readings and weights of two results differ."""
    wrong = int(one.trace.tobytes() != other.trace.tobytes()) + (one.updates != other.updates)
    for name, each in one.readings.items():
        wrong += each.tobytes() != other.readings[name].tobytes()
    return wrong + int((one.final != other.final).sum())


def _print_all() -> int:
    """Print every check; return 1 where one of them fails."""
    place = torch.device(sys.argv[1] if len(sys.argv) > 1 else "cuda")
    found = checks(place)
    for each in found:
        print(f"{'ok   ' if not each.wrong else 'WRONG'} {each.name}: {each.wrong} {each.note}")
    return int(any(each.wrong for each in found))


if __name__ == "__main__":
    sys.exit(_print_all())
