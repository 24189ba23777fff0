"""Lowering a recording, call by call."""

from __future__ import annotations

from typing import Any

import torch

from gdexp.engine.builder import Builder, Value
from gdexp.engine.lowering.table import handler_of
from gdexp.engine.lowering.values import floats
from gdexp.engine.not_portable import NotPortable
from gdexp.engine.operations import Kind
from gdexp.engine.program import Array
from gdexp.engine.recording import Call, Recording, Ref, Slot

COUNTS = frozenset(
    ["sum", "cumsum", "argmax", "argmin", "max", "min", "add", "sub", "relu", "clamp"]
)
"""Operations whose integer results are kept as floats, which hold counts below 2^24 exactly."""

# fmt: off
MOVES = frozenset([
    "view", "_unsafe_view", "reshape", "t", "transpose", "permute", "expand", "unsqueeze",
    "squeeze", "select", "slice", "alias", "detach", "clone", "flip", "cat", "stack", "unbind",
    "split", "split_with_sizes", "where",
])
# fmt: on
"""Operations that move such integers."""

Given = Any


def lower(recording: Recording, builder: Builder) -> dict[str, Value]:
    """Add a recording to a program; return its outputs.

    Args:
        recording: of a function of float tensors.
        builder: of the program; it gets the inputs of the recording.

    Raises:
        NotPortable: it names the operation and the line.
    """
    known: dict[int, Value | Array] = dict(recording.constants)
    for name, slot in recording.inputs.items():
        known[slot] = builder.input(name, recording.slots[slot].shape)
    for call in recording.live_calls:
        try:
            _lower_call(recording, call, builder, known)
        except NotPortable as error:
            reason = error.reason if "::" in error.reason else f"{call.operation}: {error.reason}"
            raise NotPortable(reason, call.place) from None
    outputs = {}
    for name, slot in recording.outputs.items():
        value = known[slot]
        if name == "accepted" and isinstance(value, Value) and value.kind is Kind.BOOLEAN:
            outputs[name] = value
            continue
        _check_dtype(f"the {name}", recording.slots[slot].dtype, builder)
        outputs[name] = floats(builder, value)
    return outputs


def _lower_call(
    recording: Recording, call: Call, builder: Builder, known: dict[int, Value | Array]
) -> None:
    handler = handler_of(call.name)
    if handler is None:
        raise NotPortable(f"{call.operation} has no portable form")
    args, kwargs = _resolved(call.args, known), _resolved(call.kwargs, known)
    try:
        result = handler(builder, *args, **kwargs)
    except (TypeError, ValueError, IndexError) as error:
        raise NotPortable(f"{call.name} has no portable form here: {error}") from error
    results = result if isinstance(result, tuple | list) else (result,)
    if len(results) != len(call.outputs):
        raise NotPortable(f"{call.name} gives {len(call.outputs)} results")
    for slot, value in zip(call.outputs, results, strict=True):
        if value is not None:
            _check(call, recording.slots[slot], value, builder)
            known[slot] = value


def _check(call: Call, expected: Slot, value: Value, builder: Builder) -> None:
    """Check that the result has torch's shape and type."""
    if value.shape != expected.shape:
        raise NotPortable(
            f"{call.name} has another meaning in this torch: its result has shape "
            f"{expected.shape}, not {value.shape}"
        )
    boolean = expected.dtype is torch.bool
    if boolean != (value.kind is Kind.BOOLEAN):
        raise NotPortable(f"{call.name} to {expected.dtype} has no portable form")
    if boolean:
        return
    if expected.dtype is torch.int64:
        name = call.operation.removeprefix("aten::")
        if name in COUNTS | MOVES:
            return
        raise NotPortable(f"{call.operation} of integers that depend on x has no portable form")
    _check_dtype(call.operation, expected.dtype, builder)


def _check_dtype(what: str, dtype: torch.dtype, builder: Builder) -> None:
    name = str(dtype).removeprefix("torch.")
    if name != builder.dtype:
        raise NotPortable(f"{what} is {name}, not {builder.dtype} as x is")


def _resolved(given: Given, known: dict[int, Value | Array]) -> Given:
    if isinstance(given, Ref):
        return known.get(given.slot)  # None: a buffer of torch that its lowering does without
    if isinstance(given, list | tuple):
        return [_resolved(each, known) for each in given]
    if isinstance(given, dict):
        return {name: _resolved(each, known) for name, each in given.items()}
    return given
