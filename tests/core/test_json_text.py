"""The quick texts are those of the standard library, whatever the value."""

from __future__ import annotations

import json
from enum import StrEnum
from pathlib import Path

import numpy as np
from hypothesis import example, given
from hypothesis import strategies as st

from gdexp.core import indented_json, json_text


class Word(StrEnum):
    """A text that is no plain `str`."""

    ONE = "one"


PLAIN = st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8)
KEYS = st.text(max_size=8) | st.integers() | st.booleans() | st.none() | st.floats()
VALUES = st.recursive(
    PLAIN,
    lambda inner: (
        st.lists(inner, max_size=4)
        | st.tuples(inner, inner)
        | st.dictionaries(st.text(max_size=8), inner, max_size=4)
        | st.dictionaries(KEYS, inner, max_size=2)
    ),
    max_leaves=12,
)


@given(VALUES)
@example({"a": {1: ["line\nline", Word.ONE], "b": Path("x")}, "c": []})
@example([np.float64(0.1), 10**400, -0.0, 1e22, float("nan"), float("-inf"), {}, ()])
@example({Word.ONE: 1})
def test_both_texts_are_those_of_the_standard_library(value: object) -> None:
    assert json_text(value) == json.dumps(value, default=str)
    assert indented_json(value) == json.dumps(value, indent=2, default=str)
