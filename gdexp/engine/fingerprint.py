"""What an object's attributes show of the values that its methods compute with."""

from __future__ import annotations

import types
from collections.abc import Hashable

import torch

from gdexp.engine.tensor_digests import TensorDigests

HIDDEN = "_gdexp_"
"""How the names of attributes begin that gdexp keeps with an object and that decide nothing."""

DEPTH, LONGEST = 6, 256
"""Of containers in an object's attributes that are looked into."""

_PLAIN = (int, float, complex, str, bytes, bool, type(None), torch.dtype, torch.device)


def fingerprint(owner: object, digests: TensorDigests) -> tuple[Hashable, list[object]]:
    """Return what an object's attributes show, and the objects that it names by their ids.

    Numbers, texts and tensors are there by value, modules by identity and the versions of their
    tensors, containers and functions with what they hold, everything else by identity.

    Args:
        owner: the object.
        digests: of its tensors.
    """
    reader = _Reader(digests)
    attributes = tuple(
        (name, reader.token(value, DEPTH))
        for name, value in vars(owner).items()
        if not name.startswith(HIDDEN)
    )
    return (type(owner), attributes), reader.held


class _Reader:
    """Reads values.

    Args:
        digests: of tensors.

    Attributes:
        held: the objects that were named by their ids.
    """

    def __init__(self, digests: TensorDigests) -> None:
        self._digests = digests
        self.held: list[object] = []

    def token(self, value: object, depth: int) -> Hashable:
        """Return what stands for a value; containers are looked into to a depth."""
        kind = type(value)
        if kind in _PLAIN:
            return (kind, repr(value) if kind is float else value)
        if isinstance(value, torch.Tensor):
            content = self._digests.token(value)
            return (self._id(value), value._version) if content is None else content
        if depth == 0 or (isinstance(value, list | tuple | dict) and len(value) > LONGEST):
            return self._id(value)
        if isinstance(value, list | tuple):
            return (kind, tuple(self.token(each, depth - 1) for each in value))
        if isinstance(value, dict):
            pairs = value.items()
            inside = ((self.token(k, depth - 1), self.token(v, depth - 1)) for k, v in pairs)
            return (kind, tuple(inside))
        if isinstance(value, torch.nn.Module):
            numbers = (*value.parameters(), *value.buffers())
            versions = tuple((self._id(each), each._version) for each in numbers)
            return (self._id(value), value.training, versions)
        if isinstance(value, types.MethodType):
            return (self.token(value.__func__, depth), self.token(value.__self__, depth - 1))
        if isinstance(value, types.FunctionType):
            cells = tuple(self.token(_content(cell), depth - 1) for cell in value.__closure__ or ())
            return (self._id(value.__code__), cells, self.token(value.__defaults__, depth - 1))
        inner = getattr(value, "__dict__", None)
        if inner and not isinstance(value, type | types.ModuleType):
            own = {name: each for name, each in inner.items() if not str(name).startswith(HIDDEN)}
            return (self._id(value), self.token(own, depth - 1))
        return self._id(value)

    def _id(self, value: object) -> int:
        self.held.append(value)
        return id(value)


def _content(cell: types.CellType) -> object:
    try:
        return cell.cell_contents
    except ValueError:
        return None
