"""Checks of single values, shared by the Python API and the config.

Each returns the value in its proper type or raises `BadInput` with the key.
Nothing is guessed: a string is not a number, `True` is not 1, and 1.0 is not an integer.
"""

from __future__ import annotations

import math
import numbers
from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING

from gdexp.core.errors import BadInput, nearest

if TYPE_CHECKING:
    import torch

MAX_SEED = 2**63 - 1
DTYPES = ("float32", "float64", "float16", "bfloat16")


def number(key: str, value: object) -> float:
    """A finite number."""
    if type(value) is float and math.isfinite(value):  # most values, and the quickest test
        return value
    if isinstance(value, bool) or not isinstance(value, numbers.Real):
        raise BadInput(key, value, _not_a_number(value))
    try:
        result = float(value)
    except OverflowError:
        result = math.inf
    if not math.isfinite(result):
        raise BadInput(key, value, "must be a finite number")
    return result


def positive(key: str, value: object) -> float:
    """A finite number above 0."""
    result = number(key, value)
    if result <= 0:
        raise BadInput(key, value, "must be > 0")
    return result


def non_negative(key: str, value: object) -> float:
    """A finite number of at least 0."""
    result = number(key, value)
    if result < 0:
        raise BadInput(key, value, "must be >= 0")
    return result


def fraction(key: str, value: object) -> float:
    """A finite number in [0, 1)."""
    result = number(key, value)
    if not 0 <= result < 1:
        raise BadInput(key, value, "must be at least 0 and below 1")
    return result


def integer(key: str, value: object, low: int = 0, high: int = MAX_SEED) -> int:
    """An integer in [low, high]."""
    if type(value) is int and low <= value <= high:  # most values, and the quickest test
        return value
    top = "2^63-1" if high == MAX_SEED else str(high)
    whole = isinstance(value, numbers.Integral) and not isinstance(value, bool)
    if not whole or not low <= int(value) <= high:  # type: ignore[call-overload]
        written = isinstance(value, float) and value.is_integer() and low <= value <= high
        hint = f"; write {value:.0f}" if written else ""
        raise BadInput(key, value, f"must be an integer from {low} to {top}{hint}")
    return int(value)  # type: ignore[call-overload, no-any-return]


def boolean(key: str, value: object) -> bool:
    """`true` or `false`."""
    if not isinstance(value, bool):
        raise BadInput(key, value, "must be true or false")
    return value


def text(key: str, value: object) -> str:
    """A string that is not empty."""
    if not isinstance(value, str) or not value.strip():
        raise BadInput(key, value, "must be a text that is not empty")
    return value


def choice(key: str, value: object, choices: Iterable[str]) -> str:
    """One of a list of names; the error offers the nearest one."""
    valid = list(choices)
    if not isinstance(value, str) or value not in valid:
        raise BadInput(key, value, nearest(value if isinstance(value, str) else "", valid))
    return value


def tensor(key: str, value: object) -> torch.Tensor:
    """A finite float64 tensor from a tensor, an array or a (nested) list of numbers.

    A tensor or an array must have a floating dtype. Integers in a literal list are read as floats:
    a person types 1 for 1.0.
    """
    import numpy as np
    import torch

    if isinstance(value, np.ndarray):
        if value.dtype.kind != "f":
            raise BadInput(key, f"array of {value.dtype}", "must have a floating dtype")
        value = torch.from_numpy(value.copy())
    if isinstance(value, torch.Tensor):
        if not value.is_floating_point():
            raise BadInput(
                key, f"tensor of {value.dtype}", "must have a floating dtype: use .float()"
            )
        result = value.detach().to("cpu", torch.float64, copy=True)
    else:
        _check_literal(key, value)
        try:
            result = torch.tensor(value, dtype=torch.float64)
        except (ValueError, TypeError, RuntimeError, OverflowError):
            raise BadInput(
                key, value, "must be a (nested) list of numbers with rows of equal length"
            ) from None
    if result.numel() == 0:
        raise BadInput(key, value, "must hold at least one number")
    if not torch.isfinite(result).all():
        raise BadInput(key, _plain(value), "must hold finite numbers only")
    return result


def dtype(value: object, key: str = "dtype") -> torch.dtype:
    """A floating dtype by name or as torch's own object."""
    import torch

    if isinstance(value, torch.dtype):
        value = str(value).removeprefix("torch.")
    result: torch.dtype = getattr(torch, choice(key, value, DTYPES))
    return result


def device(value: object, key: str = "device") -> torch.device:
    """A device of this machine: `cpu`, or `cuda` / `cuda:N` when there is a GPU."""
    import torch

    usable = ["cpu"]
    if torch.cuda.is_available():
        usable += ["cuda", *(f"cuda:{i}" for i in range(torch.cuda.device_count()))]
    name = str(value) if isinstance(value, torch.device) else value
    if name not in usable:
        raise BadInput(key, value, "usable here: " + ", ".join(usable))
    return torch.device(str(name))


def _not_a_number(value: object) -> str:
    if value is None:
        return "must be a number; none was given"
    word = value.strip().lower() if isinstance(value, str) else ""
    if word in {"nan", "inf", "-inf"}:
        dotted = word.replace("inf", ".inf") if "inf" in word else ".nan"
        return f"must be a finite number (YAML writes the float as {dotted})"
    if word in {".nan", ".inf", "-.inf"}:
        return "must be a finite number"
    return "must be a number"


def _check_literal(key: str, value: object) -> None:
    """Refuse booleans, strings and nulls, which torch.tensor converts or explains badly."""
    if isinstance(value, Sequence) and not isinstance(value, str | bytes):
        for item in value:
            _check_literal(key, item)
    elif isinstance(value, bool) or not isinstance(value, int | float):
        raise BadInput(key, value, "must be a (nested) list of numbers")


def _plain(value: object) -> object:
    import torch

    return value.tolist() if isinstance(value, torch.Tensor) else value
