"""The portable functions are right to a unit in the last place, and at the edges as in C."""

from __future__ import annotations

import math
import re
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
import torch
from benchmarks.functions import CASES, exact_error, largest, points
from benchmarks.functions import DTYPES as MEASURED
from hypothesis import given, settings
from hypothesis import strategies as st

from gdexp.engine import functions
from gdexp.engine.arrays import compute, scalar_program
from gdexp.engine.builder import Builder, Value
from gdexp.engine.interpreter import Interpreter
from gdexp.engine.numpy_evaluation import evaluate
from gdexp.engine.operations import ELEMENTWISE, Kind
from gdexp.engine.program import Array, Program

INF, NAN = math.inf, math.nan
DTYPES = ("float64", "float32")
UNARY = (
    *("exp", "expm1", "exp2", "log", "log1p", "log2", "log10"),
    *("tanh", "sigmoid", "softplus", "sin", "cos", "erf"),
)
NAMES = (*UNARY, "power")
EVERY = [(name, dtype) for name in NAMES for dtype in DTYPES]


def applied(name: str, x: object, dtype: str = "float64") -> Array:
    return compute(CASES[name].function, np.array(x, dtype), dtype=dtype)


def bits(array: Array) -> Array:
    """The bits, with one NaN."""
    return np.where(np.isnan(array), NAN, array).astype(array.dtype).view(f"i{array.itemsize}")


def program_of(name: str, dtype: str) -> Program:
    return scalar_program(CASES[name].function, 2 if name == "power" else 1, dtype)


def test_every_function_that_is_measured_is_tested() -> None:
    assert (tuple(CASES), tuple(MEASURED)) == (NAMES, DTYPES)


@pytest.mark.slow
@pytest.mark.parametrize(("name", "dtype"), EVERY)
def test_values_are_within_one_unit_in_the_last_place(name: str, dtype: str) -> None:
    assert largest(name, dtype, 6_000, seed=1) < 0.98


@pytest.mark.slow
@pytest.mark.parametrize(("name", "dtype"), EVERY)
def test_values_are_those_of_mpmath(name: str, dtype: str) -> None:
    arguments = points(name, dtype, 240, np.random.default_rng(2))
    found = compute(CASES[name].function, *arguments, dtype=dtype)
    for row in zip(found.tolist(), *(each.tolist() for each in arguments), strict=True):
        assert exact_error(name, dtype, *row) < 0.98, row


EDGES = {
    "exp": {0: 1, -INF: 0, INF: INF, 710: INF, -746: 0, 1e300: INF, -1e300: 0},
    "expm1": {-INF: -1, INF: INF, 710: INF, -50: -1, -1e300: -1, 1e-300: 1e-300},
    "exp2": {0: 1, -INF: 0, INF: INF, 1: 2, -1: 0.5, 10: 1024, 1024: INF, -1076: 0, 1e300: INF},
    "log": {1: 0, 0: -INF, INF: INF, -1: NAN, -INF: NAN, -1e-30: NAN},
    "log1p": {-1: -INF, INF: INF, -1.5: NAN, -INF: NAN, 1e-300: 1e-300},
    "log2": {1: 0, 0: -INF, INF: INF, -1: NAN, -INF: NAN, 8: 3, 0.25: -2, 2.0**-30: -30},
    "log10": {1: 0, 0: -INF, INF: INF, -1: NAN, -INF: NAN, 1000: 3, 100: 2, 1e9: 9},
    "tanh": {INF: 1, -INF: -1, 20: 1, -1e300: -1, 1e-300: 1e-300},
    "sigmoid": {0: 0.5, INF: 1, -INF: 0, 800: 1, -800: 0, 1e300: 1, -1e300: 0},
    "softplus": {INF: INF, -INF: 0, 1e30: 1e30, -800: 0, 100: 100},
    "sin": {INF: NAN, -INF: NAN, 1e-300: 1e-300},
    "cos": {0: 1, INF: NAN, -INF: NAN, 1e-300: 1},
    "erf": {INF: 1, -INF: -1, 7: 1, -1e300: -1},
}
"""Argument to value, exactly."""
ODD = ("expm1", "log1p", "tanh", "sin", "erf")
"""These keep the sign of zero."""


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("name", UNARY)
def test_edges_are_exact(name: str, dtype: str) -> None:
    table = np.array([*EDGES[name].items(), (NAN, NAN), (-NAN, NAN)], np.float64)
    with np.errstate(all="ignore"):
        x, wanted = table.astype(dtype).T
    np.testing.assert_array_equal(applied(name, x, dtype), wanted)


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("name", ODD)
def test_zero_keeps_its_sign(name: str, dtype: str) -> None:
    np.testing.assert_array_equal(np.signbit(applied(name, [0.0, -0.0], dtype)), [False, True])


@pytest.mark.slow
@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("name", UNARY)
def test_values_at_the_ends_of_the_range_are_right(name: str, dtype: str) -> None:
    information = np.finfo(dtype)
    largest_log = math.log(float(information.max))
    smallest_log = math.log(float(information.smallest_subnormal))
    normal_log = math.log(float(information.smallest_normal))
    middles = [largest_log, smallest_log, smallest_log - LN2, normal_log, 18.72, -37.43, 9.01]
    middles += [math.log2(float(information.max)), float(information.minexp), -1.0, 5.92, 19.06]
    around = [math.copysign(1, m) * (abs(m) + k * 1e-7 * abs(m)) for m in middles for k in (-1, 1)]
    neighbours = [float(np.nextafter(np.array(m, dtype), s)) for m in middles for s in (-INF, INF)]
    extremes = [information.smallest_subnormal, information.smallest_normal, information.max]
    below = np.nextafter(information.smallest_normal, 0)
    x = np.array([*middles, *around, *neighbours, *extremes, below], dtype)
    x = np.concatenate([x, -x])
    for found, argument in zip(applied(name, x, dtype).tolist(), x.tolist(), strict=True):
        assert exact_error(name, dtype, found, argument) < 0.98, argument


LN2 = math.log(2)


@pytest.mark.parametrize("name", ["sin", "cos"])
@pytest.mark.parametrize(
    ("dtype", "x"),
    [("float64", 6381956970095103 * 2.0**797), ("float32", 16367173 * 2.0**72)],
)
def test_angles_near_a_multiple_of_a_quarter_circle_are_right(
    name: str, dtype: str, x: float
) -> None:
    # Muller, Elementary Functions: the double closest to a multiple of pi / 2
    around = [x, -x, x * 2, x / 2, math.pi, math.pi / 2, math.pi * 1e5, 355.0, 2.0**27 * math.pi]
    rounded = np.array(around, dtype)
    for found, argument in zip(applied(name, rounded, dtype), rounded, strict=True):
        assert exact_error(name, dtype, float(found), float(argument)) < 0.9


@pytest.mark.parametrize("dtype", DTYPES)
def test_power_follows_c_where_a_number_is_special(dtype: str) -> None:
    numbers = [0, 1, 2, 3, 0.5, 1.5, 1e-30, 1e30, INF, 2.0**23 + 1, 2.0**24, 2.0**52 + 1]
    edges = np.array([*numbers, *(-n for n in numbers), NAN], dtype)
    x, y = (each.ravel() for each in np.meshgrid(edges, edges))
    found = compute(CASES["power"].function, x, y, dtype=dtype)
    for a, b, value in zip(x.tolist(), y.tolist(), found.tolist(), strict=True):
        try:
            wanted = math.pow(a, b)
        except (OverflowError, ValueError):  # it is infinite, a pole or not real
            odd = b % 2 == 1 and math.copysign(1, a) < 0
            real = a >= 0 or b % 1 == 0
            wanted = (-INF if odd else INF) if real else NAN
        if wanted in (0.0, 1.0, -1.0, INF, -INF) or wanted != wanted:
            assert repr(value) == repr(wanted), (a, b)


@pytest.mark.slow
@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("exponent", [-3.0, -2.0, -1.0, -0.5, 0.25, 0.5, 1.0, 2.0, 4.0, 5.0, 1.5])
def test_power_of_a_number_is_within_one_unit(dtype: str, exponent: float) -> None:
    def raised(builder: Builder, x: Value) -> Value:
        return functions.power(builder, x, exponent)

    random = np.random.default_rng(3)
    x = np.concatenate([random.normal(size=60), 10.0 ** random.uniform(-9, 9, 60)]).astype(dtype)
    x = x if exponent % 1 == 0 else abs(x)
    for found, argument in zip(compute(raised, x, dtype=dtype), x, strict=True):
        assert exact_error("power", dtype, float(found), float(argument), exponent) < 0.98


def test_power_of_small_integers_is_a_product() -> None:
    builder = Builder("float64")
    x = builder.input("x", (3,))
    squared, cubed = (functions.power(builder, x, n) for n in (2, 3))
    assert squared == builder.apply("multiply", x, x)
    assert cubed == builder.apply("multiply", squared, x)
    assert functions.power(builder, x, 1) == x
    assert evaluate(
        builder.program({"one": functions.power(builder, x, 0)}), {"x": np.full((1, 3), NAN)}
    )["one"].tolist() == [[1.0, 1.0, 1.0]]


FLOATS = st.floats() | st.floats(-30, 30)
LISTS = st.lists(FLOATS, min_size=1, max_size=40)


@pytest.mark.parametrize("dtype", DTYPES)
@given(values=LISTS)
@settings(max_examples=30)
def test_symmetric_functions_are_symmetric_in_every_bit(dtype: str, values: list[float]) -> None:
    with np.errstate(all="ignore"):
        x = np.array(values).astype(dtype)
    for name in ("tanh", "sin", "erf"):
        np.testing.assert_array_equal(
            bits(applied(name, -x, dtype)), bits(-applied(name, x, dtype))
        )
    np.testing.assert_array_equal(bits(applied("cos", -x, dtype)), bits(applied("cos", x, dtype)))


@pytest.mark.parametrize("dtype", DTYPES)
@given(values=LISTS)
@settings(max_examples=30)
def test_no_value_leaves_the_range_of_its_function(dtype: str, values: list[float]) -> None:
    with np.errstate(all="ignore"):
        x = np.array([v for v in values if v == v] + [1.0]).astype(dtype)
    for name, low, high in (("tanh", -1, 1), ("erf", -1, 1), ("sigmoid", 0, 1), ("exp", 0, INF)):
        found = applied(name, x, dtype)
        assert (low <= found).all()
        assert (found <= high).all()
    x = x[np.isfinite(x)]
    for name in ("sin", "cos"):
        assert (abs(applied(name, x, dtype)) <= 1).all()
    assert (applied("softplus", x, dtype) >= np.maximum(x, 0)).all()


@pytest.mark.parametrize(("name", "dtype"), EVERY)
def test_torch_and_numpy_compute_the_same_bits(name: str, dtype: str) -> None:
    arguments = points(name, dtype, 3_000, np.random.default_rng(4))
    special = np.array([0.0, -0.0, INF, -INF, NAN], dtype)
    arguments = tuple(np.concatenate([each, special]) for each in arguments)
    inputs = {f"x{i}": each for i, each in enumerate(arguments)}
    program = program_of(name, dtype)
    by_numpy = evaluate(program, inputs)["result"]
    by_torch = Interpreter(program)({k: torch.from_numpy(v) for k, v in inputs.items()})
    np.testing.assert_array_equal(bits(by_numpy), bits(by_torch["result"].numpy()))


@pytest.mark.parametrize(("name", "dtype"), EVERY)
def test_programs_have_elementwise_operations_and_shifts_within_the_bits(
    name: str, dtype: str
) -> None:
    program = program_of(name, dtype)
    used = {node.operation for node in program.nodes}
    assert used <= {*ELEMENTWISE, "input", "constant"}
    shifts = [n.inputs[1] for n in program.nodes if n.operation.startswith("shift")]
    watched = replace(program, outputs={str(i): i for i in shifts})
    arguments = points(name, dtype, 3_000, np.random.default_rng(5))
    special = np.array([0.0, -0.0, INF, -INF, NAN], dtype)
    inputs = {f"x{i}": np.concatenate([each, special]) for i, each in enumerate(arguments)}
    for places in evaluate(watched, inputs).values():
        assert places.min() >= 0
        assert places.max() < 8 * np.dtype(dtype).itemsize


def operations(function: Any, dtype: str, *arguments: float) -> int:
    builder = Builder(dtype)
    count = 2 if function is functions.power and not arguments else 1
    values = [builder.input(f"x{i}", ()) for i in range(count)]
    nodes = builder.program({"y": function(builder, *values, *arguments)}).nodes
    return sum(node.operation in ELEMENTWISE for node in nodes)


@pytest.mark.parametrize("name", UNARY)
def test_the_documented_counts_of_operations_are_those_of_the_programs(name: str) -> None:
    function = getattr(functions, name)
    stated = re.search(r"(\d+)\s+operations\s+\(float32: (\d+)\)", function.__doc__)
    assert stated is not None
    counted = [str(operations(function, dtype)) for dtype in DTYPES]
    assert list(stated.groups()) == counted


def test_the_documented_counts_of_powers_are_those_of_the_programs() -> None:
    text = " ".join(str(functions.power.__doc__).split())
    of_values, of_even = (
        [operations(functions.power, dtype, *arguments) for dtype in DTYPES]
        for arguments in ((), (4.0,))
    )
    assert "{} operations (float32: {}) and at most five more".format(*of_even) in text
    assert "a value takes {} ({})".format(*of_values) in text


def test_a_kind_of_a_function_is_a_float() -> None:
    builder = Builder("float32")
    x = builder.input("x", (2, 3))
    for name in UNARY:
        made = CASES[name].function(builder, x)
        assert (made.shape, made.kind) == ((2, 3), Kind.FLOAT)
