"""Small plans, built by hand."""

from __future__ import annotations

from gdexp.engine.builder import Builder
from gdexp.engine.plan import Plan
from gdexp.engine.program import Program

TARGET = [[0.1, 0.2, 0.3], [0.4, 0.5, 0.6], [0.7, 0.8, 0.9]]


def matrix(dtype: str, target: object = TARGET) -> Program:
    """The mean of the squared differences, and its gradient."""
    b = Builder(dtype)
    wanted = b.constant(target)
    x = b.input("x", wanted.shape)
    difference = b.apply("subtract", x, wanted)
    squares = b.apply("multiply", difference, difference)
    total = b.sum(b.reshape(squares, (squares.size,)))
    loss = b.apply("divide", total, float(squares.size))
    gradient = b.apply("multiply", difference, 2 / squares.size)
    return b.program({"loss": loss, "gradient": gradient})


def descent(dtype: str = "float32", target: object = TARGET) -> Plan:
    """Gradient descent on the matrix problem."""
    evaluate = matrix(dtype, target)
    shape = evaluate.nodes[evaluate.outputs["gradient"]].shape
    b = Builder(dtype)
    x, gradient, lr = b.input("x", shape), b.input("gradient", shape), b.input("coefficient0", ())
    update = b.program({"x": b.apply("subtract", x, b.apply("multiply", lr, gradient))})
    return Plan(evaluate, update, update, 1)


def heavy_ball(dtype: str = "float32") -> Plan:
    """Heavy ball on the matrix problem, with two coefficients and one state."""
    evaluate = matrix(dtype)
    shape = evaluate.nodes[evaluate.outputs["gradient"]].shape

    def rule(begins: bool) -> Program:
        b = Builder(dtype)
        x, gradient = b.input("x", shape), b.input("gradient", shape)
        lr, momentum = b.input("coefficient0", ()), b.input("coefficient1", ())
        velocity = gradient
        if not begins:
            state = b.input("state0", shape)
            velocity = b.apply("add", b.apply("multiply", momentum, state), gradient)
        step = b.apply("multiply", lr, velocity)
        return b.program({"x": b.apply("subtract", x, step), "state0": velocity})

    return Plan(evaluate, rule(True), rule(False), 2)
