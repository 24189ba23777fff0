"""The installed wheel carries its types: `mypy --strict` accepts a program that uses gdexp."""

from __future__ import annotations

import os
import subprocess
import sys
import sysconfig
import zipfile
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent

PROGRAM = """\
from pathlib import Path

import torch

from gdexp import (
    BatchResult, GradientDescent, Momentum, Problem, Result, Runs, Schedule, Status, Stopping,
    TrackedRun, UpdateRule, Warmup, check_problem, descend, descend_batch, load_runs,
)


class Bowl(Problem):
    shape = (2,)
    f_star = 0.0

    def loss(self, x: torch.Tensor) -> torch.Tensor:
        return (x * x).sum()


def count(result: Result) -> int:
    status: Status = result.status
    lowest: float = min(result.min_loss, result.final_loss, result.hitting_time)
    final: torch.Tensor = result.final
    first: float = result.trace[0].item()
    print(status.explanation, lowest, final.numel(), first, result.summary())
    return result.iterations if result.converged else -1


def fewest(batch: BatchResult) -> int:
    return min(int(each) for each in batch.iterations)


def compared(folder: Path) -> list[str]:
    runs: Runs = load_runs(uri=f"sqlite:///{folder}/mlflow.db")
    best: list[TrackedRun] = [run for run in runs if run.status == "converged"]
    return [run.run_id for run in best]


check_problem(Bowl())
schedule: Schedule = Warmup(steps=3)
rules: list[UpdateRule] = [GradientDescent(lr=0.1, schedule=schedule), Momentum(momentum=0.5)]
stopping = Stopping(threshold=1e-3, max_iterations=100)
for rule in rules:
    print(count(descend(Bowl(), rule, stopping, seed=1, dtype=torch.float64)))
print(fewest(descend_batch(Bowl(), rules[:1], stopping)))
"""

SETTINGS = """\
[mypy]
strict = True
[mypy-torch.*,pandas.*,mlflow.*,optuna.*,omegaconf.*,hydra.*,sqlalchemy.*,rich.*]
follow_imports = skip
"""
"""The types of large libraries take a minute to read and say nothing about those of gdexp."""

WRONG_PROGRAM = """\
from gdexp import Matrix, Stopping, descend

descend(Matrix(), Stopping())
count: str = descend(Matrix()).iterations
"""


@pytest.fixture(scope="module")
def site(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A site-packages folder outside the source tree that holds the wheel's files."""
    folder = tmp_path_factory.mktemp("outside")
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", folder / "venv"], check=True)
    (site,) = (folder / "venv").glob("lib/python*/site-packages")
    (site / "libraries.pth").write_text(sysconfig.get_path("purelib"), encoding="utf-8")
    with zipfile.ZipFile(wheel) as archive:
        archive.extractall(site)
    return site


@pytest.mark.slow
def test_the_wheel_holds_the_marker_of_types_and_every_config(site: Path) -> None:
    assert (site / "gdexp" / "py.typed").is_file()
    configs = {str(file.relative_to(ROOT)) for file in ROOT.glob("conf/**/*.yaml")}
    inside = {str(file.relative_to(site / "gdexp")) for file in site.glob("gdexp/conf/**/*.yaml")}
    assert inside == configs


@pytest.mark.slow
def test_programs_outside_are_typed_by_the_wheel(site: Path, tmp_path: Path) -> None:
    (tmp_path / "program.py").write_text(PROGRAM, encoding="utf-8")
    (tmp_path / "mypy.ini").write_text(SETTINGS, encoding="utf-8")
    (tmp_path / "wrong.py").write_text(WRONG_PROGRAM, encoding="utf-8")
    command = [sys.executable, "-m", "mypy", "--no-error-summary"]
    command += ["--python-executable", f"{site.parents[2]}/bin/python", "program.py", "wrong.py"]
    environment = {key: value for key, value in os.environ.items() if key != "PYTHONPATH"}
    checked = subprocess.run(
        command, cwd=tmp_path, env=environment, capture_output=True, text=True, check=False
    )
    lines = [line for line in checked.stdout.splitlines() if ": error:" in line]
    places = [(line.split(":")[0], line.rsplit("[", 1)[1]) for line in lines]
    assert places == [("wrong.py", "arg-type]"), ("wrong.py", "assignment]")], checked.stdout
