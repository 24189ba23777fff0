"""A view of a view reads the same numbers whether or not the builder joins them."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from gdexp.engine import builder as building
from gdexp.engine.builder import Builder, Value
from gdexp.engine.interpreter import Interpreter


def viewed(array: np.ndarray, shape: list[int], offset: int, strides: list[int]) -> np.ndarray:
    flat = np.ascontiguousarray(array).reshape(-1)
    steps = [s * flat.itemsize for s in strides]
    return np.lib.stride_tricks.as_strided(flat[offset:], shape, steps).copy()


@st.composite
def views(draw: st.DrawFn, size: int) -> tuple[list[int], int, list[int]]:
    """Shape, offset and strides of a view inside an array of this size."""
    shape = draw(st.lists(st.integers(1, 4), min_size=1, max_size=3))
    offset = draw(st.integers(0, size - 1))
    strides, room = [], size - 1 - offset
    for n in shape:
        stride = draw(st.integers(0, room // (n - 1) if n > 1 else 3))
        room -= stride * (n - 1)
        strides.append(stride)
    return shape, offset, strides


@pytest.mark.slow
@settings(max_examples=40)
@given(st.data())
def test_joined_views_read_the_same_numbers(data: st.DataObject) -> None:
    first = data.draw(views(24))
    second = data.draw(views(int(np.prod(first[0]))))
    x = np.arange(24.0)
    wanted = viewed(viewed(x, *first), *second)

    with pytest.MonkeyPatch.context() as patch:
        for change in ({}, {"LARGEST_JOINED": 0}, {"_joined": lambda *given: None}):
            for name, value in change.items():
                patch.setattr(building, name, value)
            for rows in (1, 2):
                assert np.array_equal(_interpreted(x, first, second, rows), wanted)


def _interpreted(
    x: np.ndarray,
    first: tuple[list[int], int, list[int]],
    second: tuple[list[int], int, list[int]],
    rows: int,
) -> np.ndarray:
    b = Builder("float64")
    made: Value = b.view(b.view(b.input("x", x.shape), *first), *second)
    program = b.program({"y": made})
    inputs = torch.from_numpy(np.stack([x] * rows))
    return Interpreter(program)({"x": inputs})["y"][rows - 1].numpy()
