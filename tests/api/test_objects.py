"""Objects become a config where they can be named, and are recorded with their source else."""

from __future__ import annotations

import functools
import sys
from pathlib import Path
from typing import Any

import pytest
import torch

import gdexp
from gdexp.api.composition import Composer
from gdexp.api.object_config import problem_config, stopping_config
from gdexp.api.rule_config import optimizer_config
from gdexp.core import BadInput, described
from gdexp.experiment.experiment import Experiment, trusted_paths
from gdexp.optimizers.registry import RULES, build_rule
from gdexp.problems.registry import PROBLEMS
from tests.support import names

MODULE = """
import torch
import gdexp


class Bowl(gdexp.Problem):
    shape = (2,)
    f_star = 0.0

    def __init__(self, k=1.0, **more):
        super().__init__()
        self.scale = k * more.get("factor", 1)

    def loss(self, x):
        return self.scale * (x**2).sum()


def cone(x):
    return (x**2).sum() + x.abs().sum()


def steps(lr=0.1):
    yield {"loss": lr}


class Tiny(gdexp.Training):
    def __init__(self, width=3):
        self.width = width * 2

    def model(self):
        return torch.nn.Linear(1, 1)

    def batches(self, generator):
        yield torch.ones(1, 1)

    def loss(self, model, batch):
        return model(batch).square().mean()


class Halved(gdexp.GradientDescent):
    name = "halved"
"""


@pytest.fixture
def module(here: Path, monkeypatch: pytest.MonkeyPatch) -> Any:
    """A module of the user's own beside the script."""
    (here / "bowls.py").write_text(MODULE)
    monkeypatch.syspath_prepend(here)
    import importlib

    yield importlib.import_module("bowls")
    del sys.modules["bowls"]


def built(*configs: Any) -> Experiment:
    """The experiment of what stands for objects, composed as on the command line."""
    composed = Composer().plain([line for each in configs for line in each.lines])
    return Experiment.from_config(composed, trusted_paths(composed))


@pytest.mark.slow
@pytest.mark.parametrize("name", names.PROBLEMS)
def test_a_shipped_problem_is_named_as_on_the_command_line(name: str) -> None:
    config = problem_config(PROBLEMS[name]())
    assert config.lines == (f"problem={name}",)
    assert not config.objects


@pytest.mark.slow
@pytest.mark.parametrize(
    ("make", "lines"),
    [
        (lambda: gdexp.Quadratic(mu=0.1), ["problem=quadratic", "problem.mu=0.1"]),
        (lambda: gdexp.Booth([1.0, 2.0]), ["problem=booth", "problem.x0=[1.0,2.0]"]),
        (
            lambda: gdexp.Matrix(target=torch.tensor([[1.0, 2.0]])),
            ["problem=matrix", "problem.target=[[1.0,2.0]]"],
        ),
        (
            lambda: gdexp.Transformed(gdexp.Booth(), rotation_seed=3),
            ["problem=booth", "problem.rotation_seed=3"],
        ),
    ],
)
def test_the_arguments_of_a_problem_become_keys(make: Any, lines: list[str]) -> None:
    given = make()
    gdexp.descend(
        given, stopping=gdexp.Stopping(max_iterations=1)
    )  # what a descent keeps is no state
    config = problem_config(given)
    assert list(config.lines) == lines
    assert described(built(config).problem).digest == described(given).digest


@pytest.mark.slow
def test_rules_schedules_and_stopping_rules_become_keys() -> None:
    rules = [RULES[name]() for name in ("gd", "rmsprop", "polyak", "torch")]
    rules += [
        gdexp.Momentum(lr=0.25, momentum=0.5, schedule=gdexp.Cosine(steps=7)),
        gdexp.TorchOptimizer("SGD", lr=0.5, options={"momentum": 0.5}),
        gdexp.GradientDescent(lr=0.1, schedule=gdexp.WarmupCosine(steps=9, warmup=2)),
    ]
    for rule in rules:
        composed = Composer().plain(list(optimizer_config(rule).lines))
        assert build_rule(composed["optimizer"]) == rule
    stopping = gdexp.Stopping(1e-7, 50, cap=20, continue_to=1e-9, patience=3)
    assert built(stopping_config(stopping)).stopping == stopping
    assert not stopping_config(gdexp.Stopping()).lines


def test_classes_and_functions_of_a_module_are_named_by_their_path(module: Any) -> None:
    assert problem_config(module.Bowl(2.0, factor=3)).lines == (
        "problem=custom",
        "problem.path=bowls.Bowl",
        "problem.arguments={k:2.0,factor:3}",
    )
    assert problem_config(module.Bowl).lines == ("problem=custom", "problem.path=bowls.Bowl")
    assert problem_config("bowls.Bowl") == problem_config(module.Bowl)
    cone = gdexp.FunctionProblem(module.cone, shape=(2,), f_star=0.0)
    lines = ("problem=custom", "problem.path=bowls.cone", "problem.shape=[2]", "problem.f_star=0.0")
    assert problem_config(cone).lines == lines
    named = ("problem=training", "problem.path=bowls.Tiny", "problem.arguments={width:5}")
    assert problem_config(functools.partial(module.Tiny, width=5)).lines == named
    assert problem_config(module.Tiny(5)).lines == named
    assert problem_config(module.steps).lines[-1] == "optimizer=own"
    assert optimizer_config(module.Halved(lr=0.5)).lines == (
        *("optimizer=custom", "optimizer.path=bowls.Halved"),
        "optimizer.lr=0.5",
    )


def local_problem(steepness: float) -> gdexp.Problem:
    """A problem whose class nothing can import."""

    class Valley(gdexp.Problem):
        shape = (2,)
        f_star = 0.0

        def loss(self, x: torch.Tensor) -> torch.Tensor:
            return x[0] ** 2 + steepness * x[1] ** 2

    return Valley()


def test_an_object_without_a_path_is_known_by_its_code_and_its_values() -> None:
    paths = [next(iter(problem_config(local_problem(k)).objects)) for k in (25.0, 25.0, 26.0)]
    assert paths[0] == paths[1] != paths[2]
    assert paths[0].startswith("gdexp.objects.Valley_")
    (path,) = problem_config(gdexp.FunctionProblem(lambda x: x.square().sum(), 2)).objects
    assert path.startswith("gdexp.objects.FunctionProblem_")


@pytest.mark.slow
def test_an_object_without_a_path_is_recorded_with_its_source_and_rerun_by_hand(
    here: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    space = {"optimizer.lr": gdexp.log(0.001, 0.03)}
    study = gdexp.sweep(local_problem(25.0), space=space, n_trials=2)
    again = gdexp.sweep(local_problem(25.0), space=space, n_trials=3)
    assert again.mlflow_run_id == study.mlflow_run_id
    run = again.runs[0]
    assert "steepness * x[1] ** 2" in run.file_bytes("problem_source.txt", 1 << 20).decode()
    assert run.tags["gdexp.not_rerunnable"].startswith("not rerunnable: pass problem=. Valley")
    assert "python -m gdexp" not in run.tags["mlflow.note.content"]
    with pytest.raises(BadInput, match=f"pass problem=.*gdexp.rerun\\('{run.run_id}'"):
        gdexp.rerun(run)
    verdict = gdexp.rerun(run, problem=local_problem(25.0)).verdict
    assert verdict.level == "identical"
    with pytest.warns(UserWarning, match="its code or its values differ"):
        other = gdexp.rerun(run, problem=local_problem(30.0), record=False)
    assert other.verdict.level != "identical"
    with pytest.raises(BadInput, match="Valley has none: move it"):
        gdexp.sweep(local_problem(25.0), space=space, workers=2)
    assert capsys.readouterr() == ("", "")
    from gdexp.cli.main import main

    assert main([f"+rerun={run.run_id}"]) == 2
    assert "not rerunnable: pass problem=" in capsys.readouterr().err


@pytest.mark.slow
def test_a_recorded_descent_is_the_descent_and_is_rerun_by_its_result(here: Path) -> None:
    rule, stopping = gdexp.Momentum(lr=0.5, momentum=0.25), gdexp.Stopping(1e-6)
    made = gdexp.descend(gdexp.Matrix(), rule, stopping, dtype="float64", record=True, seed=3)
    plain = gdexp.descend(gdexp.Matrix(), rule, stopping, dtype="float64", seed=3)
    assert made.trace.tobytes() == plain.trace.tobytes()
    assert plain.run_id is None
    (run,) = gdexp.load_runs(made.run_id)
    assert (run.kind, run.trace.tobytes()) == ("run", made.trace.tobytes())
    again = gdexp.rerun(made)
    assert again.verdict.level == "identical"
    assert repr(again).startswith(f"<rerun of run {made.run_id[:8]}: identical")
    other = gdexp.descend(gdexp.Matrix(), gdexp.Momentum(lr=0.25), record=True)
    comparison = gdexp.compare([made, other.run_id])
    assert [each.run_id for each in comparison.runs] == [made.run_id, other.run_id]
    assert comparison.frame()["run_id"].tolist() == [made.run_id, other.run_id]
    assert comparison.report(here / "report.html").read_text().startswith("<!doctype html>")
    assert "MLflow run" in made._repr_html_()
    assert "best" in comparison._repr_html_()
    with pytest.raises(BadInput, match="only without record"):
        gdexp.descend(gdexp.Matrix(), watch=lambda k, trace: k + 1, record=True)


@pytest.mark.slow
def test_compose_returns_objects_from_anywhere(here: Path) -> None:
    made = gdexp.compose(["problem=quadratic", "optimizer.lr=1.9"])
    assert isinstance(made.problem, gdexp.Quadratic)
    assert made.rule == gdexp.GradientDescent(lr=1.9)
    assert made.stopping == gdexp.Stopping()
    assert list(here.iterdir()) == []
    for wrong, said in ((["+sweep"], "is a command"), ("problem=matrix", "must be a list")):
        with pytest.raises(BadInput, match=said):
            gdexp.compose(wrong)
