"""The files of a training's record: traces, tensors and what is said of them."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from functools import partial
from typing import Any, NamedTuple

import numpy.typing as npt
import torch

from gdexp.checkpoints import encode_tensors
from gdexp.descent import LOSS, MODES
from gdexp.training.metrics import best_value
from gdexp.training.result import Tensors, TrainingResult
from gdexp.training.weights import Memory, memory_of

TENSORS = "training.json"
"""Updates, epochs, metrics, and shapes and digests of the weights."""

TRACES = "traces"
"""The folder of the metrics' traces, each of shape (readings, 2): updates and values."""

MODEL = "model.safetensors"

PYTORCH = {"format": "pt"}
"""What the package safetensors writes of tensors of torch; some of its readers want it."""

LOSSES = f"{TRACES}/loss.npy"


class RecordFiles(NamedTuple):
    """What a record holds of a result.

    Attributes:
        arrays: by the name of their file.
        facts: the content of `TENSORS`.
    """

    arrays: Mapping[str, torch.Tensor | npt.NDArray[Any]]
    facts: Mapping[str, Any]


def record_files(result: TrainingResult) -> RecordFiles:
    """Return the arrays and facts that a record holds of a training's result."""
    files = metric_files(result.readings)
    arrays: dict[str, torch.Tensor | npt.NDArray[Any]] = {"trace.npy": result.trace}
    if result.initial.numel():
        arrays |= {"initial.npy": result.initial, "final.npy": result.final}
    arrays[LOSSES] = result.curve(LOSS)
    arrays |= {f"{TRACES}/{file}.npy": result.readings[name] for name, file in files.items()}
    facts = {
        "updates": result.updates,
        "epochs": result.epochs,
        "metrics": files,
        "modes": dict(result.modes),
        "parts": {name: list(shape) for name, shape in result.parts.items()},
        **result.digests,
    }
    return RecordFiles(arrays, facts)


def metric_files(names: Mapping[str, object]) -> dict[str, str]:
    """Return a file name for each metric: its name, with `-` for all but letters and digits."""
    found: dict[str, str] = {}
    for name in names:
        plain = re.sub(r"[^A-Za-z0-9_.-]", "-", name).lstrip(".") or "metric"
        made, number = plain, 2
        while name != LOSS and made.lower() in {LOSS, *(each.lower() for each in found.values())}:
            made, number = f"{plain}-{number}", number + 1
        found[name] = made
    return found


def metric_numbers_of(result: TrainingResult) -> dict[str, float]:
    """Return the last, smallest, largest and, if its direction is known, best of each metric."""
    found: dict[str, float] = {"epochs": result.epochs} if result.epochs else {}
    for name in result.readings:
        found[f"last/{name}"] = result.last(name)
        for mode in MODES:
            found[f"{mode}/{name}"] = best_value(result.values(name), mode)
        if name in result.modes:
            found[f"best/{name}"] = result.best(name)
    return found


def model_files(result: TrainingResult) -> dict[str, Callable[[], bytes]]:
    """Return what makes `model.safetensors`: the best state if it was kept, else the last.

    Tied weights are stored once, under their first name; safetensors' `load_model` finds them.
    """
    state = result.best_state if result.best_state is not None else result.state
    return {MODEL: partial(_saved, state)} if state else {}


def _saved(state: Tensors) -> bytes:
    first: dict[Memory, str] = {}
    kept = {n: each for n, each in state.items() if first.setdefault(memory_of(each), n) == n}
    return encode_tensors({n: each.cpu().contiguous() for n, each in kept.items()}, PYTORCH)
