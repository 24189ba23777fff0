"""Tests that state the same of every engine run once with each."""

from __future__ import annotations

import sys
from functools import partial

import pytest

from gdexp.descent.batch_of_descents import descend_batch
from gdexp.descent.single_descent import descend


@pytest.fixture(params=["torch", "auto"])
def each_engine(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> str:
    """The engine that `descend` and `descend_batch` of the test's module use, unless told."""
    engine: str = request.param
    module = sys.modules[request.module.__name__]
    for name, function in (("descend", descend), ("descend_batch", descend_batch)):
        if hasattr(module, name):
            monkeypatch.setattr(module, name, partial(function, engine=engine))
    return engine
