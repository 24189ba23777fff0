"""The interpreted square root is the nearest number, which torch's own is not on every CPU."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch

from gdexp.engine.builder import Builder
from gdexp.engine.interpreter import Interpreter


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_the_square_root_is_rounded_once(dtype: str) -> None:
    b = Builder(dtype)
    program = b.program({"root": b.apply("sqrt", b.input("x", (4000,)))})
    x = np.random.default_rng(0).uniform(0, 10, (1, 4000)).astype(dtype)
    root = Interpreter(program)({"x": torch.from_numpy(x)})["root"].numpy()[0]
    # A float32 rounded from the float64 root is the nearest one: float64 has enough digits.
    assert root.tolist() == [float(x.dtype.type(math.sqrt(value))) for value in x[0].tolist()]


def test_the_square_root_of_a_number_below_zero_is_nan() -> None:
    b = Builder("float64")
    program = b.program({"root": b.apply("sqrt", b.input("x", (3,)))})
    x = torch.tensor([[-1.0, -0.0, math.inf]], dtype=torch.float64)
    root = Interpreter(program)({"x": x})["root"][0].tolist()
    assert math.isnan(root[0])
    assert math.copysign(1, root[1]) == -1
    assert root[2] == math.inf
