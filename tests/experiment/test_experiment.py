"""What an experiment says and refuses before it runs: thresholds out of reach, data of a dtype."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from gdexp import BadInput
from gdexp.experiment.experiment import Experiment, trusted_paths
from tests.support.commands import composed

START = "problem.x0=[[0.1,0.9,0.2],[0.7,0.8,0.4],[0.9,0.6,0.5]]"


def experiment(*lines: str) -> Experiment:
    found = composed(*lines)
    return Experiment.from_config(found, trusted_paths(found))


@pytest.mark.slow
@pytest.mark.parametrize("dtype", ["float32", "bfloat16", "float16"])
@pytest.mark.parametrize("lr", [1.0, 0.1, 0.01])
@pytest.mark.parametrize("rule", ["gd", "momentum"])
def test_a_threshold_that_is_not_warned_of_is_reached_at_every_learning_rate(
    dtype: str, lr: float, rule: str
) -> None:
    """lr alone decides how small a step rounds to none, so one dtype has many floors."""
    base = experiment(START, f"dtype={dtype}", f"optimizer={rule}", f"optimizer.lr={lr}")

    def to(exponent: int) -> Experiment:
        return replace(base, stopping=replace(base.stopping, threshold=10.0**exponent))

    warned = [exponent for exponent in range(-1, -17, -1) if to(exponent).threshold_warning()]
    tightest = max(warned) + 1
    assert to(tightest).run().converged
    if lr < 1 and rule == "gd":
        beyond = to(tightest - 3)
        warning = beyond.threshold_warning()
        assert warning is not None
        assert f"to reach with optimizer.lr={lr:g}, whose steps become smaller than half" in warning
        assert warning.endswith("; a larger lr or dtype=float64 goes lower")
        assert not beyond.run().converged


def test_a_rule_that_divides_by_the_gradients_size_has_no_floor_of_its_own() -> None:
    lines = ["optimizer=adam", "optimizer.lr=1e-6", "stopping.threshold=1e-11"]
    assert experiment(*lines).threshold_warning() is None


OWN = """
import torch

from gdexp import Problem

DATA = torch.tensor([1.0, 2.0], dtype=torch.float64)


def promoted(x):
    return ((x - DATA) ** 2).sum()


def product(x):
    return (torch.eye(2, dtype=torch.float64) @ x).sum() ** 2


def converted(x):
    return ((x - DATA.to(x.dtype)) ** 2).sum()


class Empty(Problem):
    shape = (0,)

    def loss(self, x):
        return x.sum()
"""


@pytest.fixture
def own(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    (tmp_path / "own_dtypes.py").write_text(OWN)
    monkeypatch.syspath_prepend(str(tmp_path))
    yield
    sys.modules.pop("own_dtypes", None)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("promoted", "problem=own_dtypes.promoted: with x in float32 its loss has dtype float64"),
        ("product", "problem=own_dtypes.product: with x in float32 its loss fails: "),
    ],
)
def test_data_of_another_dtype_than_x_are_refused(own: None, name: str, words: str) -> None:
    lines = ["problem=custom", f"problem.path=own_dtypes.{name}", "problem.shape=[2]"]
    with pytest.raises(BadInput) as error:
        experiment(*lines).rehearse()
    assert words in str(error.value)
    assert str(error.value).endswith("or give their dtype as dtype=…")
    experiment(*lines, "dtype=float64").rehearse()


@pytest.mark.slow
def test_data_that_follow_x_are_taken_in_every_dtype(own: None) -> None:
    for dtype in ("float32", "float64", "bfloat16"):
        line = ["problem=custom", "problem.path=own_dtypes.converted", "problem.shape=[2]"]
        experiment(*line, f"dtype={dtype}").rehearse()


def test_an_x_of_no_numbers_is_refused(own: None) -> None:
    with pytest.raises(BadInput, match="must hold at least one number"):
        experiment("problem=custom", "problem.path=own_dtypes.Empty")
