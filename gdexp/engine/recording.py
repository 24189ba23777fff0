"""The record of a computation: which ATen operations torch made of it, on which tensors."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any, NamedTuple

import torch

from gdexp.engine.not_portable import NotPortable, Place
from gdexp.engine.program import Array


class Ref(NamedTuple):
    """The tensor in a slot of a recording, as the argument of a call."""

    slot: int


class Slot(NamedTuple):
    """What is known of a tensor in a recording."""

    shape: tuple[int, ...]
    dtype: torch.dtype


class Call(NamedTuple):
    """One operation of a recording.

    Attributes:
        name: `aten::mul.Tensor`; operations in place have the name of the pure one. Names with
            `gdexp::` are made by the recorder (see `Memory`).
        args: with a `Ref` for each tensor, also in lists.
        kwargs: the same by name.
        outputs: the slots of the results.
        place: the line of the user's code.
    """

    name: str
    args: tuple[Any, ...]
    kwargs: dict[str, Any]
    outputs: tuple[int, ...]
    place: Place | None

    @property
    def operation(self) -> str:
        """The name without its overload."""
        return self.name.partition(".")[0]

    @property
    def used(self) -> Iterator[int]:
        """The slots of the arguments."""
        return refs((self.args, self.kwargs))


@dataclass
class Recording:
    """The operations between some inputs and some outputs.

    Attributes:
        slots: all tensors.
        calls: in the order in which torch made them.
        constants: slots of tensors that do not depend on the inputs.
        inputs: slots by name.
        outputs: slots by name.
        values: the outputs as torch computed them.
    """

    slots: list[Slot] = field(default_factory=list)
    calls: list[Call] = field(default_factory=list)
    constants: dict[int, Array] = field(default_factory=dict)
    inputs: dict[str, int] = field(default_factory=dict)
    outputs: dict[str, int] = field(default_factory=dict)
    values: dict[str, torch.Tensor] = field(default_factory=dict)

    def add_slot(self, shape: tuple[int, ...], dtype: torch.dtype) -> int:
        """Return a new slot."""
        self.slots.append(Slot(shape, dtype))
        return len(self.slots) - 1

    @cached_property
    def live_calls(self) -> list[Call]:
        """The calls that an output needs; the recording must be finished."""
        needed = set(self.outputs.values())
        found = []
        for call in reversed(self.calls):
            if needed.intersection(call.outputs):
                found.append(call)
                needed.update(call.used)
        return found[::-1]

    def difference(self, other: Recording) -> tuple[str, Place | None] | None:
        """Return where two recordings differ: a text and a line; None where they agree."""
        ours, theirs = self.live_calls, other.live_calls
        for one, two in zip(ours, theirs, strict=False):
            if repr(one[:4]) != repr(two[:4]):
                return f"{one.operation} once, {two.operation} then", one.place
            for slot in one.used:
                if self._text(slot) != other._text(slot):
                    return f"another constant in {one.operation}", one.place
        if len(ours) != len(theirs):
            longer = max(ours, theirs, key=len)
            return f"{longer[-1].operation} is made once only", longer[-1].place
        for name, slot in self.outputs.items():
            if self._text(slot) != other._text(other.outputs[name]):
                return f"another constant as {name}", None
        return None

    def _text(self, slot: int) -> tuple[Slot, bytes | None]:
        constant = self.constants.get(slot)
        return self.slots[slot], None if constant is None else constant.tobytes()


def refs(given: object) -> Iterator[int]:
    """Return the slots in nested arguments."""
    if isinstance(given, Ref):
        yield given.slot
    elif isinstance(given, list | tuple):
        for each in given:
            yield from refs(each)
    elif isinstance(given, Mapping):
        for each in given.values():
            yield from refs(each)


def tensors(given: object) -> Iterator[torch.Tensor]:
    """Return the tensors in nested arguments."""
    if isinstance(given, torch.Tensor):
        yield given
    elif isinstance(given, list | tuple):
        for each in given:
            yield from tensors(each)
    elif isinstance(given, dict):
        for each in given.values():
            yield from tensors(each)


def array_of(tensor: torch.Tensor) -> Array:
    """Return a copy of a tensor that does not depend on the inputs.

    Raises:
        NotPortable: numpy has no such numbers.
    """
    try:
        array: Array = tensor.detach().resolve_neg().resolve_conj().cpu().numpy().copy()
    except (TypeError, RuntimeError) as error:
        raise NotPortable(f"a tensor of {tensor.dtype} has no portable form: {error}") from None
    return array
