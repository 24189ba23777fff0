"""Tensors put together."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np

from gdexp.engine.builder import Builder, Value
from gdexp.engine.lowering.table import lowers
from gdexp.engine.lowering.values import Number, axis, floats, full, positions, select
from gdexp.engine.lowering.views import slice_, tensor, unsqueeze
from gdexp.engine.not_portable import NotPortable


@lowers("cat", "concat", "concatenate")
def cat(b: Builder, tensors: Sequence[Number], dim: int = 0) -> Value:
    """Tensors one after the other along a dimension."""
    values = [tensor(b, each) for each in tensors]
    values = [value for value in values if value.shape != (0,)] or values[:1]
    if len({value.kind for value in values}) > 1:
        values = [floats(b, value) for value in values]
    d = axis(dim, len(values[0].shape))
    order = [d, *(i for i in range(len(values[0].shape)) if i != d)]
    turned = [b.transpose(value, order) for value in values]
    filled = [value for value in turned if value.size] or turned[:1]
    n = sum(value.shape[0] for value in turned)
    rest = [values[0].shape[i] for i in order[1:]]
    whole = filled[0] if len(filled) == 1 else b.concatenate(filled)
    if whole.size != n * math.prod(rest):
        raise NotPortable("aten::cat of these shapes has no portable form")
    return b.transpose(b.reshape(whole, [n, *rest]), np.argsort(order).tolist())


@lowers("stack")
def stack(b: Builder, tensors: Sequence[Number], dim: int = 0) -> Value:
    """Tensors as the entries of a new dimension."""
    return cat(b, [unsqueeze(b, each, dim) for each in tensors], dim)


@lowers("repeat")
def repeat(b: Builder, self: Number, repeats: Sequence[int]) -> Value:
    """The tensor repeated along each dimension."""
    value = tensor(b, self)
    return b.take(value, np.tile(positions(value.shape), tuple(repeats)))


@lowers("constant_pad_nd")
def constant_pad_nd(b: Builder, self: Number, pad: Sequence[int], value: float = 0) -> Value:
    """A number put around a tensor; pairs of widths, those of the last dimension first."""
    inner = floats(b, self)
    for i, (low, high) in enumerate(zip(pad[::2], pad[1::2], strict=True)):
        d = len(inner.shape) - 1 - i
        inner = slice_(b, inner, d, max(-low, 0), inner.shape[d] + min(high, 0))
        edges = [
            full(b, [max(n, 0) if j == d else m for j, m in enumerate(inner.shape)], value)
            for n in (low, high)
        ]
        parts = [edges[0], inner, edges[1]]
        inner = cat(b, [part for part in parts if part.shape[d]], d)
    return inner


@lowers("tril")
def tril(b: Builder, self: Number, diagonal: int = 0) -> Value:
    """0 above a diagonal."""
    value = floats(b, self)
    return select(b, np.tril(np.ones(value.shape, dtype=bool), diagonal), value, 0.0)


@lowers("triu")
def triu(b: Builder, self: Number, diagonal: int = 0) -> Value:
    """0 below a diagonal."""
    value = floats(b, self)
    return select(b, np.triu(np.ones(value.shape, dtype=bool), diagonal), value, 0.0)
