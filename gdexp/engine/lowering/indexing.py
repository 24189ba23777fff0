"""Reading and writing at positions.

Positions that do not depend on x may be any. Repeated ones are accumulated one after the other,
in C order of the positions; where nothing is added, the last one holds.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from gdexp.engine.builder import Builder, Value
from gdexp.engine.lowering.table import lowers
from gdexp.engine.lowering.values import (
    Index,
    Number,
    axis,
    condition,
    constant_index,
    floats,
    full,
    is_boolean,
    positions,
    times,
)
from gdexp.engine.lowering.views import select, tensor, unsqueeze
from gdexp.engine.not_portable import NotPortable

MOST_CHOICES = 64
"""The most entries that a position which depends on x may choose from."""


def _places(shape: Sequence[int], indices: Sequence[Number | None]) -> Index:
    """Return the flat positions that torch's indexing with these tensors reads."""
    keys = tuple(slice(None) if i is None else constant_index(i) for i in indices)
    places: Index = positions(shape)[keys]
    return places


@lowers("index", "_unsafe_index")
def index(b: Builder, self: Number, indices: Sequence[Number | None]) -> Value:
    """The numbers at positions."""
    value = tensor(b, self)
    return b.take(value, _places(value.shape, indices))


@lowers("index_put", "_index_put_impl", "_unsafe_index_put")
def index_put(
    b: Builder,
    self: Number,
    indices: Sequence[Number | None],
    values: Number,
    accumulate: bool = False,
    unsafe: bool = False,
) -> Value:
    """Numbers put to positions, or added there."""
    value = floats(b, self)
    return _write(b, value, _places(value.shape, indices), floats(b, values), accumulate)


def _write(b: Builder, value: Value, places: Index, new: Value, accumulate: bool) -> Value:
    new = b.expand(new, places.shape)
    if accumulate:
        return b.scatter_add(value, new, places)
    chosen = np.arange(value.size)
    chosen[places.reshape(-1)] = value.size + np.arange(places.size)
    return b.take(b.concatenate([value, new]), chosen.reshape(value.shape))


@lowers("take")
def take(b: Builder, self: Number, index: Number) -> Value:
    """The numbers at flat positions."""
    value = tensor(b, self)
    return b.take(value, constant_index(index) % max(value.size, 1))


@lowers("put")
def put_(
    b: Builder, self: Number, index: Number, source: Number, accumulate: bool = False
) -> Value:
    """Numbers put to flat positions, or added there."""
    value = floats(b, self)
    return _write(b, value, constant_index(index) % value.size, floats(b, source), accumulate)


@lowers("index_select")
def index_select(b: Builder, self: Number, dim: int, index: Number) -> Value:
    """Some entries of a dimension."""
    value = tensor(b, self)
    places = np.take(positions(value.shape), constant_index(index), axis(dim, len(value.shape)))
    return b.take(value, places)


@lowers("masked_select")
def masked_select(b: Builder, self: Number, mask: Number) -> Value:
    """The numbers where a mask that does not depend on x is true."""
    value = tensor(b, self)
    places, chosen = np.broadcast_arrays(positions(value.shape), constant_index(mask))
    return b.take(value, places[chosen.astype(bool)])


def _along(shape: Sequence[int], dim: int, index: Index) -> Index:
    """Return the flat positions of torch's gather."""
    grid = list(np.ogrid[tuple(slice(n) for n in index.shape)])
    if not grid:
        return np.zeros((), dtype=np.int64)
    grid[axis(dim, len(shape))] = index
    places: Index = positions(shape)[tuple(grid)]
    return places


@lowers("gather")
def gather(b: Builder, self: Number, dim: int, index: Number, sparse_grad: bool = False) -> Value:
    """The numbers at positions along a dimension.

    Positions that depend on x choose among at most 64 entries by comparing with each of them.
    """
    value = tensor(b, self)
    if not isinstance(index, Value):
        return b.take(value, _along(value.shape, dim, np.asarray(index)))
    d = axis(dim, len(value.shape))
    entries = _entries(b, value, d, index.shape)
    result = entries[0]
    for j, entry in enumerate(entries[1:], start=1):
        result = b.apply("select", b.apply("equal", index, float(j)), entry, result)
    return result


def _entries(b: Builder, value: Value, d: int, shape: Sequence[int]) -> list[Value]:
    if value.shape[d] > MOST_CHOICES:
        raise NotPortable("an index that depends on x has no portable form")
    if [n for i, n in enumerate(value.shape) if i != d] != [
        n for i, n in enumerate(shape) if i != d
    ]:
        raise NotPortable("an index that depends on x has no portable form for these shapes")
    entries = [unsqueeze(b, select(b, value, d, j), d) for j in range(value.shape[d])]
    return [b.expand(entry, shape) for entry in entries]


@lowers("scatter")
def scatter(
    b: Builder, self: Number, dim: int, index: Number, src: Number, reduce: str | None = None
) -> Value:
    """Numbers put to positions along a dimension.

    Positions that depend on x are compared with the place of each number of self, for at most
    64 numbers along the dimension.
    """
    value = floats(b, self)
    if reduce is not None:
        raise NotPortable(f"aten::scatter with reduce={reduce} has no portable form")
    if isinstance(index, Value):
        made = _chosen(b, value, dim, index, src, False)
    else:
        places = _along(value.shape, dim, np.asarray(index))
        made = _write(b, value, places, _part(b, src, places.shape), False)
    return condition(b, made) if is_boolean(self) else made


def _chosen(
    b: Builder, value: Value, dim: int, index: Value, src: Number, accumulate: bool
) -> Value:
    """Return a value with numbers put or added to places that depend on x."""
    d = axis(dim, len(value.shape))
    news = b.expand(floats(b, src), index.shape)
    if not value.shape:
        return b.apply("add", value, news) if accumulate else news
    lengths = [n if i == d else 1 for i, n in enumerate(value.shape)]
    own = b.constant(np.arange(lengths[d]).reshape(lengths))
    for place, new in zip(
        _entries(b, index, d, value.shape), _entries(b, news, d, value.shape), strict=True
    ):
        made = b.apply("add", value, new) if accumulate else new
        value = b.apply("select", b.apply("equal", own, place), made, value)
    return value


@lowers("scatter_add")
def scatter_add(b: Builder, self: Number, dim: int, index: Number, src: Number) -> Value:
    """Numbers added at positions along a dimension; as `scatter` where they depend on x."""
    value = floats(b, self)
    if isinstance(index, Value):
        return _chosen(b, value, dim, index, src, True)
    places = _along(value.shape, dim, constant_index(index))
    return _write(b, value, places, _part(b, src, places.shape), True)


def _part(b: Builder, src: Number, shape: Sequence[int]) -> Value:
    """Return the first numbers of the source along each dimension, as many as there are places."""
    value = floats(b, src)
    if not value.shape:
        return value
    return b.take(value, positions(value.shape)[tuple(slice(n) for n in shape)])


@lowers("index_add")
def index_add(
    b: Builder, self: Number, dim: int, index: Number, source: Number, alpha: float = 1
) -> Value:
    """`alpha * source` added at entries of a dimension."""
    value = floats(b, self)
    places = np.take(positions(value.shape), constant_index(index), axis(dim, len(value.shape)))
    return _write(b, value, places, times(b, alpha, source), True)


@lowers("index_copy")
def index_copy(b: Builder, self: Number, dim: int, index: Number, source: Number) -> Value:
    """The source put to entries of a dimension."""
    value = floats(b, self)
    places = np.take(positions(value.shape), constant_index(index), axis(dim, len(value.shape)))
    return _write(b, value, places, floats(b, source), False)


@lowers("index_fill")
def index_fill(b: Builder, self: Number, dim: int, index: Number, value: Number) -> Value:
    """One number put to entries of a dimension."""
    whole = floats(b, self)
    places = np.take(positions(whole.shape), constant_index(index), axis(dim, len(whole.shape)))
    return _write(b, whole, places, floats(b, value), False)


def _at(shape: Sequence[int], dim: int, key: int | slice) -> Index:
    keys: list[int | slice] = [slice(None)] * len(shape)
    keys[axis(dim, len(shape))] = key
    places: Index = positions(shape)[tuple(keys)]
    return places


@lowers("select_scatter")
def select_scatter(b: Builder, self: Number, src: Number, dim: int, index: int) -> Value:
    """The source put to one entry of a dimension."""
    value = floats(b, self)
    return _write(b, value, _at(value.shape, dim, index), floats(b, src), False)


@lowers("slice_scatter")
def slice_scatter(
    b: Builder,
    self: Number,
    src: Number,
    dim: int = 0,
    start: int | None = None,
    end: int | None = None,
    step: int = 1,
) -> Value:
    """The source put to a slice."""
    value = floats(b, self)
    places = _at(value.shape, dim, slice(start, end, step))
    return _write(b, value, places, floats(b, src), False)


@lowers("embedding")
def embedding(b: Builder, weight: Number, indices: Number, *others: object) -> Value:
    """The rows at positions."""
    value = floats(b, weight)
    return b.take(value, positions(value.shape)[constant_index(indices)])


@lowers("embedding_dense_backward")
def embedding_dense_backward(
    b: Builder,
    grad: Number,
    indices: Number,
    num_weights: int,
    padding_idx: int,
    scale_grad_by_freq: bool,
) -> Value:
    """Zeros with each row added at its position; rows of the padding are left out."""
    if scale_grad_by_freq:
        raise NotPortable("an embedding with scale_grad_by_freq has no portable form")
    rows, value = constant_index(indices).reshape(-1), floats(b, grad)
    width = value.shape[-1]
    counted = np.flatnonzero(rows != padding_idx)
    used = b.take(value, positions((len(rows), width))[counted])
    zeros = full(b, (num_weights, width), 0.0)
    return b.scatter_add(zeros, used, positions((num_weights, width))[rows[counted]])
