"""The metrics of a training: plain numbers, and their traces."""

from __future__ import annotations

import math
from array import array
from collections.abc import Mapping
from typing import Any

import numpy as np
import numpy.typing as npt
import torch

from gdexp.core import BadInput

LONGEST_NAME = 100

Readings = npt.NDArray[np.float64]
"""A metric's trace: shape (readings, 2), the updates at which it was taken and the values."""


class MetricTrace:
    """The values of one metric and the updates at which they were taken."""

    def __init__(self) -> None:
        self.updates = array("q")
        self.values = array("d")

    def add(self, update: int, value: float) -> None:
        """Add a reading."""
        self.updates.append(update)
        self.values.append(value)

    def readings(self) -> Readings:
        """Return a copy as an array of shape (readings, 2)."""
        return np.column_stack([np.array(self.updates, np.float64), np.array(self.values)])


def best_value(values: npt.NDArray[np.float64], mode: str) -> float:
    """Return the smallest or largest value; values that are not numbers count as none."""
    known = values[~np.isnan(values)]
    if not known.size:
        return math.nan
    return float(known.min() if mode == "min" else known.max())


def metric_numbers(where: str, returned: object) -> dict[str, float]:
    """Return metrics as plain numbers.

    Args:
        where: what returned them, for the error.
        returned: names with numbers; a number may be a tensor or an array of one element.

    Raises:
        BadInput: it is no dictionary, or it names a metric that is no number.
    """
    if not isinstance(returned, Mapping):
        kind = type(returned).__name__
        raise BadInput("problem", where, f"must return a dictionary of metrics, not {kind}")
    return {_name(where, key): _number(where, key, value) for key, value in returned.items()}


def _name(where: str, key: object) -> str:
    if not isinstance(key, str) or not key.strip() or len(key) > LONGEST_NAME:
        raise BadInput(
            "problem", where, f"a metric's name must be a text of at most {LONGEST_NAME} letters"
        )
    if not all(letter.isalnum() or letter in "_-. /:" for letter in key):
        raise BadInput(
            "problem",
            where,
            f"the metric {key!r} must have a name of letters, digits, spaces and _-./:",
        )
    return key


def _number(where: str, key: str, value: Any) -> float:  # noqa: ANN401
    if isinstance(value, torch.Tensor) and value.numel() == 1:
        return float(value.detach())
    if isinstance(value, np.ndarray) and value.size == 1 and value.dtype.kind in "fiub":
        return float(value.reshape(()))
    if isinstance(value, bool | int | float | np.number | np.bool_) and not isinstance(
        value, complex | np.complexfloating
    ):
        return float(value)
    raise BadInput("problem", where, f"the metric {key!r} must be a number, not {_shown(value)}")


def _shown(value: object) -> str:
    if isinstance(value, torch.Tensor | np.ndarray):
        return f"an array of shape {tuple(value.shape)}"
    return f"{type(value).__name__} {value!r}"[:60]
