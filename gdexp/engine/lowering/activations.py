"""Activation functions and their derivatives."""

from __future__ import annotations

import math

from gdexp.engine.builder import Builder, Value
from gdexp.engine.lowering.elementwise import clamp_min, minimum
from gdexp.engine.lowering.table import lowers
from gdexp.engine.lowering.values import Number, arithmetic, elementary, floats, times
from gdexp.engine.not_portable import NotPortable


@lowers("relu")
def relu(b: Builder, self: Number) -> Value:
    """0 where self is less than 0, else self."""
    return clamp_min(b, self, 0.0)


@lowers("threshold_backward")
def threshold_backward(b: Builder, grad: Number, self: Number, threshold: float) -> Value:
    """0 where self <= threshold, else grad."""
    below = arithmetic(b, "less_equal", self, threshold)
    return b.apply("select", below, 0.0, floats(b, grad))


@lowers("leaky_relu")
def leaky_relu(b: Builder, self: Number, negative_slope: float = 0.01) -> Value:
    """Self above 0, else `self * negative_slope`."""
    value = floats(b, self)
    return b.apply("select", b.apply("less", 0.0, value), value, times(b, value, negative_slope))


@lowers("leaky_relu_backward")
def leaky_relu_backward(
    b: Builder, grad: Number, self: Number, negative_slope: float, self_is_result: bool
) -> Value:
    """Grad where self is above 0, else `grad * negative_slope`."""
    above = arithmetic(b, "less", 0.0, self)
    return b.apply("select", above, floats(b, grad), times(b, grad, negative_slope))


@lowers("elu")
def elu(
    b: Builder, self: Number, alpha: float = 1, scale: float = 1, input_scale: float = 1
) -> Value:
    """`scale * self` above 0, else `expm1(input_scale * self) * (alpha * scale)`."""
    value = floats(b, self)
    below = times(b, elementary(b, "expm1", times(b, value, input_scale)), alpha * scale)
    return b.apply("select", b.apply("less", 0.0, value), times(b, value, scale), below)


@lowers("celu")
def celu(b: Builder, self: Number, alpha: float = 1) -> Value:
    """Self above 0, else `expm1((1 / alpha) * self) * alpha`, with 1 / alpha rounded."""
    return elu(b, self, alpha, 1, 1 / alpha)


@lowers("threshold")
def threshold(b: Builder, self: Number, threshold: float, value: float) -> Value:
    """`value` where self <= threshold, else self."""
    number = floats(b, self)
    return b.apply("select", b.apply("less_equal", number, threshold), value, number)


@lowers("elu_backward")
def elu_backward(
    b: Builder,
    grad: Number,
    alpha: float,
    scale: float,
    input_scale: float,
    is_result: bool,
    self_or_result: Number,
) -> Value:
    """`grad * scale` above 0, else `grad * (exp(input_scale * self) * (alpha * scale *
    input_scale))`; of the result: `grad * input_scale * (result + alpha * scale)`.
    """  # noqa: D205
    value = floats(b, self_or_result)
    if is_result:
        inner = b.apply("add", value, alpha * scale)
        below = b.apply("multiply", times(b, grad, input_scale), inner)
    else:
        slope = elementary(b, "exp", times(b, value, input_scale))
        below = times(b, grad, times(b, slope, alpha * scale * input_scale))
    return b.apply("select", b.apply("less", 0.0, value), times(b, grad, scale), below)


@lowers("tanh_backward")
def tanh_backward(b: Builder, grad: Number, output: Number) -> Value:
    """`grad * (1 - output * output)`."""
    value = floats(b, output)
    return times(b, grad, b.apply("subtract", 1.0, b.apply("multiply", value, value)))


@lowers("sigmoid_backward")
def sigmoid_backward(b: Builder, grad: Number, output: Number) -> Value:
    """`(grad * (1 - output)) * output`."""
    value = floats(b, output)
    return b.apply("multiply", times(b, grad, b.apply("subtract", 1.0, value)), value)


@lowers("silu")
def silu(b: Builder, self: Number) -> Value:
    """`self * sigmoid(self)`."""
    return b.apply("multiply", floats(b, self), elementary(b, "sigmoid", self))


@lowers("silu_backward")
def silu_backward(b: Builder, grad: Number, self: Number) -> Value:
    """`(grad * s) * (1 + self * (1 - s))` with s = sigmoid(self)."""
    value, s = floats(b, self), elementary(b, "sigmoid", self)
    inner = b.apply("multiply", value, b.apply("subtract", 1.0, s))
    return b.apply("multiply", times(b, grad, s), b.apply("add", 1.0, inner))


@lowers("softplus")
def softplus(b: Builder, self: Number, beta: float = 1, threshold: float = 20) -> Value:
    """Self where `self * beta > threshold`, else `softplus(self * beta) / beta`."""
    value = floats(b, self)
    scaled = times(b, value, beta)
    made = elementary(b, "softplus", scaled)
    made = made if beta == 1 else b.apply("divide", made, beta)
    return b.apply("select", b.apply("less", threshold, scaled), value, made)


@lowers("softplus_backward")
def softplus_backward(
    b: Builder, grad: Number, self: Number, beta: float, threshold: float
) -> Value:
    """Grad where `self * beta > threshold`, else `grad * sigmoid(self * beta)`."""
    scaled = times(b, self, beta)
    made = times(b, grad, elementary(b, "sigmoid", scaled))
    return b.apply("select", b.apply("less", threshold, scaled), floats(b, grad), made)


def log_sigmoid(b: Builder, value: Value) -> Value:
    """Return `min(self, 0) - log1p(exp(-|self|))`."""
    e = elementary(b, "exp", b.apply("negative", b.apply("absolute", value)))
    low = minimum(b, value, 0.0)
    return b.apply("subtract", low, elementary(b, "log1p", e))


@lowers("log_sigmoid_forward")
def log_sigmoid_forward(b: Builder, self: Number) -> tuple[Value, None]:
    """`min(self, 0) - log1p(exp(-|self|))`."""
    return log_sigmoid(b, floats(b, self)), None


@lowers("log_sigmoid_backward")
def log_sigmoid_backward(b: Builder, grad: Number, self: Number, buffer: object) -> Value:
    """`grad * (1 - z / (1 + z))` below 0, else `grad * (z / (1 + z))`, with z = exp(-|self|)."""
    value = floats(b, self)
    z = elementary(b, "exp", b.apply("negative", b.apply("absolute", value)))
    ratio = b.apply("divide", z, b.apply("add", 1.0, z))
    below = b.apply("subtract", 1.0, ratio)
    return times(b, grad, b.apply("select", b.apply("less", value, 0.0), below, ratio))


_BETA = math.sqrt(2) * (2 / math.sqrt(math.pi)) * 0.5
_KAPPA = 0.044715


def _gelu_inner(b: Builder, value: Value) -> Value:
    cube = b.apply("multiply", b.apply("multiply", value, value), value)
    return b.apply("multiply", _BETA, b.apply("add", value, b.apply("multiply", _KAPPA, cube)))


@lowers("gelu")
def gelu(b: Builder, self: Number, approximate: str = "none") -> Value:
    """`(self * 0.5) * (1 + erf(self * sqrt(1/2)))`; with tanh `(0.5 * self) * (1 + tanh(t))`.

    t = `c * (self + 0.044715 * ((self * self) * self))` with c = sqrt(2 / pi).
    """
    value = floats(b, self)
    if approximate == "tanh":
        inner = elementary(b, "tanh", _gelu_inner(b, value))
    else:
        inner = elementary(b, "erf", b.apply("multiply", value, math.sqrt(0.5)))
    return b.apply("multiply", b.apply("multiply", value, 0.5), b.apply("add", 1.0, inner))


@lowers("gelu_backward")
def gelu_backward(b: Builder, grad: Number, self: Number, approximate: str = "none") -> Value:
    """`grad * (cdf + self * pdf)`; cdf = `0.5 * (1 + erf(self * sqrt(1/2)))`.

    pdf = `exp((self * self) * -0.5) * (1 / sqrt(2 pi))`. With tanh: `grad * (left + right)`, the
    derivatives of the two factors with respect to self, each times the other factor.
    """
    value = floats(b, self)
    square = b.apply("multiply", value, value)
    if approximate != "tanh":
        inner = elementary(b, "erf", b.apply("multiply", value, math.sqrt(0.5)))
        cdf = b.apply("multiply", 0.5, b.apply("add", 1.0, inner))
        density = elementary(b, "exp", b.apply("multiply", square, -0.5))
        pdf = b.apply("multiply", density, 1 / math.sqrt(2 * math.pi))
        return times(b, grad, b.apply("add", cdf, b.apply("multiply", value, pdf)))
    t = elementary(b, "tanh", _gelu_inner(b, value))
    left = b.apply("multiply", 0.5, b.apply("add", 1.0, t))
    slope = b.apply("subtract", 1.0, b.apply("multiply", t, t))
    growth = b.apply("add", 1.0, b.apply("multiply", 3 * _KAPPA, square))
    inner = b.apply("multiply", _BETA, growth)
    half = b.apply("multiply", 0.5, value)
    right = b.apply("multiply", b.apply("multiply", half, slope), inner)
    return times(b, grad, b.apply("add", left, right))


@lowers("hardtanh")
def hardtanh(b: Builder, self: Number, min_val: float = -1, max_val: float = 1) -> Value:
    """The lower bound below it, the upper bound above it, else self."""
    value = floats(b, self)
    low = b.apply("select", b.apply("less", value, min_val), min_val, value)
    return b.apply("select", b.apply("less", max_val, low), max_val, low)


@lowers("hardtanh_backward")
def hardtanh_backward(
    b: Builder, grad: Number, self: Number, min_val: float, max_val: float
) -> Value:
    """0 where self is at a bound or beyond it, else grad."""
    value = floats(b, self)
    low, high = b.apply("less_equal", value, min_val), b.apply("less_equal", max_val, value)
    return b.apply("select", b.apply("or", low, high), 0.0, floats(b, grad))


@lowers("hardsigmoid")
def hardsigmoid(b: Builder, self: Number) -> Value:
    """`min(max(self + 3, 0), 6) / 6`."""
    return b.apply("divide", hardtanh(b, b.apply("add", floats(b, self), 3.0), 0.0, 6.0), 6.0)


@lowers("hardsigmoid_backward")
def hardsigmoid_backward(b: Builder, grad: Number, self: Number) -> Value:
    """`grad * c` for -3 < self < 3, else 0; c is 1/6 in float32, as in torch for all types."""
    value = floats(b, self)
    inside = b.apply("and", b.apply("less", -3.0, value), b.apply("less", value, 3.0))
    return b.apply("select", inside, times(b, grad, float.fromhex("0x1.555556p-3")), 0.0)


@lowers("hardswish")
def hardswish(b: Builder, self: Number) -> Value:
    """`(self * min(max(self + 3, 0), 6)) / 6`."""
    value = floats(b, self)
    inner = hardtanh(b, b.apply("add", value, 3.0), 0.0, 6.0)
    return b.apply("divide", b.apply("multiply", value, inner), 6.0)


@lowers("hardswish_backward")
def hardswish_backward(b: Builder, grad: Number, self: Number) -> Value:
    """0 up to -3, grad from 3 on, else `grad * (self / 3 + 0.5)`."""
    value, slope = floats(b, self), floats(b, grad)
    middle = times(b, grad, b.apply("add", b.apply("divide", value, 3.0), 0.5))
    upper = b.apply("select", b.apply("less", value, 3.0), middle, slope)
    return b.apply("select", b.apply("less_equal", value, -3.0), 0.0, upper)


@lowers("softshrink")
def softshrink(b: Builder, self: Number, lambd: float = 0.5) -> Value:
    """`self - lambd` above it, `self + lambd` below its opposite, else 0 times self."""
    value = floats(b, self)
    low = b.apply("select", b.apply("less", value, -lambd), b.apply("add", value, lambd), 0.0)
    high = b.apply("subtract", value, lambd)
    return b.apply("select", b.apply("less", lambd, value), high, low)


@lowers("hardshrink")
def hardshrink(b: Builder, self: Number, lambd: float = 0.5) -> Value:
    """0 for -lambd <= self <= lambd, else self."""
    value = floats(b, self)
    return b.apply("select", _between(b, value, lambd), 0.0, value)


@lowers("hardshrink_backward", "softshrink_backward")
def shrink_backward(b: Builder, grad: Number, self: Number, lambd: float) -> Value:
    """0 for -lambd <= self <= lambd, else grad."""
    return b.apply("select", _between(b, floats(b, self), lambd), 0.0, floats(b, grad))


def _between(b: Builder, value: Value, bound: float) -> Value:
    return b.apply("and", b.apply("less_equal", -bound, value), b.apply("less_equal", value, bound))


@lowers("mish")
def mish(b: Builder, self: Number) -> Value:
    """`self * tanh(softplus(self))`."""
    inner = elementary(b, "tanh", elementary(b, "softplus", self))
    return b.apply("multiply", floats(b, self), inner)


@lowers("mish_backward")
def mish_backward(b: Builder, grad: Number, self: Number) -> Value:
    """`grad * (t + (self * s) * (1 - t * t))` with s = sigmoid, t = tanh(softplus)."""
    value = floats(b, self)
    s, t = elementary(b, "sigmoid", value), elementary(b, "tanh", elementary(b, "softplus", value))
    slope = b.apply("subtract", 1.0, b.apply("multiply", t, t))
    inner = b.apply("multiply", b.apply("multiply", value, s), slope)
    return times(b, grad, b.apply("add", t, inner))


@lowers("_prelu_kernel")
def prelu(b: Builder, self: Number, weight: Number) -> Value:
    """Self above 0, else `weight * self`."""
    value = floats(b, self)
    return b.apply("select", b.apply("less", 0.0, value), value, times(b, weight, value))


@lowers("_prelu_kernel_backward")
def prelu_backward(b: Builder, grad: Number, self: Number, weight: Number) -> tuple[Value, Value]:
    """Grad above 0, else `weight * grad`; of the weight 0 above 0, else `self * grad`."""
    value = floats(b, self)
    above = b.apply("less", 0.0, value)
    first = b.apply("select", above, floats(b, grad), times(b, weight, grad))
    return first, b.apply("select", above, 0.0, times(b, value, grad))


@lowers("native_dropout", "bernoulli", "dropout")
def random(b: Builder, *args: object, **kwargs: object) -> Value:
    """Random numbers have no portable form."""
    raise NotPortable("random numbers have no portable form")
