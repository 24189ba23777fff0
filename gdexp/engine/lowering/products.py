"""Matrix products: products of numbers, summed over the inner dimension as a balanced tree."""

from __future__ import annotations

from gdexp.engine.builder import Builder, Value
from gdexp.engine.lowering.table import lowers
from gdexp.engine.lowering.values import Number, arithmetic, floats, times
from gdexp.engine.lowering.views import transpose, unsqueeze


def rows_times_columns(b: Builder, one: Number, two: Number) -> Value:
    """Return `sum over k of one[…, i, k] * two[…, k, j]`."""
    left, right = unsqueeze(b, one, -2), unsqueeze(b, transpose(b, two, -1, -2), -3)
    return b.sum(times(b, left, right))


@lowers("mm", "bmm", "matmul")
def mm(b: Builder, self: Number, mat2: Number) -> Value:
    """Products of a row's and a column's numbers, summed."""
    return rows_times_columns(b, floats(b, self), floats(b, mat2))


@lowers("mv")
def mv(b: Builder, self: Number, vec: Number) -> Value:
    """Products of a row's numbers and the vector's, summed."""
    return b.sum(times(b, floats(b, self), unsqueeze(b, vec, 0)))


@lowers("dot", "vdot", "inner")
def dot(b: Builder, self: Number, tensor: Number) -> Value:
    """Products, summed."""
    return b.sum(times(b, self, tensor))


@lowers("ger", "outer")
def outer(b: Builder, self: Number, vec2: Number) -> Value:
    """All products."""
    return times(b, unsqueeze(b, self, 1), unsqueeze(b, vec2, 0))


def _added(b: Builder, self: Number, product: Value, beta: float, alpha: float) -> Value:
    if beta == 0:
        return times(b, alpha, product)
    return arithmetic(b, "add", times(b, beta, self), times(b, alpha, product))


@lowers("addmm", "baddbmm")
def addmm(
    b: Builder, self: Number, mat1: Number, mat2: Number, beta: float = 1, alpha: float = 1
) -> Value:
    """`beta * self + alpha * (mat1 @ mat2)`; self is not read where beta is 0."""
    product = rows_times_columns(b, floats(b, mat1), floats(b, mat2))
    return b.expand(_added(b, self, product, beta, alpha), product.shape)


@lowers("addmv")
def addmv(
    b: Builder, self: Number, mat: Number, vec: Number, beta: float = 1, alpha: float = 1
) -> Value:
    """`beta * self + alpha * (mat @ vec)`; self is not read where beta is 0."""
    product = mv(b, mat, vec)
    return b.expand(_added(b, self, product, beta, alpha), product.shape)


@lowers("addr")
def addr(
    b: Builder, self: Number, vec1: Number, vec2: Number, beta: float = 1, alpha: float = 1
) -> Value:
    """`beta * self + alpha * outer(vec1, vec2)`; self is not read where beta is 0."""
    return _added(b, self, outer(b, vec1, vec2), beta, alpha)


@lowers("linear")
def linear(b: Builder, self: Number, weight: Number, bias: Number | None = None) -> Value:
    """`bias + self @ weight.T`."""
    product = rows_times_columns(b, floats(b, self), transpose(b, floats(b, weight), 0, 1))
    return product if bias is None else arithmetic(b, "add", bias, product)
