"""Plans that the tests of the native way advance."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np

from gdexp.engine.builder import Builder, Value
from gdexp.engine.operations import Kind
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


def quadratic(n: int) -> Evaluate:
    """½ xᵀ A x with a full matrix: A x is a product and a tree."""
    rng = np.random.default_rng(1)
    a = rng.normal(size=(n, n)) / n**0.5
    a = a @ a.T + 0.1 * np.eye(n)

    def write(b: Builder, x: Value) -> tuple[Value, Value]:
        rows = b.expand(b.reshape(x, (1, n)), (n, n))
        gradient = b.sum(b.apply("multiply", b.constant(a), rows))
        half = b.apply("multiply", b.sum(b.apply("multiply", gradient, x)), 0.5)
        return half, gradient

    return write


def bend(b: Builder, z: Value) -> tuple[Value, Value]:
    """z / (1 + |z|) and its derivative."""
    d = b.apply("add", b.apply("absolute", z), 1.0)
    return b.apply("divide", z, d), b.apply("divide", 1.0, b.apply("multiply", d, d))


def network(points: int = 64, hidden: int = 16) -> Evaluate:
    """A 1-hidden-1 network on a grid; x holds w1, b1, w2, b2."""
    grid = np.linspace(-1, 1, points)
    wanted = np.sin(3 * grid)

    def write(b: Builder, x: Value) -> tuple[Value, Value]:
        shape = (points, hidden)
        w1, b1, w2 = (b.view(x, shape, i * hidden, (0, 1)) for i in range(3))
        b2 = b.view(x, (points,), 3 * hidden, (0,))
        t = b.expand(b.constant(grid.reshape(points, 1)), shape)
        h, slope = bend(b, b.apply("add", b.apply("multiply", t, w1), b1))
        out = b.apply("add", b.sum(b.apply("multiply", h, w2)), b2)
        d = b.apply("subtract", out, b.constant(wanted))
        loss = mean(b, b.apply("multiply", d, d))
        g = b.apply("multiply", d, 2.0 / points)
        spread = b.expand(b.reshape(g, (points, 1)), shape)
        gz = b.apply("multiply", b.apply("multiply", spread, w2), slope)

        def total(values: Value) -> Value:
            return b.sum(b.transpose(values, (1, 0)))

        parts = [b.apply("multiply", gz, t), gz, b.apply("multiply", spread, h)]
        last = b.reshape(b.sum(g), (1,))
        return loss, b.concatenate([*(total(part) for part in parts), last])

    return write


def regression(rows: int, columns: int) -> Evaluate:
    """Least squares through z / (1 + |z|): a matrix times x, and its transpose times residuals."""
    rng = np.random.default_rng(2)
    data, wanted = rng.normal(size=(rows, columns)), rng.integers(0, 2, rows)

    def write(b: Builder, x: Value) -> tuple[Value, Value]:
        a = b.constant(data)
        z = b.sum(b.apply("multiply", a, b.expand(b.reshape(x, (1, columns)), a.shape)))
        p, slope = bend(b, z)
        d = b.apply("subtract", p, b.constant(wanted))
        loss = mean(b, b.apply("multiply", d, d))
        r = b.apply("multiply", b.apply("multiply", d, slope), 2.0 / rows)
        turned = b.transpose(a, (1, 0))
        across = b.expand(b.reshape(r, (1, rows)), turned.shape)
        return loss, b.sum(b.apply("multiply", turned, across))

    return write


def gathers(n: int = 12) -> Evaluate:
    """Reversed and strided views, take, concatenate, scatter_add, integers and bits."""

    def write(b: Builder, x: Value) -> tuple[Value, Value]:
        turned = b.view(x, (n,), n - 1, (-1,))
        lattice = b.reshape(b.view(x, (n // 2, 2), n - 2, (-2, 1)), (n,))
        picked = b.take(b.apply("subtract", turned, lattice), np.arange(n) * 5 % n)
        joined = b.concatenate([x, b.view(picked, (3,), n - 2, (-3,)), turned])
        bits = b.apply("to_bits", joined)
        low = b.apply("and_integer", bits, b.constant(-256, Kind.INTEGER))
        high = b.apply("shift_left", b.apply("shift_right", low, 9), 9)
        odd = b.apply("less_integer", b.apply("add_integer", bits, 7), bits)
        small = b.apply("less", b.apply("absolute", joined), 0.5)
        both = b.apply("and", small, b.apply("not", odd))
        cut = b.apply("from_bits", b.apply("select_integer", both, low, high))
        cut = b.apply("select", b.apply("not_equal", cut, cut), 0.0, cut)
        base = b.apply("multiply", b.apply("sqrt", b.apply("absolute", x)), 0.01)
        index = np.arange(cut.size) * 3 % n
        gradient = b.scatter_add(b.apply("multiply", base, x), b.apply("negative", cut), index)
        return mean(b, b.apply("multiply", cut, cut)), b.apply("multiply", gradient, -0.1)

    return write


def searching(dtype: str, n: int) -> Plan:
    """A line search: a trial with a higher loss than the best point's is halved back."""

    def rule(first: bool) -> Program:
        b = Builder(dtype)
        x, g, loss = b.input("x", (n,)), b.input("gradient", (n,)), b.input("loss", ())
        lr = b.input("coefficient0", ())
        best = x if first else b.input("state0", (n,))
        slope = g if first else b.input("state1", (n,))
        low = loss if first else b.input("state2", ())
        step = lr if first else b.input("state3", ())
        better = b.apply("less_equal", loss, low)
        tiny = b.apply("less", step, 1e-3)
        accepted = b.apply("or", better, tiny)

        def pick(yes: Value, no: Value) -> Value:
            return b.apply("select", b.expand(accepted, yes.shape), yes, no)

        best, slope = pick(x, best), pick(g, slope)
        low, step = pick(loss, low), pick(lr, b.apply("multiply", step, 0.5))
        following = b.apply("subtract", best, b.apply("multiply", step, slope))
        states = {"state0": best, "state1": slope, "state2": low, "state3": step}
        return b.program({"x": following, "accepted": accepted, **states})

    return Plan(evaluation(dtype, (n,), quadratic(n)), rule(True), rule(False), 1)
