"""Your own problem: as a function, a module, a subclass, and by path."""

from __future__ import annotations

import os
import sys
import textwrap
from importlib import import_module
from pathlib import Path

import pytest
import torch
import torch.nn.functional as F
from torch import nn

from gdexp.core.errors import BadInput
from gdexp.descent.single_descent import descend
from gdexp.descent.stopping import Stopping
from gdexp.optimizers.momentum import GradientDescent
from gdexp.problems.by_path import user_modules_first
from gdexp.problems.custom import FunctionProblem, ModuleProblem, import_by_path
from gdexp.problems.problem_check import check_problem
from gdexp.problems.registry import build_problem

MODULE = """
    import torch
    from gdexp.problems import Problem

    class Bowl(Problem):
        shape = (2,)
        f_star = 0.0

        def __init__(self, scale=1.0, x0=None):
            super().__init__(x0)
            self.scale = scale

        def loss(self, x):
            return self.scale * (x**2).sum()

    def quartic(x):
        return (x**4).sum()

    def make(scale=3.0):
        return Bowl(scale)

    def nothing():
        return 3

    bowl = Bowl(2.0)
    number = 3
"""


@pytest.fixture
def own(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    (tmp_path / "own_problems.py").write_text(textwrap.dedent(MODULE))
    (tmp_path / "broken_problems.py").write_text("import no_such_package_anywhere\n")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "path", [p for p in sys.path if p])
    for name in ("own_problems", "broken_problems"):
        monkeypatch.delitem(sys.modules, name, raising=False)
    return "own_problems"


def loss_by_path(attribute: str, **keys: object) -> float:
    path = f"own_problems.{attribute}"
    problem = build_problem({"name": "custom", "path": path, **keys}, trust=[path])
    return problem.loss(torch.tensor([1.0, 2.0])).item()


def test_a_function_is_a_problem() -> None:
    problem = FunctionProblem(lambda x: (x**4).sum(), shape=(2,), f_star=0.0)
    check_problem(problem)
    assert problem.name == "<lambda>"
    assert descend(problem, GradientDescent(lr=0.1)).converged


def test_a_function_can_promise_batches_and_the_promise_is_checked() -> None:
    check_problem(FunctionProblem(lambda x: x[..., 0] ** 2, x0=[1.0], batchable=True))


def test_a_function_without_a_shape_is_refused() -> None:
    with pytest.raises(BadInput, match=r"shape=null: give the shape of x"):
        FunctionProblem(lambda x: x.sum())


def linear_data() -> tuple[torch.Tensor, torch.Tensor]:
    generator = torch.Generator().manual_seed(0)
    inputs = torch.randn(20, 3, generator=generator)
    return inputs, inputs @ torch.tensor([[1.0], [-2.0], [0.5]]) + 0.25


@pytest.mark.slow
def test_a_module_descends_as_in_a_training_loop() -> None:
    inputs, targets = linear_data()
    module = nn.Linear(3, 1)
    problem = ModuleProblem(module, inputs, targets)
    check_problem(problem)
    result = descend(problem, GradientDescent(lr=0.1), Stopping(1e-6, 50))
    optimizer = torch.optim.SGD(module.parameters(), lr=0.1)
    trace = []
    for _ in range(len(result.trace)):
        loss = F.mse_loss(module(inputs), targets)
        trace.append(loss.item())
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    assert result.trace == pytest.approx(trace, rel=1e-4)


@pytest.mark.slow
def test_a_modules_parameters_are_named_and_frozen_ones_stay() -> None:
    module = nn.Sequential(nn.Linear(3, 2), nn.BatchNorm1d(2), nn.Linear(2, 1))
    module[0].weight.requires_grad_(False)
    inputs, targets = linear_data()
    problem = ModuleProblem(module, inputs, targets)
    names = [part.name for part in problem.parts()]
    assert names == ["0.bias", "1.weight", "1.bias", "2.weight", "2.bias"]
    assert problem.shape == (9,)
    check_problem(problem)


def test_a_module_is_copied_and_its_dropout_is_off() -> None:
    inputs, targets = linear_data()
    module = nn.Sequential(nn.Dropout(0.5), nn.Linear(3, 1))
    problem = ModuleProblem(module, inputs, targets)
    x = problem.start(0)
    assert problem.loss(x).item() == problem.loss(x).item()
    assert module.training


def test_a_module_maker_starts_elsewhere_for_every_seed() -> None:
    problem = ModuleProblem(lambda: nn.Linear(3, 1), *linear_data())
    state = torch.random.get_rng_state()
    assert torch.equal(problem.start(1), problem.start(1))
    assert not torch.equal(problem.start(1), problem.start(2))
    assert torch.equal(torch.random.get_rng_state(), state)


@pytest.mark.slow
def test_a_module_takes_class_labels_and_their_loss() -> None:
    inputs, _ = linear_data()
    labels = torch.arange(20) % 3
    check_problem(ModuleProblem(nn.Linear(3, 3), inputs, labels, loss=F.cross_entropy))


def test_a_module_without_parameters_is_refused() -> None:
    with pytest.raises(BadInput, match="module=Tanh: has no parameter to move"):
        ModuleProblem(nn.Tanh(), *linear_data())


@pytest.mark.usefixtures("own")
def test_a_path_may_name_a_class_an_instance_a_function_or_a_maker() -> None:
    assert loss_by_path("Bowl") == 5
    assert loss_by_path("Bowl", arguments={"scale": 4.0}) == 20
    assert loss_by_path("bowl") == 10
    assert loss_by_path("quartic", shape=[2]) == 17
    assert loss_by_path("make") == 15
    assert loss_by_path("make", arguments={"scale": 1.0}) == 5


@pytest.mark.usefixtures("own")
def test_the_start_and_minimum_of_the_config_replace_the_problems_own() -> None:
    path = "own_problems.bowl"
    config = {"name": "custom", "path": path, "x0": [3.0, 4.0], "f_star": -1.0}
    problem = build_problem(config, trust=[path])
    assert problem.start(0).tolist() == [3.0, 4.0]
    assert problem.f_star == -1.0
    assert import_by_path(path).f_star == 0.0  # type: ignore[attr-defined]


@pytest.mark.usefixtures("own")
@pytest.mark.parametrize(
    ("attribute", "keys", "message"),
    [
        ("Bowls", {}, "own_problems has no 'Bowls': did you mean bowl?"),
        ("number", {}, "must name a Problem, a subclass of it or a function, not an int"),
        ("nothing", {}, "returned a int, not a Problem"),
        ("quartic", {}, "give the shape of x, such as [2], or x0"),
        ("bowl", {"shape": [2]}, "only with a loss function; a problem has its own"),
        ("bowl", {"arguments": {"scale": 1.0}}, "only with a class or a function that returns"),
        ("Bowl", {"arguments": {"scales": 1.0}}, "own_problems.Bowl does not take them"),
        ("bowl", {"x0": [1.0]}, "must have shape (2,)"),
    ],
)
def test_a_path_to_nothing_usable_is_refused(attribute: str, keys: dict, message: str) -> None:
    with pytest.raises(BadInput) as error:
        loss_by_path(attribute, **keys)
    assert message in str(error.value)
    assert "\n" not in str(error.value)


@pytest.mark.usefixtures("own")
@pytest.mark.parametrize(
    ("path", "message"),
    [
        ("loss", "must be of the form package.module.attribute"),
        ("a b.c", "must be of the form package.module.attribute"),
        ("no_such_module.loss", "there is no module 'no_such_module' to import"),
        ("torch.no_such.loss", "torch has no 'no_such'"),
        ("broken_problems.loss", "importing broken_problems failed: ModuleNotFoundError"),
    ],
)
def test_a_path_that_cannot_be_imported_is_refused_in_one_line(path: str, message: str) -> None:
    with pytest.raises(BadInput) as error:
        import_by_path(path)
    assert message in str(error.value)
    assert "\n" not in str(error.value)


def test_a_file_that_is_edited_within_a_second_is_read_again(
    here: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sys, "dont_write_bytecode", False)
    for text in ("VALUE = 1\n", "VALUE = 2\n"):  # of one size
        (here / "edited_at_once.py").write_text(text)
        os.utime(here / "edited_at_once.py", (10**9, 10**9))
        with user_modules_first():
            module = import_module("edited_at_once")
        assert f"VALUE = {module.VALUE}\n" == text
        monkeypatch.delitem(sys.modules, "edited_at_once")
    assert not sys.dont_write_bytecode
