"""Constants of the portable engine: close to torch's, and the same bits on every machine."""

from __future__ import annotations

import copy
import pickle

import numpy as np
import pytest
import torch

from gdexp import Momentum, Problem, Stopping, descend
from gdexp.core.errors import BadInput
from gdexp.engine.not_portable import NotPortable
from gdexp.problems.constants import PORTABLE, TORCH
from gdexp.problems.digits_minima import MINIMA
from gdexp.problems.factorization import Factorization
from gdexp.problems.function import Function
from gdexp.problems.matrix import Matrix
from gdexp.problems.portable_constants import PortableFunctions
from gdexp.problems.problem_check import CPU, check_problem
from gdexp.problems.quadratic import Quadratic
from gdexp.problems.registry import PROBLEMS
from gdexp.problems.transformed import Transformed

WITH_CONSTANTS = ("function", "quadratic", "ols", "logistic", "factorization")
EPS = 2.0**-52


@pytest.mark.slow
@pytest.mark.parametrize("name", WITH_CONSTANTS)
def test_a_portable_form_differs_from_the_problem_by_rounding_alone(name: str) -> None:
    problem = PROBLEMS[name]()
    form = problem.portable_form()
    assert form is not problem
    for key, value in vars(problem).items():
        if isinstance(value, torch.Tensor):
            assert torch.allclose(vars(form)[key], value, rtol=32 * EPS, atol=32 * EPS), key
    if problem.f_star is not None:
        assert form.f_star == pytest.approx(problem.f_star, rel=1e-13)
    assert form.curvature == problem.curvature


@pytest.mark.slow
@pytest.mark.parametrize("name", ["function", "quadratic", "ols", "logistic"])
def test_what_is_known_of_a_problem_holds_for_its_portable_form(name: str) -> None:
    check_problem(PROBLEMS[name]().portable_form(), batches=(1, 7))
    check_problem(Transformed(PROBLEMS[name](), 3, 0.5).portable_form(), seeds=(0,))


@pytest.mark.parametrize("name", ["step", "absolute", "gaussian", "sawtooth", "polynomial"])
def test_targets_are_those_of_torch_up_to_rounding(name: str) -> None:
    problem = Function(name, points=1000, interval=[-2, 1.5])
    form = problem.portable_form()
    assert torch.allclose(form.wanted, problem.wanted, rtol=8 * EPS, atol=8 * EPS)


def test_a_grid_is_symmetric_and_ends_at_its_ends() -> None:
    grid = PortableFunctions().linspace(-1.0, 1.0, 1001)
    assert (grid[0], grid[500], grid[-1]) == (-1.0, 0.0, 1.0)
    assert torch.equal(grid, -grid.flip(0))


def test_standardised_columns_have_mean_0_and_deviation_1() -> None:
    values = torch.rand(100, 5, dtype=torch.float64) * 7 + 1e3
    found = PortableFunctions().standardised(values)
    assert found.mean(0).abs().max() < 1e-13
    assert (found.std(0, correction=0) - 1).abs().max() < 1e-14


@pytest.mark.parametrize("n", [1, 2, 3, 30, 100])
def test_a_rotation_is_orthogonal(n: int) -> None:
    rotation = PortableFunctions().rotation(7, n)
    assert (rotation.T @ rotation - torch.eye(n, dtype=torch.float64)).abs().max() < 16 * EPS
    assert torch.equal(rotation, PortableFunctions().rotation(7, n))
    assert n < 2 or not torch.equal(rotation, PortableFunctions().rotation(8, n))


def test_rotations_are_uniformly_distributed() -> None:
    """The first column is then uniform on the sphere: its entries have mean 0 and square 1/n."""
    columns = torch.stack([PortableFunctions().rotation(seed, 4)[:, 0] for seed in range(100)])
    assert columns.mean(0).abs().max() < 4 * 0.5 / 10
    assert (columns.square().mean(0) - 0.25).abs().max() < 4 * 0.18 / 10
    assert (columns > 0).double().mean().item() == pytest.approx(0.5, abs=0.1)


def test_the_minimum_of_a_factorization_is_exact() -> None:
    values = torch.linalg.svdvals(Factorization().matrix)
    for rank in (1, 5, 30, 64):
        wanted = 0.5 * values[rank:].square().sum().item()
        assert MINIMA[rank - 1] == pytest.approx(wanted, rel=1e-12, abs=1e-20)
        assert Factorization(rank).portable_form().f_star == MINIMA[rank - 1]


def test_a_form_is_made_once_and_is_its_own_form() -> None:
    for problem in (Function(), Transformed(Quadratic(), 3), Transformed(Function(), shift=1.0)):
        form = problem.portable_form()
        assert problem.portable_form() is form is form.portable_form()
        assert form is not problem
    assert (matrix := Matrix()).portable_form() is matrix


def test_what_was_changed_since_stays_in_the_form() -> None:
    replaced, in_place, minimum = Function(), Function(), Quadratic()
    replaced.wanted = torch.zeros_like(replaced.wanted)
    in_place.portable_form()
    in_place.wanted += 1
    copied = copy.deepcopy(in_place)
    minimum.f_star = -1.0
    assert replaced.portable_form().wanted is replaced.wanted
    assert in_place.portable_form().wanted is in_place.wanted
    assert copied.portable_form().wanted is copied.wanted
    assert minimum.portable_form().f_star == -1.0
    outer = Transformed(Function(), 3)
    before = outer.portable_form()
    outer.inner.wanted = torch.zeros_like(outer.inner.wanted)
    assert outer.portable_form() is not before
    assert outer.portable_form().inner.wanted is outer.inner.wanted


def test_copies_and_conversions_have_the_same_form() -> None:
    problem = Function()
    wanted = problem.portable_form().wanted
    copies = (copy.deepcopy(problem), pickle.loads(pickle.dumps(problem)), copy.copy(problem))
    for other in (*copies, problem.to(torch.float32, CPU)):
        assert torch.equal(other.portable_form().wanted, wanted)


def test_the_constants_of_a_users_problem_are_its_own() -> None:
    class Own(Problem):
        shape = (2,)

        def __init__(self) -> None:
            super().__init__()
            self.inner = Quadratic(2)
            self.grid = torch.linspace(0, 1, 7)

        def loss(self, x: torch.Tensor) -> torch.Tensor:
            return self.inner.loss(x) + self.grid.sum()

    problem = Own()
    assert problem.portable_form() is problem


@pytest.mark.slow
def test_too_many_constants_are_refused_before_they_are_made() -> None:
    for problem in (Quadratic(140_000), Function(points=140_000), Transformed(Quadratic(370), 1)):
        with pytest.raises(NotPortable, match=r"an array of [\d,]+ numbers"):
            problem.portable_form()
        with pytest.raises(BadInput, match="torch is faster"):
            descend(problem, engine="portable")


@pytest.mark.parametrize("n", [1, 2, 3, 4, 5, 7, 10, 37])
def test_a_rotation_is_that_of_torch_within_rounding(n: int) -> None:
    for seed in range(5):
        ours, theirs = PORTABLE.rotation(seed, n), TORCH.rotation(seed, n)
        assert torch.allclose(ours, theirs, rtol=0, atol=1e-12)


def test_each_engine_has_its_own_constants_and_start() -> None:
    problem = Transformed(Quadratic(20), 3, 0.5)
    until = Stopping(1e-12, 5)
    by_torch = descend(problem, Momentum(0.1), until, dtype="float64", engine="torch")
    portable = descend(problem, Momentum(0.1), until, dtype="float64", engine="portable")
    again = descend(problem, Momentum(0.1), until, dtype="float64", engine="torch")
    assert np.array_equal(by_torch.trace, again.trace)
    assert torch.equal(by_torch.initial, problem.start(0))
    assert torch.equal(portable.initial, problem.portable_form().start(0))
