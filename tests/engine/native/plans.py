"""Plans that the tests of the native way advance."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np

from gdexp.engine.builder import Builder, Value
from gdexp.engine.plan import Plan
from gdexp.engine.program import Program

Evaluate = Callable[[Builder, Value], tuple[Value, Value]]


def evaluation(dtype: str, shape: Sequence[int], write: Evaluate) -> Program:
    """A program from `x` to `loss` and `gradient`."""
    b = Builder(dtype)
    x = b.input("x", shape)
    loss, gradient = write(b, x)
    return b.program({"loss": loss, "gradient": gradient})


def gd(dtype: str, shape: Sequence[int]) -> Program:
    """x - lr * gradient."""
    b = Builder(dtype)
    x, g, lr = b.input("x", shape), b.input("gradient", shape), b.input("coefficient0", ())
    return b.program({"x": b.apply("subtract", x, b.apply("multiply", lr, g))})


def momentum(dtype: str, shape: Sequence[int], first: bool) -> Program:
    """v = m * v + gradient, x - lr * v; v begins as the gradient."""
    b = Builder(dtype)
    x, g = b.input("x", shape), b.input("gradient", shape)
    lr, m = b.input("coefficient0", ()), b.input("coefficient1", ())
    v = g
    if not first:
        v = b.apply("add", b.apply("multiply", m, b.input("state0", shape)), g)
    return b.program({"x": b.apply("subtract", x, b.apply("multiply", lr, v)), "state0": v})


def gd_plan(dtype: str, shape: Sequence[int], write: Evaluate) -> Plan:
    rule = gd(dtype, shape)
    return Plan(evaluation(dtype, shape, write), rule, rule, 1)


def momentum_plan(dtype: str, shape: Sequence[int], write: Evaluate) -> Plan:
    first, later = momentum(dtype, shape, True), momentum(dtype, shape, False)
    return Plan(evaluation(dtype, shape, write), first, later, 2)


def mean(b: Builder, values: Value) -> Value:
    """The mean of all numbers."""
    return b.apply("divide", b.sum(b.reshape(values, (values.size,))), float(values.size))


def matrix(n: int, target_seed: int = 0) -> Evaluate:
    """The mean of (x - target)²."""
    target = np.random.default_rng(target_seed).normal(size=n)

    def write(b: Builder, x: Value) -> tuple[Value, Value]:
        d = b.apply("subtract", x, b.reshape(b.constant(target), x.shape))
        return mean(b, b.apply("multiply", d, d)), b.apply("multiply", d, 2.0 / n)

    return write
