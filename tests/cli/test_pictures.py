"""Pictures and summaries come after the record, and hold no copies of a large x."""

from __future__ import annotations

import io
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
import torch
from rich.console import Console

from gdexp.cli import run as cli_run
from gdexp.cli.main import main
from gdexp.experiment import figures
from gdexp.experiment.experiment import Experiment
from tests.support.commands import composed
from tests.support.long_form import share

if TYPE_CHECKING:
    from mlflow.entities import Run

BOWL = """
def bowl(x):
    return (x * x).mean()
"""


def runs(folder: Path) -> list[Run]:
    from mlflow import MlflowClient

    return MlflowClient(f"sqlite:///{folder}/mlflow.db").search_runs(["1"])


@pytest.mark.slow
def test_a_run_is_whole_before_its_pictures_are_drawn(
    here: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    states = []

    def fails(*_: object) -> None:
        states.append(runs(here)[0].info.status)
        raise MemoryError("no room for a picture")

    monkeypatch.setattr(cli_run, "pictures", fails)
    assert main(["optimizer.lr=4.5"]) == 0
    said = capsys.readouterr()
    assert states == ["FINISHED"]
    assert "its pictures cannot be drawn: MemoryError: no room for a picture" in " ".join(
        (said.out + said.err).split()
    )
    assert main(["+rerun"]) == 0
    assert "identical" in capsys.readouterr().out


@pytest.mark.slow
def test_what_is_too_large_to_draw_is_left_out_and_said_once(
    here: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(figures, "MOST_DRAWN", 4)
    assert main(["optimizer.lr=4.5"]) == 0
    out = " ".join(capsys.readouterr().out.split())
    assert out.count("final.png") == 1
    assert "not drawn final.png: 9 numbers are more than the 4 that are drawn" in out
    names = {path.name for path in here.rglob("*.png")}
    assert "loss.png" in names
    assert "final.png" not in names


@pytest.mark.slow
def test_summary_and_pictures_of_a_large_x_hold_no_copy_of_it() -> None:
    experiment = Experiment.from_config(composed())
    x, small = torch.rand(2**24), experiment.run()
    result = replace(small, initial=x, final=x)
    experiment.problem.target = None
    figures.pictures(experiment, small)  # the libraries that draw are loaded
    copies = x.numel() * x.element_size()
    before = peak(reset=True)
    cli_run.report(Console(file=io.StringIO()), experiment, result)
    figures.pictures(experiment, result)
    assert peak() - before < 0.5 * copies


def peak(reset: bool = False) -> int:
    """The most memory that this process has had, in bytes, perhaps only from now on."""
    if reset:
        Path("/proc/self/clear_refs").write_text("5")
    lines = Path("/proc/self/status").read_text().splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith("VmHWM")) * 1024


@pytest.mark.slow
def test_millions_of_numbers_rerun_as_they_were_recorded(
    here: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    (here / "wide.py").write_text(BOWL)
    monkeypatch.syspath_prepend(str(here))
    large = ("problem=custom", "problem.path=wide.bowl", f"problem.shape=[{share(10_000_000, 5)}]")
    assert main([*large, "problem.f_star=0", "stopping.max_iterations=3"]) == 0
    assert main(["+rerun", "trust=[wide.bowl]", "rerun.record=false"]) == 0
    assert "identical" in capsys.readouterr().out
