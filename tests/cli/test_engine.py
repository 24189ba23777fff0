"""`engine=…` on the command line: what is refused, and what is said where `auto` takes torch."""

from __future__ import annotations

import html
from pathlib import Path

import pytest

from gdexp import load_runs
from gdexp.cli.main import main
from gdexp.tracking.mlflow_ui.descriptions import NOTE_TAG
from tests.experiment.test_engine import OWN, SOLVE

NAMED = "aten::_linalg_solve_ex has no portable form (solve_own.py, line 9)"


@pytest.fixture
def own(here: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder with a problem that has no portable form."""
    (here / "solve_own.py").write_text(SOLVE)
    monkeypatch.syspath_prepend(here)
    return here


def refused(line: list[str], capsys: pytest.CaptureFixture[str]) -> str:
    """The one line of a command that ends with 2."""
    capsys.readouterr()
    assert main(line) == 2
    (said,) = capsys.readouterr().err.splitlines()
    return said


@pytest.mark.slow
def test_what_cannot_be_is_refused_in_one_line_before_anything_is_written(
    own: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    for command in ([], ["+sweep"]):
        said = refused([*command, "engine=fast"], capsys)
        assert said.startswith("gdexp: error: engine=fast: ")
        assert all(name in said for name in ("auto", "portable", "torch"))
        said = refused([*command, *OWN, "engine=portable"], capsys)
        assert f"engine=portable: cannot be: {NAMED}; use engine=auto or engine=torch" in said
    assert not (own / "mlflow.db").exists()


@pytest.mark.slow
def test_a_run_says_why_auto_takes_torch_and_else_nothing_of_engines(
    own: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["stopping.threshold=1e-2"]) == 0
    said = capsys.readouterr().out
    assert "engine" not in said
    assert "find the best learning rate with" in said
    assert main(["stopping.threshold=1e3", "tracking.experiment=over"]) == 0
    assert "best learning rate" not in capsys.readouterr().out  # all need 0 iterations
    assert main([*OWN, "tracking.experiment=own"]) == 0
    assert f"engine torch: {NAMED}" in " ".join(capsys.readouterr().out.split())
    (run,) = load_runs(experiment="own")
    assert f"| engine | torch: {NAMED} |" in html.unescape(run.tags[NOTE_TAG])
    assert run.config["engine"] == "torch"
