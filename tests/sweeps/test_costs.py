"""`sweep.cost`: what a sweep minimises and what its table counts."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from gdexp.cli.main import main
from gdexp.core import BadInput
from gdexp.sweeps.objective import Objective, objectives, with_cost

SWEEP = (
    *("+sweep", "problem=rosenbrock", "optimizer=armijo", "stopping.threshold=1e-1"),
    *("sweep.n_trials=3", "optimizer.lr=tag(log,interval(0.05,1))", "output=json"),
)


def test_the_hitting_time_is_counted_in_the_cost_that_is_asked() -> None:
    plain = objectives("hitting_time", None, None, None, None)
    assert with_cost(plain, "iterations") is plain
    assert with_cost(plain, "gradients") == (Objective("gradients"),)
    pareto = objectives("pareto", None, None, None, None)
    assert [each.kind for each in with_cost(pareto, "seconds")] == ["seconds", "threshold"]
    with pytest.raises(
        BadInput, match="cost=gradients: must be iterations with objective=best_loss"
    ):
        with_cost(objectives("best", "loss", None, None, "min"), "gradients")


@pytest.mark.slow
def test_a_sweep_minimises_evaluations(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    told = {}
    for cost in ("evaluations", "gradients"):
        assert main([*SWEEP, f"sweep.cost={cost}"]) == 0
        told[cost] = json.loads(capsys.readouterr().out)
        row = next(each for each in told[cost]["thresholds"] if each["threshold"] == 0.1)
        assert float(row["cost"]).is_integer()
        assert told[cost]["cost"] == cost
    rows = [each["thresholds"][0] for each in told.values()]
    assert rows[0]["cost"] > rows[1]["cost"]  # Armijo's trials are losses, not gradients
    assert rows[1]["cost"] == rows[1]["iterations"]  # it makes each update from one gradient
    assert rows[0]["cost"] > rows[0]["iterations"] == rows[1]["iterations"]
    tables = [each.read_text() for each in tmp_path.glob("**/thresholds.csv")]
    names = sorted(table.split(",optimizer.lr")[0] for table in tables)
    assert names == [f"threshold,iterations,{cost}" for cost in sorted(told)]
    assert main([*SWEEP, "sweep.cost=seconds"]) == 0
    timed = json.loads(capsys.readouterr().out)
    row = timed["thresholds"][0]
    assert timed["cost"] == "seconds"
    assert 0 < row["cost"] < 60
    assert row["iterations"] == int(row["iterations"]) > 0
    assert main([*SWEEP, "sweep.cost=evaluations", "sweep.cap=2"]) == 2
    assert "it counts iterations" in capsys.readouterr().err
