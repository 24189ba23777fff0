"""`stopping.measure`: shares of the gap at the start, and gradient norms in runs and sweeps."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import gdexp
from gdexp import GradientDescent, Matrix, Quadratic, Stopping, descend, descend_batch
from gdexp.cli.main import main
from gdexp.core import BadInput


@pytest.mark.parametrize("engine", ["portable", "torch"])
def test_a_share_of_the_first_gap_is_the_threshold(engine: str) -> None:
    problem, rule = Quadratic(), GradientDescent(1.0)
    result = descend(problem, rule, Stopping(1e-3, measure="relative"), engine=engine)
    first = float(result.trace[0])
    assert result.threshold == pytest.approx(1e-3 * first, rel=1e-6)
    assert (result.trace[: result.iterations] > result.threshold).all()
    assert result.final_loss <= result.threshold
    same = descend(problem, rule, Stopping(result.threshold), engine=engine)
    assert same.trace.tobytes() == result.trace.tobytes()
    assert same.hitting_time == result.hitting_time


def test_each_row_of_a_batch_has_the_share_of_its_own_start() -> None:
    until = Stopping(1e-2, continue_to=1e-3, measure="relative")
    batch = descend_batch(Matrix(), GradientDescent(1.0), until, seeds=[0, 1, 2])
    for row in range(3):
        first = batch[row].trace[0]
        assert batch[row].threshold == pytest.approx(1e-2 * first)
        alone = descend(Matrix(), GradientDescent(1.0), until, seed=row)
        assert alone.trace.tobytes() == batch[row].trace.tobytes()
        assert batch[row].trace[-1] <= 1e-3 * first


def test_what_is_no_gap_is_refused() -> None:
    with pytest.raises(
        BadInput, match="measure=absolute: choose from gap, gradient_norm, relative"
    ):
        Stopping(measure="absolute")
    at_minimum = Quadratic(x0=[0.0] * 10)
    with pytest.raises(BadInput, match="needs a finite loss above f"):
        descend(at_minimum, stopping=Stopping(1e-3, measure="relative"))
    with pytest.raises(BadInput, match="the threshold is no gap"):
        descend(Quadratic(), stopping=Stopping(None, measure="relative"))  # type: ignore[arg-type]


@pytest.mark.slow
def test_runs_record_the_gap_and_rerun_with_the_same_bits(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    relative = ["stopping.measure=relative", "stopping.threshold=1e-3", "output=json"]
    assert main(["problem=quadratic", *relative]) == 0
    run = json.loads(capsys.readouterr().out)
    assert run["config"]["stopping"]["measure"] == "gap"
    first = 0.5 * sum(0.01 * 100 ** (i / 9) for i in range(10))
    assert run["config"]["stopping"]["threshold"] == pytest.approx(1e-3 * first)
    assert main([f"+rerun={run['run_id']}", "output=json"]) == 0
    assert json.loads(capsys.readouterr().out)["verdict"] == "identical"
    assert main(["+sweep", "problem=quadratic", "sweep.seeds=2", *relative]) == 2
    assert "sweep.seeds=2: must be 1 with stopping.measure=relative" in capsys.readouterr().err


@pytest.mark.slow
def test_runs_and_sweeps_are_judged_by_gradient_norms(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)

    def answer(*arguments: str, status: int = 0) -> Any:
        assert main([*arguments, "output=json"]) == status
        return json.loads(capsys.readouterr().out)

    norm = ["problem=quadratic", "stopping.measure=gradient_norm", "stopping.threshold=1e-2"]
    run = answer(*norm)
    assert run["config"]["stopping"]["measure"] == "gradient_norm"
    (made,) = gdexp.load_runs(run["run_id"])
    norms = made.readings["gradient_norm"][:, 1]
    assert len(norms) == run["iterations"] + 1 == len(made.trace)
    assert run["metrics"]["final_gradient_norm"] == norms[-1] <= 1e-2 < norms[-2]
    assert made.hitting_time() == pytest.approx(run["hitting_time"], rel=1e-12)
    assert made.iterations_to(1e-1) == int(np.flatnonzero(norms <= 1e-1)[0])
    assert made.at_least(1e-4) == run["iterations"] + 1
    assert answer(f"+rerun={run['run_id']}")["verdict"] == "identical"
    folder = answer(f"+export={run['run_id']}")["folder"]
    assert (Path(folder) / "gradient_norms.npy").is_file()
    assert answer(f"+rerun={folder}")["verdict"] == "identical"

    sweep = ["+sweep", *norm, "+optimizer.lr=choice(0.5,1.0,1.9)", "sweep.sampler=grid"]
    swept = answer(*sweep, "sweep.batch=3", "tracking.experiment=norms")
    assert swept["best"]["parameters"] == {"optimizer.lr": 1.9}
    row = next(each for each in swept["thresholds"] if each["threshold"] == 1e-2)
    assert row["iterations"] == swept["best"]["iterations"]
    again = answer(*sweep, "sweep.name=again", "sweep.reuse=true", "tracking.experiment=norms")
    assert again["best"]["hitting_time"] == swept["best"]["hitting_time"]
    compared = answer(f"+compare={swept['run_id']}")
    assert str(swept["best"]["iterations"]) in json.dumps(compared)

    gap = answer("problem=quadratic", "stopping.threshold=1e-2")
    assert main([f"+compare=[{run['run_id']},{gap['run_id']}]"]) == 2
    assert "compare these runs apart" in capsys.readouterr().err
    assert main(["+sweep", *norm[:1], "stopping.measure=choice(gap,gradient_norm)"]) == 2
    assert "stopping.measure=swept: must be one" in capsys.readouterr().err
    assert main(["problem=loop", "problem.path=gdexp.examples.own_loop.fit", *norm[1:]]) == 2
    assert "stopping.measure=gradient_norm: must be gap" in capsys.readouterr().err
