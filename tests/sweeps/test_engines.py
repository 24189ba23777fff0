"""Sweeps with `engine=auto`: each trial has its engine, and no trial pays for a recording."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import optuna
import pytest

from gdexp import Problem, load_runs
from gdexp.cli.main import main
from gdexp.descent.portable import choice
from gdexp.tracking.record import ENGINE_REASON_TAG
from tests.experiment.test_engine import OWN, SOLVE
from tests.sweeps.test_resume import load

SHORT = ("stopping.threshold=1e-3", "stopping.max_iterations=100")
RANDOM = ("+sweep", "sweep.sampler=random", "sweep.name=s", *SHORT)


@pytest.fixture
def losses(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The names of the problems whose loss is recorded."""
    made: list[str] = []
    real = choice._loss

    def counted(problem: Problem, *given: Any) -> Any:
        made.append(problem.name)
        return real(problem, *given)

    monkeypatch.setattr(choice, "_loss", counted)
    return made


def engines() -> list[tuple[str, str | None]]:
    """Engine and reason of each run of a trial, as tags."""
    tags = [run.tags for run in load_runs()]
    return [(each["gdexp.engine"], each.get(ENGINE_REASON_TAG)) for each in tags]


@pytest.mark.slow
def test_a_default_sweep_records_once_for_planning_and_once_for_its_worker(
    here: Path, losses: list[str]
) -> None:
    assert main([*RANDOM, "sweep.n_trials=6", "sweep.seeds=2", "sweep.batch=1"]) == 0
    assert losses == ["matrix"] * 2
    assert set(engines()) == {("portable", None)}
    study = load(here)
    assert study.user_attrs["gdexp.definition"]["config"]["engine"] == "portable"
    before = len(losses)
    assert main([*RANDOM, "sweep.n_trials=8", "sweep.seeds=2", "engine=portable"]) == 0
    assert len(study.get_trials(states=(optuna.trial.TrialState.COMPLETE,))) == 8
    assert losses[before:] == ["matrix"] * 2


@pytest.mark.slow
def test_a_sweep_over_problems_and_rules_may_mix(
    here: Path, losses: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    line = ["+sweep=rules", "optimizer=choice(gd,torch)", "problem=choice(matrix,booth)"]
    line += ["optimizer.lr=tag(log, interval(0.01,0.1))", "sweep.name=s", *SHORT]
    assert main([*line, "sweep.n_trials=10", "sweep.sampler=random"]) == 0
    assert sorted(losses) == sorted(["matrix", "booth"] * 2)
    found = engines()
    reason = "TorchOptimizer has no portable form"
    assert set(found) == {("portable", None), ("torch", reason)}
    assert load(here).user_attrs["gdexp.definition"]["config"]["engine"] == "auto"
    said = capsys.readouterr().out
    assert "engine   portable" in said
    assert f"torch with optimizer=torch: {reason}" in " ".join(said.split())
    for run in load_runs():
        assert run.config["engine"] == run.tags["gdexp.engine"]
        assert (run.config["optimizer"]["name"] == "torch") == (run.config["engine"] == "torch")


@pytest.mark.slow
def test_no_run_of_another_engine_is_reused(here: Path, capsys: pytest.CaptureFixture[str]) -> None:
    rates = ["-m", "optimizer.lr=choice(1,2)", *SHORT, "sweep.reuse=true"]
    for name, engine, taken in (
        ("a", "torch", 0),
        ("b", "auto", 0),
        ("c", "torch", 2),
        ("d", "portable", 2),
    ):
        capsys.readouterr()
        assert main([*rates, f"sweep.name={name}", f"engine={engine}"]) == 0
        said = capsys.readouterr().out
        assert ("2 descents taken from earlier runs" in said) == (taken == 2)
        assert set(engines()) == {("torch" if engine == "torch" else "portable", None)}


@pytest.mark.slow
def test_a_preview_says_the_engine_and_why_it_is_torch(
    here: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    (here / "solve_own.py").write_text(SOLVE)
    monkeypatch.syspath_prepend(here)
    line = ["+sweep", "sweep.preview=true"]
    assert main(line) == 0
    assert "engine   portable" in capsys.readouterr().out
    assert main([*line, *OWN]) == 0
    said = " ".join(capsys.readouterr().out.split())
    assert "engine torch: aten::_linalg_solve_ex has no portable form (solve_own.py" in said
    assert not (here / "mlflow.db").exists()


@pytest.mark.slow
def test_a_trial_that_failed_records_no_auto(here: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (here / "breaks.py").write_text(
        "from gdexp import Problem\n\n\nclass Breaks(Problem):\n    shape = (2,)\n\n"
        "    def loss(self, x):\n        if x.abs().max() > 1.5:\n"
        "            raise ValueError('too far')\n        return -(x * x).sum()\n"
    )
    monkeypatch.syspath_prepend(here)
    line = ["-m", "problem=custom", "problem.path=breaks.Breaks", "sweep.name=s", *SHORT]
    main([*line, "problem.x0=[1,1]", "optimizer.lr=choice(0.1,0.2)"])
    configs = list(here.glob("mlartifacts/**/config.yaml"))
    assert len(configs) >= 2
    assert all("engine: auto" not in path.read_text() for path in configs)
