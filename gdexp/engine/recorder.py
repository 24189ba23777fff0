"""Recording a function of tensors: every operation that torch makes of it, seen from below.

A dispatch mode sees the operations of the function and of torch's autograd. It does not see
`.tolist()`, numpy or counters of Python: see `agreed_recording`.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Mapping, Sequence
from contextlib import ExitStack
from functools import cache
from pathlib import Path
from types import FrameType
from typing import Any, NamedTuple

import torch
from torch.overrides import TorchFunctionMode
from torch.utils._python_dispatch import TorchDispatchMode

from gdexp.engine.memory import Memory
from gdexp.engine.not_portable import NotPortable, Place
from gdexp.engine.recording import Call, Recording, Ref, tensors

Tensors = Mapping[str, torch.Tensor]
Recorded = Callable[..., Tensors]
"""A function that is recorded: it takes tensors by name, and returns tensors by name."""

Operator = Any
"""An operator of torch, or a function of its interface."""

Given = Any
"""An argument or a result of an operator."""

# fmt: off
OF_SHAPE_ONLY = frozenset([
    "aten::ones_like", "aten::zeros_like", "aten::full_like", "aten::empty_like",
    "aten::rand_like", "aten::randn_like", "aten::randint_like", "aten::new_zeros",
    "aten::new_ones", "aten::new_full", "aten::new_empty", "aten::new_empty_strided",
    "aten::is_same_size",
])
# fmt: on
"""Operations whose result does not depend on the numbers of their argument."""

VIEWS_IN_PLACE = frozenset(
    f"aten::{name}_" for name in ("squeeze", "unsqueeze", "t", "transpose", "swapaxes", "detach")
)
"""Operations in place that change how a tensor looks at its memory, but no number."""

OVERWRITES = {f"aten::{name}_": f"gdexp::{name}" for name in ("copy", "fill", "zero")}
"""Operations in place that do not read what was there; they are recorded with its shape."""

LEAVES_TORCH = frozenset(["numpy", "tolist", "__array__", "__dlpack__", "data_ptr"])
"""Methods of a tensor behind which nothing is recorded."""

_TORCH = str(Path(torch.__file__).parent) + "/"
_HERE = str(Path(__file__).parent) + "/"


class _Operation(NamedTuple):
    """An operator of torch: its name, with and without overload, and how it writes."""

    base: str
    name: str
    writes_first: bool
    writes_others: bool


class Recorder(TorchDispatchMode):  # type: ignore[no-untyped-call]
    """Records what torch computes from some inputs while it is active.

    Args:
        inputs: the tensors that are not constants.
    """

    @classmethod
    def _should_skip_dynamo(cls) -> bool:
        """Return False: else the first operation imports torch._dynamo and sympy, for seconds."""
        return False

    def __init__(self, inputs: Tensors) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self.recording = Recording()
        self.memory = Memory(self.recording)
        self.failure: NotPortable | None = None
        self._lines: dict[int, Place] = {}
        for name, tensor in inputs.items():
            self.recording.inputs[name] = self.memory.add(tensor, is_input=True)

    def __torch_dispatch__(
        self,
        func: Operator,
        types: Sequence[type],
        args: tuple[Any, ...] = (),
        kwargs: dict[str, Any] | None = None,
    ) -> Given:
        """Compute one operation and record it."""
        kwargs = kwargs or {}
        operation = _operation(func)
        given = tensors((args, kwargs))
        if not any(map(self.memory.depends, given)) or operation.base in OF_SHAPE_ONLY:
            return func(*args, **kwargs)
        place = self._place()
        try:
            return self._record(func, operation, args, kwargs, place)
        except NotPortable as error:
            raise self.fail(error, place) from None

    def fail(self, error: NotPortable, place: Place | None) -> NotPortable:
        """Keep an error, because the recorded function may catch it; return it with its place."""
        self.failure = self.failure or error.at(place)
        return self.failure

    def _record(
        self,
        func: Operator,
        operation: _Operation,
        args: tuple[Any, ...],
        kwargs: dict[str, Any],
        place: Place | None,
    ) -> Given:
        if operation.writes_others:
            raise NotPortable(f"{operation.name} has no portable form")
        name = OVERWRITES.get(operation.base, operation.name)
        old = tuple(args[0].shape) if operation.base in OVERWRITES else self._refs(args[0])
        recorded_args = (old, *self._refs(args[1:]))
        recorded_kwargs = self._refs(kwargs)
        if operation.base == "aten::as_strided" and not _is_plain(args[0]):
            raise NotPortable("aten::as_strided of a view has no portable form")
        if operation.writes_first and operation.base not in VIEWS_IN_PLACE:
            self.memory.prepare_change(args[0])
        result = func(*args, **kwargs)
        many = isinstance(result, list | tuple)
        results = result if many else (result,)
        if any(not isinstance(each, torch.Tensor | None) for each in results):
            raise NotPortable(_leaves(operation.base))
        if operation.writes_first:
            slot = self.recording.add_slot(tuple(args[0].shape), args[0].dtype)
            outputs: tuple[int, ...] = (slot,)
        else:
            outputs = tuple(map(self._add, results))
        call = Call(name, recorded_args, recorded_kwargs, outputs, place)
        self.recording.calls.append(call)
        if operation.base in VIEWS_IN_PLACE:
            self.memory.reshape(args[0], outputs[0])
        elif operation.writes_first:
            self.memory.change(args[0], outputs[0])
        return result

    def _add(self, result: torch.Tensor | None) -> int:
        """Return the slot of a result; torch leaves some of them undefined."""
        if result is None:
            return self.recording.add_slot((), torch.float32)
        return self.memory.add(result)

    def _refs(self, given: Given) -> Given:
        if isinstance(given, torch.Tensor):
            return Ref(self.memory.slot(given))
        if isinstance(given, list | tuple):
            return type(given)(map(self._refs, given))
        if isinstance(given, dict):
            return {name: self._refs(each) for name, each in given.items()}
        return given

    def _place(self) -> Place | None:
        """Return the line of the operation; in the backward pass that of its forward operation."""
        node: Any = torch._C._current_autograd_node()
        if node is not None:
            return self._lines.get(node._sequence_nr())
        place = calling_line(sys._getframe(2))
        if place is not None:
            # The operation's node of the graph exists already and has taken the last number.
            self._lines[torch._C._autograd._get_sequence_nr() - 1] = place
        return place


class _Guard(TorchFunctionMode):
    """Refuses methods that carry a recorded tensor out of torch.

    Args:
        recorder: that knows the recorded tensors.
    """

    def __init__(self, recorder: Recorder) -> None:
        super().__init__()
        self.recorder = recorder

    def __torch_function__(
        self,
        func: Operator,
        types: Sequence[type],
        args: tuple[Any, ...] = (),
        kwargs: dict[str, Any] | None = None,
    ) -> Given:
        """Call the function."""
        if getattr(func, "__name__", "") in LEAVES_TORCH and self.recorder.memory.depends(args[0]):
            error = NotPortable(f"Tensor.{func.__name__} of a tensor that depends on x")
            raise self.recorder.fail(error, calling_line(sys._getframe(1)))
        return func(*args, **(kwargs or {}))


def record(function: Recorded, inputs: Tensors) -> Recording:
    """Return the operations of a function.

    The state of torch's random numbers is left as it was.

    Args:
        function: takes the inputs by name and returns tensors by name.
        inputs: tensors on the CPU.

    Raises:
        NotPortable: something cannot be recorded, or the function raised an error.
    """
    recorder = Recorder(inputs)
    random = torch.get_rng_state()
    try:
        with ExitStack() as stack:
            stack.enter_context(torch.enable_grad())
            stack.enter_context(recorder)
            stack.enter_context(_Guard(recorder))
            outputs = function(**inputs)
    except NotPortable:
        raise
    except Exception as error:
        if recorder.failure is None:
            lines = str(error).splitlines() or [""]
            reason = f"recording failed: {type(error).__name__}: {lines[0]}"
            raise NotPortable(reason) from error
    finally:
        torch.set_rng_state(random)
    if recorder.failure is not None:
        raise recorder.failure
    recording = recorder.recording
    for name, tensor in outputs.items():
        recording.outputs[name] = recorder.memory.slot(tensor)
        recording.values[name] = tensor.detach()
    return recording


def agreed_recording(function: Recorded, inputs: Tensors, others: Tensors) -> Recording:
    """Return the operations of a function, recorded at two points, and twice at the first.

    What a recording cannot see makes the recordings differ: numbers that leave torch come back
    as constants, and they are others at another point or at another time.

    Args:
        function: that is recorded.
        inputs: the first point.
        others: the second one.

    Raises:
        NotPortable: it cannot be recorded, or the recordings differ.
    """
    first, second, third = (record(function, given) for given in (inputs, others, inputs))
    if (found := first.difference(third)) is not None:
        raise NotPortable(f"two recordings at one point differ: {found[0]}", found[1])
    if (found := first.difference(second)) is not None:
        raise NotPortable(f"its operations depend on x: {found[0]}", found[1])
    return first


def calling_line(frame: FrameType | None) -> Place | None:
    """Return the innermost line outside of torch and of the recorder."""
    while frame is not None:
        file = frame.f_code.co_filename
        if not file.startswith((_TORCH, _HERE, "<")):
            return Place(file, frame.f_lineno)
        frame = frame.f_back
    return None


@cache
def _operation(func: Operator) -> _Operation:
    schema = func._schema
    written = [
        i
        for i, each in enumerate(schema.arguments)
        if each.alias_info is not None and each.alias_info.is_write
    ]
    base, overload = schema.name, schema.overload_name
    first = written == [0] and str(schema.arguments[0].type) == "Tensor"
    pure = base.removesuffix("_") if first else base
    name = f"{pure}.{overload}" if overload else pure
    return _Operation(base, name, first, bool(written) and not first)


def _is_plain(tensor: torch.Tensor) -> bool:
    return tensor.is_contiguous() and tensor.storage_offset() == 0


def _leaves(base: str) -> str:
    if base == "aten::_local_scalar_dense":
        return f"{base}: a number that depends on x leaves torch, by .item(), float() or a branch"
    return f"{base}: its result leaves torch"
