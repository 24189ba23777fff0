"""Problems that give different losses for the same settings are found, and nothing else is."""

from __future__ import annotations

import random
import sys
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
import torch

from gdexp.cli.main import main
from gdexp.experiment.experiment import Experiment, trusted_paths
from gdexp.experiment.repeatability import NONDETERMINISTIC_TAG, nondeterminism_warning
from tests.reruns.records import CONFIG

MODULE = """
import random
import numpy as np
import torch
from torch import nn
from gdexp import FunctionProblem, Problem

def steady(x):
    return (x**2).sum()

def shuffled(x):
    return (x[torch.randperm(3)] * torch.arange(3)).sum()

def numpy_noise(x):
    return (x**2).sum() + float(np.random.rand())

def python_noise(x):
    return (x**2).sum() + random.random()

calls = [0]

def counting(x):
    calls[0] += 1
    return (x**2).sum() + calls[0]

class Shuffled(Problem):
    shape = (3,)

    def __init__(self):
        super().__init__()
        self.scale = torch.rand(3)[torch.randperm(3)]

    def loss(self, x):
        return (self.scale * x**2).sum()

class Counting(Problem):
    shape = (3,)
    calls = 0

    def loss(self, x):
        self.__class__.calls += 1
        return (x**2).sum() * self.calls

generator = torch.Generator().manual_seed(3)
numbers = np.random.default_rng(3)
norm = nn.BatchNorm1d(3)

def own_generator(x):
    return (x**2).sum() + torch.rand(1, generator=generator)[0] + float(numbers.random())

def normed(x):
    return (norm(torch.stack([x, 2 * x])) ** 2 * torch.arange(3)).sum() + x.sum()
"""


@pytest.fixture
def module(here: Path) -> Iterator[str]:
    """The module with problems, to be imported from here."""
    name = f"wild{abs(hash(str(here)))}"
    (here / f"{name}.py").write_text(MODULE)
    yield name
    sys.modules.pop(name, None)


def experiment(path: str) -> Experiment:
    problem = {"name": "custom", "path": path, "shape": [3]}
    if path.rpartition(".")[2][0].isupper():
        del problem["shape"]
    composed = {**CONFIG, "problem": problem}
    return Experiment.from_config(composed, trusted_paths(composed))


@pytest.mark.parametrize(
    "name",
    [
        *("shuffled", "numpy_noise", "python_noise", "counting", "Shuffled", "Counting"),
        "own_generator",
    ],
)
def test_different_losses_are_said(module: str, name: str) -> None:
    # One shuffle in six of three numbers leaves them as they were.
    torch.manual_seed(1)
    np.random.seed(1)
    random.seed(1)
    said = str(nondeterminism_warning(experiment(f"{module}.{name}")))
    assert said.startswith(f"problem={module}.{name} gives different numbers for the same settings")
    assert NONDETERMINISTIC_TAG in said


@pytest.mark.parametrize("name", ["steady", "normed"])
def test_equal_losses_are_not(module: str, name: str) -> None:
    assert nondeterminism_warning(experiment(f"{module}.{name}")) is None


def states(module: str) -> list[object]:
    wild = sys.modules[module]
    return [
        torch.get_rng_state().tolist(),
        np.random.get_state()[1].tolist(),
        random.getstate(),
        wild.generator.get_state().tolist(),
        wild.numbers.bit_generator.state,
        {name: value.tolist() for name, value in wild.norm.named_buffers()},
    ]


@pytest.mark.parametrize("name", ["shuffled", "numpy_noise", "own_generator", "normed"])
def test_the_check_leaves_generators_and_buffers_as_they_were(module: str, name: str) -> None:
    made = experiment(f"{module}.{name}")
    before = states(module)
    nondeterminism_warning(made)
    assert states(module) == before


def test_gdexps_own_problems_are_not_evaluated(monkeypatch: pytest.MonkeyPatch) -> None:
    made = Experiment.from_config(CONFIG)
    monkeypatch.setattr("gdexp.problems.Matrix.loss", None)
    assert nondeterminism_warning(made) is None


@pytest.mark.slow
def test_the_run_is_tagged_and_its_rerun_names_the_cause(
    module: str, capsys: pytest.CaptureFixture[str]
) -> None:
    path = f"{module}.python_noise"
    line = ["problem=custom", f"problem.path={path}", "problem.shape=[3]", "optimizer.lr=0.1"]
    assert main([*line, "stopping.max_iterations=5"]) == 0
    assert "gives different numbers" in " ".join(capsys.readouterr().out.split())
    assert main(["+rerun", f"trust=[{path}]"]) == 4
    said = " ".join(capsys.readouterr().out.split())
    assert "could be the problem gave different losses for the same x" in said


@pytest.mark.slow
def test_the_trials_of_a_sweep_are_tagged(
    module: str, here: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    line = ["problem=custom", f"problem.path={module}.python_noise", "problem.shape=[3]"]
    line += ["optimizer.lr=0.1,0.2", "stopping.max_iterations=5", "sweep.name=s"]
    assert main(["-m", *line]) in (0, 1)
    assert "gives different numbers" in capsys.readouterr().err
    from mlflow import MlflowClient

    runs = MlflowClient(f"sqlite:///{here}/mlflow.db").search_runs(["1"])
    tagged = [r.data.tags.get(NONDETERMINISTIC_TAG) for r in runs if "gdexp.trial" in r.data.tags]
    assert tagged == ["true", "true"]
