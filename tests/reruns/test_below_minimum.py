"""Runs of versions that took a loss below f* for converged keep that meaning."""

from __future__ import annotations

from pathlib import Path

import pytest

from gdexp.cli.main import main
from gdexp.problems.base import Problem

PIT = """
def pit(x):
    return (x * x).sum() - 13
"""
OWN = ("problem=custom", "problem.path=old_pit.pit", "problem.x0=[3.0,4.0]", "optimizer.lr=0.1")


@pytest.mark.slow
def test_an_earlier_run_below_f_star_reruns_identical_and_is_not_reused(
    here: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    (here / "old_pit.py").write_text(PIT)
    monkeypatch.syspath_prepend(str(here))
    with monkeypatch.context() as earlier:
        earlier.setattr(Problem, "checks_minimum", False)
        assert main([*OWN]) == 0
    assert "converged: the loss came within the threshold" in capsys.readouterr().out
    assert main(["+rerun", "trust=[old_pit.pit]", "rerun.record=false"]) == 0
    out = capsys.readouterr().out
    assert "converged after" in out
    assert "identical" in out

    rates = "optimizer.lr=choice(0.1,0.2)"
    assert main(["+sweep=grid", *OWN[:3], rates, "sweep.reuse=true"]) == 1
    assert "2 below_minimum" in " ".join(capsys.readouterr().out.split())
