"""Arrays and single numbers have the bits of the programs."""

from __future__ import annotations

import math
from fractions import Fraction

import numpy as np
import pytest
import torch
from benchmarks.functions import CASES, points
from hypothesis import given
from hypothesis import strategies as st

from gdexp.engine import arrays, functions, scalars
from gdexp.engine.builder import Builder
from gdexp.engine.interpreter import Interpreter
from gdexp.engine.numpy_evaluation import evaluate
from tests.engine.test_functions import NAMES

INF, NAN = math.inf, math.nan


@pytest.mark.parametrize("name", NAMES)
def test_a_single_number_has_the_bits_of_the_array(name: str) -> None:
    function = CASES[name].function
    special = np.array([0.0, -0.0, INF, -INF, NAN, 5e-324, 1.7e308, 1.0, -1.0])
    some = points(name, "float64", 300, np.random.default_rng(1))
    given = [np.concatenate([each, special]) for each in some]
    wanted = arrays.compute(function, *given)
    one = scalars.scalar(function, len(given))
    found = [one(*row) for row in zip(*(each.tolist() for each in given), strict=True)]
    assert [repr(v) for v in found] == [repr(v) for v in wanted.tolist()]


def test_schedules_have_their_functions_by_name() -> None:
    assert scalars.exp(0.0) == 1.0
    assert scalars.log(1.0) == 0.0
    assert scalars.cos(0.0) == 1.0
    assert scalars.power(0.5, 3.0) == 0.125
    assert scalars.log(-1.0) != scalars.log(-1.0)


def test_chunks_change_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    x = np.random.default_rng(2).normal(size=(7, 11))
    whole = arrays.compute(functions.exp, x)
    monkeypatch.setattr(arrays, "CHUNK", 5)
    np.testing.assert_array_equal(arrays.compute(functions.exp, x), whole)


def test_arguments_are_broadcast() -> None:
    found = arrays.compute(functions.power, [[1.0], [2.0]], [0.0, 1.0, 2.0])
    assert found.tolist() == [[1.0, 1.0, 1.0], [1.0, 2.0, 4.0]]
    assert arrays.compute(functions.exp, 0.0).shape == ()
    assert arrays.compute(functions.exp, []).shape == (0,)


@pytest.mark.slow
@given(
    low=st.floats(-1e6, 1e6),
    width=st.floats(0, 1e6),
    n=st.integers(2, 200),
)
def test_linspace_has_its_ends_and_numbers_near_the_exact_ones(
    low: float, width: float, n: int
) -> None:
    high = low + width
    found = arrays.linspace(low, high, n)
    assert (len(found), found[0], found[-1]) == (n, low, high)
    bound = Fraction(2, 2**52) * Fraction(max(abs(low), abs(high), 1e-300))
    for i, number in enumerate(found.tolist()):
        exact = Fraction(low) + (Fraction(high) - Fraction(low)) * i / (n - 1)
        assert abs(Fraction(number) - exact) <= bound


@pytest.mark.parametrize("n", [1, 2, 5, 64, 1000])
def test_linspace_is_its_formula_and_symmetric(n: int) -> None:
    found = arrays.linspace(-3.3, 3.3, n)
    if n > 1:
        step = 6.6 / (n - 1)
        upper = [3.3 - (n - 1 - i) * step for i in range(n // 2, n)]
        assert found.tolist() == [-3.3 + i * step for i in range(n // 2)] + upper
    half = n // 2
    np.testing.assert_array_equal(found[:half], -found[::-1][:half])


def test_numpy_and_torch_agree_on_operations_on_whole_arrays() -> None:
    builder = Builder("float32")
    x = builder.input("x", (3, 5))
    turned = builder.view(x, (5, 3), 14, (-1, -5))
    taken = builder.take(x, [[0, 7], [7, 14]])
    joined = builder.concatenate([turned, taken, builder.constant([1.5, -0.0])])
    added = builder.scatter_add(x, builder.reshape(turned, (15,)), [0, 3, 3, 3] + [14] * 11)
    sums = {
        "rows": builder.sum(x),
        "all": builder.sum(joined),
        "none": builder.sum(builder.view(x, (2, 0), 0, (1, 1))),
        "odd": builder.sum(builder.apply("sqrt", builder.apply("absolute", turned))),
        "negative": builder.apply("negative", x),
    }
    program = builder.program({"joined": joined, "added": added, "turned": turned, **sums})
    given = np.random.default_rng(6).normal(size=(4, 3, 5)).astype(np.float32)
    by_numpy = evaluate(program, {"x": given})
    by_torch = Interpreter(program)({"x": torch.from_numpy(given)})
    for name, found in by_numpy.items():
        wanted = by_torch[name].numpy()
        assert found.shape == wanted.shape
        assert found.tobytes() == wanted.tobytes(), name
