"""Nested states as data: a JSON text for their form and plain values, and a list of tensors.

Nothing of it is code: only the types below are written, and only they can come back.
"""

from __future__ import annotations

import base64
import json
import math
from collections import Counter
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
import torch

from gdexp.checkpoints.tensor_file import DTYPES
from gdexp.core import GdexpError

Json = Any


def encode_tree(value: object, where: str = "state") -> tuple[str, dict[str, torch.Tensor]]:
    """Return a nested state as JSON and tensors.

    Args:
        value: nested dicts, lists and tuples of tensors, arrays, numbers, texts, bytes and None.
            Tensors are not copied; one that occurs twice is kept once.
        where: its name in errors.

    Raises:
        GdexpError: it holds something else; the place is named.
    """
    encoder = _Encoder()
    made = encoder.encode(value, where)
    return json.dumps(made, separators=(",", ":")), encoder.tensors


def decode_tree(
    text: str, tensors: Mapping[str, torch.Tensor], device: torch.device | str = "cpu"
) -> Any:  # noqa: ANN401
    """Return the state that `encode_tree` was given.

    Args:
        text: the JSON.
        tensors: by name.
        device: where tensors go that were not on the CPU.
    """
    return _Decoder(tensors, torch.device(device)).decode(json.loads(text))


class _Encoder:
    def __init__(self) -> None:
        self.tensors: dict[str, torch.Tensor] = {}
        self._names: dict[tuple[object, ...], str] = {}

    def encode(self, value: object, where: str) -> Json:
        """Return a value as JSON: itself, or an object whose one key says its type."""
        if isinstance(value, bool | str | None) and type(value) in (bool, str, type(None)):
            return value
        if type(value) is int:
            return value
        if type(value) is float:
            return value if math.isfinite(value) else {"float": repr(value)}
        if isinstance(value, torch.Tensor):
            return self._tensor(value, where)
        if isinstance(value, np.ndarray | np.generic):
            return self._array(value, where)
        if isinstance(value, bytes):
            return {"bytes": base64.b64encode(value).decode()}
        if isinstance(value, Mapping):
            kind = "counter" if isinstance(value, Counter) else "dict"
            pairs = [
                [self.encode(key, where), self.encode(each, f"{where}.{key}")]
                for key, each in value.items()
            ]
            return {kind: pairs}
        if isinstance(value, list | tuple):
            each = [self.encode(item, f"{where}[{i}]") for i, item in enumerate(value)]
            return each if isinstance(value, list) else {"tuple": each}
        if isinstance(value, str | int | float):  # of a subclass, such as an enumeration's member
            return self.encode(_plain(value), where)
        raise GdexpError(
            f"{where} holds a {type(value).__name__}; a checkpoint holds tensors, numbers and "
            "texts, in dicts and lists"
        )

    def _tensor(self, tensor: torch.Tensor, where: str) -> Json:
        if tensor.dtype not in DTYPES or tensor.layout is not torch.strided:
            kind = f"{str(tensor.dtype).removeprefix('torch.')}, {tensor.layout}"
            raise GdexpError(f"{where} is a tensor of {kind}, which a checkpoint cannot hold")
        # Not by identity: tied weights have one memory, and each call gives them a new object.
        size = tuple(tensor.shape), tensor.stride(), tensor.dtype
        key = (tensor.data_ptr(), *size) if tensor.numel() else (id(tensor), *size)
        name = self._names.get(key)
        if name is None:
            name = self._names[key] = f"{len(self.tensors)}:{where}"
            self.tensors[name] = tensor
        return {"tensor": name, "device": tensor.device.type}

    def _array(self, value: np.ndarray[Any, Any] | np.generic, where: str) -> Json:
        array = np.array(value, copy=None, order="C")
        if array.dtype.kind not in "biufc" or array.dtype.itemsize > 16:
            raise GdexpError(f"{where} is an array of {array.dtype}; a checkpoint holds numbers")
        name = f"{len(self.tensors)}:{where}"
        raw = np.frombuffer(array.tobytes(), dtype=np.uint8).copy()
        self.tensors[name] = torch.from_numpy(raw)
        kind = "scalar" if isinstance(value, np.generic) else "array"
        return {kind: name, "dtype": array.dtype.str, "shape": list(array.shape)}


class _Decoder:
    def __init__(self, tensors: Mapping[str, torch.Tensor], device: torch.device) -> None:
        self._tensors, self._device = tensors, device
        self._moved: dict[str, torch.Tensor] = {}
        self._kinds: dict[str, Callable[[Json], Any]] = {
            "tensor": self._tensor,
            "array": self._array,
            "scalar": self._array,
            "float": lambda made: float(made["float"]),
            "bytes": lambda made: base64.b64decode(made["bytes"]),
            "tuple": lambda made: tuple(map(self.decode, made["tuple"])),
            "dict": lambda made: self._pairs(made["dict"]),
            "counter": lambda made: Counter(self._pairs(made["counter"])),
        }

    def decode(self, made: Json) -> Any:  # noqa: ANN401
        """Return the value of its JSON."""
        if isinstance(made, list):
            return [self.decode(each) for each in made]
        if isinstance(made, dict):
            return self._kinds[next(iter(made))](made)
        return made

    def _pairs(self, pairs: Json) -> dict[Any, Any]:
        return {self.decode(key): self.decode(each) for key, each in pairs}

    def _tensor(self, made: Json) -> torch.Tensor:
        name = made["tensor"]
        if made["device"] == "cpu":
            return self._tensors[name]
        if name not in self._moved:
            self._moved[name] = self._tensors[name].to(self._device)
        return self._moved[name]

    def _array(self, made: Json) -> Any:  # noqa: ANN401
        raw = self._tensors[made.get("array") or made["scalar"]].numpy().tobytes()
        array = np.frombuffer(raw, dtype=np.dtype(made["dtype"])).reshape(made["shape"]).copy()
        return array if "array" in made else array[()]


def _plain(value: str | int | float) -> str | int | float:
    for kind in (str, bool, int, float):
        if isinstance(value, kind):
            return kind(value)
    raise AssertionError("one of these")
