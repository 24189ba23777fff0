"""Views of a tensor, the copies that torch makes of views, and their gradients."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np

from gdexp.engine.builder import Builder, Value, contiguous
from gdexp.engine.lowering.table import lowers
from gdexp.engine.lowering.values import Number, axis, floats, positions, put, strided
from gdexp.engine.not_portable import NotPortable


def tensor(b: Builder, given: Number) -> Value:
    """Return a tensor as a value; booleans that depend on x stay booleans."""
    return given if isinstance(given, Value) else floats(b, given)


@lowers("alias", "detach", "clone", "lift_fresh", "contiguous", "_conj", "resolve_neg", "positive")
def same(b: Builder, self: Number, **others: object) -> Value:
    """The same numbers."""
    return tensor(b, self)


@lowers("view", "_unsafe_view", "reshape", "_reshape_alias", "view_copy")
def view(b: Builder, self: Number, size: object, *others: object) -> Value:
    """The same numbers in C order in another shape."""
    value = tensor(b, self)
    if not isinstance(size, list | tuple):
        raise NotPortable(f"a view as {size} has no portable form")
    shape = list(size)
    if -1 in shape:
        known = math.prod(n for n in shape if n != -1)
        shape[shape.index(-1)] = value.size // max(known, 1)
    if value.size == 0:
        return strided(b, value, shape, 0, contiguous(tuple(shape)))
    return b.reshape(value, shape)


@lowers("t", "numpy_T")
def t(b: Builder, self: Number) -> Value:
    """The two dimensions exchanged."""
    value = tensor(b, self)
    return b.transpose(value, range(len(value.shape))[::-1])


@lowers("transpose", "swapaxes", "swapdims")
def transpose(b: Builder, self: Number, dim0: int, dim1: int) -> Value:
    """Two dimensions exchanged."""
    value = tensor(b, self)
    order = list(range(len(value.shape)))
    if order:
        one, two = axis(dim0, len(order)), axis(dim1, len(order))
        order[one], order[two] = order[two], order[one]
    return b.transpose(value, order)


@lowers("permute")
def permute(b: Builder, self: Number, dims: Sequence[int]) -> Value:
    """The dimensions in another order."""
    value = tensor(b, self)
    return b.transpose(value, [axis(d, len(value.shape)) for d in dims])


@lowers("expand")
def expand(b: Builder, self: Number, size: Sequence[int], implicit: bool = False) -> Value:
    """The numbers repeated along dimensions of length 1 and new ones; -1 keeps a length."""
    value = tensor(b, self)
    new = len(size) - len(value.shape)
    shape = [value.shape[i - new] if n == -1 else n for i, n in enumerate(size)]
    if 0 in shape:
        return strided(b, value, shape, 0, [0] * len(shape))
    return b.expand(value, shape)


@lowers("unsqueeze")
def unsqueeze(b: Builder, self: Number, dim: int) -> Value:
    """A new dimension of length 1."""
    value = tensor(b, self)
    place = axis(dim, len(value.shape) + 1)
    return view(b, value, [*value.shape[:place], 1, *value.shape[place:]])


@lowers("squeeze")
def squeeze(b: Builder, self: Number, dim: int | Sequence[int] | None = None) -> Value:
    """Without dimensions of length 1, all of them or those that are named."""
    value = tensor(b, self)
    dims = range(len(value.shape)) if dim is None else [dim] if isinstance(dim, int) else dim
    gone = {axis(d, len(value.shape)) for d in dims}
    return view(b, value, [n for i, n in enumerate(value.shape) if n != 1 or i not in gone])


@lowers("select", "select_copy")
def select(b: Builder, self: Number, dim: int, index: int) -> Value:
    """One entry of a dimension, which goes."""
    value = tensor(b, self)
    d = axis(dim, len(value.shape))
    strides = list(contiguous(value.shape))
    offset = (index % value.shape[d]) * strides[d]
    shape = [n for i, n in enumerate(value.shape) if i != d]
    return strided(b, value, shape, offset, [s for i, s in enumerate(strides) if i != d])


@lowers("slice", "slice_copy")
def slice_(
    b: Builder,
    self: Number,
    dim: int = 0,
    start: int | None = None,
    end: int | None = None,
    step: int = 1,
) -> Value:
    """Entries start, start + step, … before end, of one dimension."""
    value = tensor(b, self)
    d = axis(dim, len(value.shape))
    span = range(value.shape[d])[start:end:step]
    strides = list(contiguous(value.shape))
    offset = span.start * strides[d]
    strides[d] *= step
    shape = [len(span) if i == d else n for i, n in enumerate(value.shape)]
    return strided(b, value, shape, offset, strides)


@lowers("narrow")
def narrow(b: Builder, self: Number, dim: int, start: int, length: int) -> Value:
    """Some neighbouring entries of one dimension."""
    return slice_(b, self, dim, start, start + length)


@lowers("unbind")
def unbind(b: Builder, self: Number, dim: int = 0) -> tuple[Value, ...]:
    """All entries of one dimension."""
    value = tensor(b, self)
    n = value.shape[axis(dim, len(value.shape))]
    return tuple(select(b, value, dim, i) for i in range(n))


@lowers("split", "chunk")
def split(b: Builder, self: Number, size: int | Sequence[int], dim: int = 0) -> tuple[Value, ...]:
    """Neighbouring pieces of one dimension; the last may be shorter."""
    if not isinstance(size, int):
        return split_with_sizes(b, self, size, dim)
    value = tensor(b, self)
    n = value.shape[axis(dim, len(value.shape))]
    starts = range(0, n, size) if n else [0]
    return tuple(slice_(b, value, dim, i, min(i + size, n)) for i in starts)


@lowers("split_with_sizes")
def split_with_sizes(
    b: Builder, self: Number, sizes: Sequence[int], dim: int = 0
) -> tuple[Value, ...]:
    """Neighbouring pieces of one dimension."""
    pieces, start = [], 0
    for size in sizes:
        pieces.append(slice_(b, self, dim, start, start + size))
        start += size
    return tuple(pieces)


@lowers("diagonal", "diagonal_copy")
def diagonal(b: Builder, self: Number, offset: int = 0, dim1: int = 0, dim2: int = 1) -> Value:
    """The entries with i + offset = j of two dimensions, as a new last dimension."""
    value = tensor(b, self)
    one, two = axis(dim1, len(value.shape)), axis(dim2, len(value.shape))
    places = np.diagonal(positions(value.shape), offset, one, two)
    return b.take(value, places)


@lowers("as_strided")
def as_strided(
    b: Builder,
    self: Number,
    size: Sequence[int],
    stride: Sequence[int],
    storage_offset: int | None = None,
) -> Value:
    """A view of the flat numbers with any strides."""
    return strided(b, tensor(b, self), size, storage_offset or 0, stride)


@lowers("unfold")
def unfold(b: Builder, self: Number, dimension: int, size: int, step: int) -> Value:
    """Windows of one dimension, as a new last dimension."""
    value = tensor(b, self)
    d = axis(dimension, len(value.shape))
    strides = list(contiguous(value.shape))
    shape = list(value.shape)
    shape[d] = (shape[d] - size) // step + 1
    window = strides[d]
    strides[d] *= step
    return strided(b, value, [*shape, size], 0, [*strides, window])


@lowers("unfold_backward")
def unfold_backward(
    b: Builder, grad: Number, input_sizes: Sequence[int], dim: int, size: int, step: int
) -> Value:
    """Zeros with each number of a window added to its place, in C order of the windows."""
    value = tensor(b, grad)
    places = positions(input_sizes)
    windows = np.lib.stride_tricks.sliding_window_view(places, size, axis(dim, places.ndim))
    steps = [slice(None)] * windows.ndim
    steps[axis(dim, places.ndim)] = slice(None, None, step)
    zeros = b.constant(np.zeros(tuple(input_sizes)))
    return b.scatter_add(zeros, value, windows[tuple(steps)].copy())


@lowers("flip")
def flip(b: Builder, self: Number, dims: Sequence[int]) -> Value:
    """Some dimensions in reverse."""
    value = tensor(b, self)
    strides, offset = list(contiguous(value.shape)), 0
    for d in {axis(d, len(value.shape)) for d in dims} if value.shape else ():
        offset += (value.shape[d] - 1) * strides[d]
        strides[d] = -strides[d]
    return strided(b, value, value.shape, offset, strides)


@lowers("roll")
def roll(
    b: Builder, self: Number, shifts: int | Sequence[int], dims: int | Sequence[int] = ()
) -> Value:
    """Entries moved along dimensions, those at the end to the front."""
    value = tensor(b, self)
    places = positions(value.shape)
    shifts = [shifts] if isinstance(shifts, int) else shifts
    dims = [dims] if isinstance(dims, int) else dims
    moved = np.roll(places, shifts, tuple(dims)) if dims else np.roll(places, shifts[0])
    return b.take(value, moved)


@lowers("slice_backward")
def slice_backward(
    b: Builder, grad: Number, sizes: Sequence[int], dim: int, start: int, end: int, step: int
) -> Value:
    """Zeros with grad in the place of the slice."""
    steps = [slice(None)] * len(sizes)
    steps[axis(dim, len(sizes))] = slice(start, end, step)
    return put(b, floats(b, grad), positions(sizes)[tuple(steps)], sizes)


@lowers("select_backward")
def select_backward(b: Builder, grad: Number, sizes: Sequence[int], dim: int, index: int) -> Value:
    """Zeros with grad in the place of the entry."""
    return put(b, floats(b, grad), np.take(positions(sizes), index, axis(dim, len(sizes))), sizes)


@lowers("diagonal_backward")
def diagonal_backward(
    b: Builder, grad: Number, sizes: Sequence[int], offset: int, dim1: int, dim2: int
) -> Value:
    """Zeros with grad on the diagonal."""
    one, two = axis(dim1, len(sizes)), axis(dim2, len(sizes))
    return put(b, floats(b, grad), np.diagonal(positions(sizes), offset, one, two), sizes)


@lowers("gdexp::flatten")
def flatten(b: Builder, self: Number, strides: Sequence[int]) -> Value:
    """The numbers of a tensor in the order of its memory."""
    value = tensor(b, self)
    order = sorted(range(len(strides)), key=lambda i: (-strides[i], -value.shape[i]))
    return view(b, b.transpose(value, order), [-1])


@lowers("gdexp::read")
def read(
    b: Builder, flat: Number, shape: Sequence[int], strides: Sequence[int], offset: int
) -> Value:
    """A view of memory."""
    return strided(b, tensor(b, flat), shape, offset, strides)


@lowers("gdexp::write")
def write(b: Builder, flat: Number, self: Number, strides: Sequence[int], offset: int) -> Value:
    """Memory with the numbers of a tensor put into it."""
    memory, value = tensor(b, flat), tensor(b, self)
    if memory.kind is not value.kind:
        raise NotPortable("a tensor of booleans is changed in place")
    places = np.full(value.shape, offset, dtype=np.int64)
    for i, (n, stride) in enumerate(zip(value.shape, strides, strict=True)):
        along = [n if i == j else 1 for j in range(len(value.shape))]
        places += (np.arange(n) * stride).reshape(along)
    index = np.arange(memory.size)
    index[places.reshape(-1)] = memory.size + np.arange(value.size)
    return b.take(b.concatenate([memory, value]), index)
