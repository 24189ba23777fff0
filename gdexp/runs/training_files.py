"""The files of a training's record, read as untrusted data."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from typing import BinaryIO, NamedTuple

from gdexp.descent import Trace
from gdexp.runs.artifact_reader import read_bytes
from gdexp.runs.manifest import MOST_JSON
from gdexp.tracking import Array, check_trace, read_array

MOST_UPDATES = 10**9

FILE = re.compile(r"[A-Za-z0-9_-][A-Za-z0-9_.-]{0,199}")


class TrainingFacts(NamedTuple):
    """What a record says of a training.

    Attributes:
        updates: that it made.
        metrics: the file of each metric's trace, by its name.
    """

    updates: int
    metrics: Mapping[str, str]


def read_training(file: BinaryIO) -> TrainingFacts:
    """Read the facts of a training.

    Raises:
        ValueError: they are malformed.
    """
    found = json.loads(read_bytes(file, MOST_JSON))
    if not isinstance(found, dict):
        raise ValueError("is no mapping")
    updates, metrics = found.get("updates"), found.get("metrics")
    if not isinstance(updates, int) or isinstance(updates, bool):
        raise ValueError("holds no number of updates")
    if not 0 <= updates <= MOST_UPDATES:
        raise ValueError("holds no possible number of updates")
    if not isinstance(metrics, dict) or not all(
        isinstance(each, str) and FILE.fullmatch(each) for each in metrics.values()
    ):
        raise ValueError("names no files of metrics")
    return TrainingFacts(updates, metrics)


def read_losses(file: BinaryIO) -> Trace:
    """Read the mini-batch losses of a training: float64, shape (n,) or (n + 1,)."""
    return check_trace(read_array(file), empty=True)


def read_readings(file: BinaryIO) -> Array:
    """Read the trace of a metric: updates and values, shape (readings, 2).

    Raises:
        ValueError: it is something else.
    """
    found = read_array(file)
    if found.ndim != 2 or found.shape[1] != 2:
        raise ValueError(f"is no trace of a metric: shape {found.shape}")
    return found
