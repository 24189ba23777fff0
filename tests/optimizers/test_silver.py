"""Silver steps: the paper's sequence, its sums and its bound."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch

from gdexp import BadInput, GradientDescent, Problem, Quadratic, Silver, Stopping, descend
from gdexp.optimizers import silver_bound, silver_worst

RHO = 1 + math.sqrt(2)
ROOT = math.sqrt(2)


class Huber(Problem):
    """`½ x²` up to |x| = width, and linear beyond it: convex, with a 1-Lipschitz gradient."""

    f_star = 0.0

    def __init__(self, width: float) -> None:
        super().__init__([1.0])
        self.width = width

    def loss(self, x: torch.Tensor) -> torch.Tensor:
        size = x.abs()
        linear = self.width * size - self.width**2 / 2
        return torch.where(size <= self.width, x * x / 2, linear).sum()


def losses(problem: Problem, updates: int) -> np.ndarray:
    stopping = Stopping(1e-300, updates)
    return descend(
        problem, GradientDescent(1.0, schedule=Silver()), stopping, dtype="float64"
    ).trace


def test_the_steps_are_those_of_the_paper() -> None:
    found = [Silver().rate(1.0, k) for k in range(1, 17)]
    third = [ROOT, 2, ROOT, 2 + ROOT, ROOT, 2, ROOT]
    wanted = [*third, 4 + 2 * ROOT, *third, 1 + RHO**3]
    assert found == pytest.approx(wanted, rel=1e-15)
    assert Silver().rate(0.25, 4) == 0.25 * found[3]


@pytest.mark.parametrize("m", [1, 2, 3, 6, 10])
def test_the_steps_sum_to_a_power_of_the_silver_ratio_less_one(m: int) -> None:
    total = math.fsum(Silver().rate(1.0, k) for k in range(1, 2**m))
    assert total == pytest.approx(RHO**m - 1, rel=1e-14)


def test_a_block_of_iterations_has_the_same_bits_as_each_one() -> None:
    block = np.arange(1, 5000, dtype=np.int64).reshape(-1, 1)
    together = np.asarray(Silver().rate(0.3, block))
    assert together.ravel().tolist() == [Silver().rate(0.3, k) for k in range(1, 5000)]


WORST = [(3, 0.046918), (7, 0.0184215), (15, 0.007469), (31, 0.003067)]
"""Worst cases by PEPit 0.5.1 for ‖x0 − x*‖ = 1 and L = 1; that of 7 is in its documentation."""


@pytest.mark.parametrize(("updates", "worst"), WORST)
def test_hubers_function_is_the_worst_case_of_pepit(updates: int, worst: float) -> None:
    assert silver_worst(updates) == pytest.approx(worst, abs=5e-7)


def test_the_bound_is_that_of_the_theorem() -> None:
    assert silver_bound(7) == pytest.approx(0.0343775, abs=5e-8)  # in PEPit's documentation
    for m in range(1, 12):
        assert silver_worst(2**m - 1) < silver_bound(2**m - 1)


@pytest.mark.slow
@pytest.mark.parametrize("updates", [1, 3, 7, 15, 31, 63])
def test_hubers_function_has_the_gap_that_is_said(updates: int) -> None:
    steps = math.fsum(Silver().rate(1.0, k) for k in range(1, updates + 1))
    found = losses(Huber(1 / (2 * steps + 1)), updates)
    assert found[-1] == pytest.approx(silver_worst(updates), rel=1e-12)


@pytest.mark.slow
@pytest.mark.parametrize("eigenvalue", np.linspace(0.01, 1, 12).tolist())
def test_no_quadratic_is_above_the_bound(eigenvalue: float) -> None:
    found = losses(Quadratic(spectrum=[eigenvalue]), 127)
    for m in range(1, 8):
        assert found[2**m - 1] <= silver_worst(2**m - 1)


def test_after_another_number_of_updates_the_gap_can_be_above_the_bound() -> None:
    found = losses(Quadratic(spectrum=[1.0]), 4)
    assert found[3] < silver_bound(3) < found[4]


@pytest.mark.parametrize("updates", [0, 2, 4, 6, 8, 100])
def test_nothing_is_said_of_other_numbers_of_updates(updates: int) -> None:
    for function in (silver_bound, silver_worst):
        with pytest.raises(BadInput, match="updates="):
            function(updates)
