"""Loss functions and their gradients.

`reduction` is 0 for none, 1 for the mean and 2 for the sum.
"""

from __future__ import annotations

import numpy as np

from gdexp.engine.builder import Builder, Value
from gdexp.engine.lowering.activations import log_sigmoid
from gdexp.engine.lowering.elementwise import clamp_min
from gdexp.engine.lowering.table import lowers
from gdexp.engine.lowering.values import (
    Index,
    Number,
    arithmetic,
    average,
    constant_index,
    elementary,
    floats,
    positions,
    put,
    times,
    total,
)
from gdexp.engine.not_portable import NotPortable
from gdexp.engine.operations import Kind
from gdexp.engine.program import Array

NONE, MEAN, SUM = 0, 1, 2


def reduced(b: Builder, value: Value, reduction: int) -> Value:
    """Return the losses of all numbers, their mean or their sum."""
    if reduction == NONE:
        return value
    return average(b, value) if reduction == MEAN else total(b, value)


def _size(*given: Number) -> int:
    shapes = [each.shape if isinstance(each, Value) else np.shape(each) for each in given]
    return int(np.prod(np.broadcast_shapes(*shapes)))


def _difference(b: Builder, self: Number, target: Number) -> Value:
    return arithmetic(b, "subtract", self, target)


@lowers("mse_loss")
def mse_loss(b: Builder, self: Number, target: Number, reduction: int = MEAN) -> Value:
    """`d * d` with d = self - target, reduced."""
    d = _difference(b, self, target)
    return reduced(b, b.apply("multiply", d, d), reduction)


@lowers("mse_loss_backward")
def mse_loss_backward(
    b: Builder, grad: Number, self: Number, target: Number, reduction: int
) -> Value:
    """`(c * (self - target)) * grad` with c = 2 / n for the mean, else 2."""
    c = 2 / _size(self, target) if reduction == MEAN else 2.0
    return times(b, times(b, c, _difference(b, self, target)), grad)


@lowers("smooth_l1_loss")
def smooth_l1_loss(
    b: Builder, self: Number, target: Number, reduction: int = MEAN, beta: float = 1.0
) -> Value:
    """`((0.5 * z) * z) / beta` for z = |self - target| < beta, else `z - 0.5 * beta`; reduced."""
    z = b.apply("absolute", _difference(b, self, target))
    near = b.apply("divide", b.apply("multiply", b.apply("multiply", 0.5, z), z), beta)
    far = b.apply("subtract", z, 0.5 * beta)
    return reduced(b, b.apply("select", b.apply("less", z, beta), near, far), reduction)


@lowers("smooth_l1_loss_backward")
def smooth_l1_loss_backward(
    b: Builder, grad: Number, self: Number, target: Number, reduction: int, beta: float
) -> Value:
    """`-c * grad` for d <= -beta, `c * grad` for d >= beta, else `((c * d) * grad) / beta`.

    c = 1 / n for the mean, else 1; d = self - target.
    """
    c = 1 / _size(self, target) if reduction == MEAN else 1.0
    d = _difference(b, self, target)
    near = b.apply("divide", times(b, times(b, c, d), grad), beta)
    return _three(b, d, beta, times(b, -c, grad), near, times(b, c, grad))


@lowers("huber_loss")
def huber_loss(
    b: Builder, self: Number, target: Number, reduction: int = MEAN, delta: float = 1.0
) -> Value:
    """`(0.5 * z) * z` for z < delta, else `delta * (z - 0.5 * delta)`; z = |self - target|."""
    z = b.apply("absolute", _difference(b, self, target))
    near = b.apply("multiply", b.apply("multiply", 0.5, z), z)
    far = b.apply("multiply", delta, b.apply("subtract", z, 0.5 * delta))
    return reduced(b, b.apply("select", b.apply("less", z, delta), near, far), reduction)


@lowers("huber_loss_backward")
def huber_loss_backward(
    b: Builder, grad: Number, self: Number, target: Number, reduction: int, delta: float
) -> Value:
    """`(-c * grad) * delta` for d <= -delta, `(c * grad) * delta` for d >= delta, else
    `(c * d) * grad`.

    c = 1 / n for the mean, else 1; d = self - target.
    """  # noqa: D205
    c = 1 / _size(self, target) if reduction == MEAN else 1.0
    d = _difference(b, self, target)
    near = times(b, times(b, c, d), grad)
    low, high = times(b, times(b, -c, grad), delta), times(b, times(b, c, grad), delta)
    return _three(b, d, delta, low, near, high)


def _three(b: Builder, d: Value, bound: float, low: Value, near: Value, high: Value) -> Value:
    upper = b.apply("select", b.apply("less_equal", bound, d), high, near)
    return b.apply("select", b.apply("less_equal", d, -bound), low, upper)


@lowers("binary_cross_entropy")
def binary_cross_entropy(
    b: Builder,
    self: Number,
    target: Number,
    weight: Number | None = None,
    reduction: int = MEAN,
) -> Value:
    """`(t - 1) * max(log1p(-p), -100) - t * max(log(p), -100)`, times the weight; reduced."""
    p, t = floats(b, self), floats(b, target)
    low = clamp_min(b, elementary(b, "log1p", b.apply("negative", p)), -100.0)
    high = clamp_min(b, elementary(b, "log", p), -100.0)
    first = b.apply("multiply", b.apply("subtract", t, 1.0), low)
    loss = b.apply("subtract", first, b.apply("multiply", t, high))
    return reduced(b, loss if weight is None else times(b, loss, weight), reduction)


@lowers("binary_cross_entropy_backward")
def binary_cross_entropy_backward(
    b: Builder,
    grad: Number,
    self: Number,
    target: Number,
    weight: Number | None = None,
    reduction: int = MEAN,
) -> Value:
    """`(grad * (p - t)) / max((1 - p) * p, 1e-12)`, times the weight; divided by n for the mean."""
    p, t = floats(b, self), floats(b, target)
    spread = b.apply("multiply", b.apply("subtract", 1.0, p), p)
    slope = times(b, grad, b.apply("subtract", p, t))
    slope = b.apply("divide", slope, clamp_min(b, spread, 1e-12))
    slope = slope if weight is None else times(b, slope, weight)
    return b.apply("divide", slope, float(_size(self))) if reduction == MEAN else slope


@lowers("binary_cross_entropy_with_logits")
def bce_with_logits(
    b: Builder,
    self: Number,
    target: Number,
    weight: Number | None = None,
    pos_weight: Number | None = None,
    reduction: int = MEAN,
) -> Value:
    """`(1 - t) * x - (1 + (pos_weight - 1) * t) * log_sigmoid(x)`, times the weight; reduced.

    log_sigmoid(x) = `min(x, 0) - log1p(exp(-|x|))`.
    """
    x, t = floats(b, self), floats(b, target)
    rest = b.apply("multiply", b.apply("subtract", 1.0, t), x)
    logs = log_sigmoid(b, x)
    if pos_weight is not None:
        more = arithmetic(b, "subtract", pos_weight, 1.0)
        logs = b.apply("multiply", b.apply("add", b.apply("multiply", more, t), 1.0), logs)
    loss = b.apply("subtract", rest, logs)
    return reduced(b, loss if weight is None else times(b, loss, weight), reduction)


@lowers("soft_margin_loss")
def soft_margin_loss(b: Builder, self: Number, target: Number, reduction: int = MEAN) -> Value:
    """`log1p(exp(-t * x))`, reduced."""
    z = elementary(b, "exp", times(b, arithmetic(b, "negative", target), self))
    return reduced(b, elementary(b, "log1p", z), reduction)


@lowers("soft_margin_loss_backward")
def soft_margin_loss_backward(
    b: Builder, grad: Number, self: Number, target: Number, reduction: int
) -> Value:
    """`((-t * z) / (1 + z)) * c * grad` with z = exp(-t * x); c = 1 / n for the mean, else 1."""
    opposite = arithmetic(b, "negative", target)
    z = elementary(b, "exp", times(b, opposite, self))
    slope = b.apply("divide", times(b, opposite, z), b.apply("add", 1.0, z))
    c = 1 / _size(self, target) if reduction == MEAN else 1.0
    return times(b, times(b, slope, c), grad)


@lowers("nll_loss_forward")
def nll_loss_forward(
    b: Builder,
    self: Number,
    target: Number,
    weight: Number | None = None,
    reduction: int = MEAN,
    ignore_index: int = -100,
) -> tuple[Value, Value]:
    """`-x[i, t_i]` times the weight of class t_i, 0 where it is ignored.

    The mean is the sum divided by the sum of the weights, which is the second result.
    """
    value = floats(b, self)
    classes, places, counted = _picked(value, target, ignore_index)
    picked = b.apply("negative", b.take(value, places))
    shares = _class_weights(b, weight, classes, counted, value.shape[-1])
    used = b.apply("multiply", picked, shares)
    losses = b.apply("select", b.constant(counted, Kind.BOOLEAN), used, 0.0)
    weights = total(b, shares)
    if reduction == NONE:
        return losses, b.constant(0.0)
    summed = total(b, losses)
    return (summed if reduction == SUM else b.apply("divide", summed, weights)), weights


@lowers("nll_loss_backward")
def nll_loss_backward(
    b: Builder,
    grad: Number,
    self: Number,
    target: Number,
    weight: Number | None,
    reduction: int,
    ignore_index: int,
    total_weight: Number,
) -> Value:
    """Zeros with `-w * grad` at [i, t_i]; the mean divides grad by the weights' sum first."""
    value = floats(b, self)
    classes, places, counted = _picked(value, target, ignore_index)
    shares = _class_weights(b, weight, classes, counted, value.shape[-1])
    scaled = floats(b, grad)
    if reduction == MEAN:
        scaled = b.apply("divide", scaled, total(b, shares))
    slopes = b.apply("multiply", b.apply("negative", shares), scaled)
    slopes = b.apply("select", b.constant(counted, Kind.BOOLEAN), slopes, 0.0)
    return put(b, b.expand(slopes, places.shape), places, value.shape)


def _picked(value: Value, target: Number, ignored: int) -> tuple[Array, Index, Array]:
    """Return the classes, their flat positions, and which of them count."""
    classes = constant_index(target)
    counted = classes != ignored
    classes = np.where(counted, classes, 0)
    table = positions(value.shape)
    places = table[classes] if table.ndim == 1 else table[np.arange(len(table)), classes]
    return classes, places, counted


def _class_weights(
    b: Builder, weight: Number | None, classes: Array, counted: Array, n: int
) -> Value:
    if isinstance(weight, Value):
        raise NotPortable("class weights that depend on x have no portable form")
    table = np.ones(n) if weight is None else np.asarray(weight)
    return b.constant(np.where(counted, table[classes], 0.0))
