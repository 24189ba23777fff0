"""`compare.cost`: tables and profiles over gradients, evaluations and seconds."""

from __future__ import annotations

import json
import math
from pathlib import Path
from typing import Any

import pytest

import gdexp
from gdexp import GradientDescent, Rosenbrock, Stopping, descend
from gdexp.cli.main import main
from gdexp.comparison.run_costs import cost_at, hitting_cost
from gdexp.comparison.tasks import Tasks
from gdexp.core import BadInput
from gdexp.descent import COSTS, EVALUATIONS, GRADIENTS, ITERATIONS, Result
from gdexp.descent import cost_at as cost_of_result
from gdexp.descent import hitting_cost as hitting_cost_of_result
from gdexp.optimizers import Armijo, Wolfe


@pytest.mark.slow
def test_a_line_search_pays_for_its_trials(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    until = Stopping(1e-1, 400)
    rules = [Armijo(lr=1.0), Wolfe(lr=1.0), GradientDescent(lr=2e-3)]
    results: list[Result] = [descend(Rosenbrock(), rule, until, record=True) for rule in rules]
    runs = gdexp.load_runs([str(each.run_id) for each in results])
    for run, result in zip(runs, results, strict=True):
        assert run.run_id == result.run_id
        for cost in COSTS:
            for k in (0, 1, result.updates // 2, result.updates):
                wanted = cost_of_result(result, cost, k)
                assert cost_at(run, cost, k) == pytest.approx(wanted, rel=1e-3), (cost, k)
            if result.converged:
                own = hitting_cost(run, cost, float(run.hitting_time() or math.nan))
                wanted = hitting_cost_of_result(result, cost)
                assert own == pytest.approx(wanted, rel=1e-3)

    armijo = results[0]
    assert armijo.evaluations is not None
    compared = gdexp.compare(runs, thresholds=[1.0, 1e-6], cost=EVALUATIONS)
    k = armijo.iterations_to(1.0)
    assert k is not None
    place = compared.thresholds.index(1.0)
    count = compared.count(runs[0], 1.0)
    assert count is not None
    assert armijo.evaluations[k - 1] < count <= armijo.evaluations[k]
    known = compared.bounds[runs[0].run_id][compared.thresholds.index(1e-6)]
    assert known == armijo.evaluations[-1] + 1
    by_iterations = gdexp.compare(runs, thresholds=[1.0, 1e-6])
    assert by_iterations.cost == ITERATIONS
    assert by_iterations.times[runs[0].run_id][place] < compared.times[runs[0].run_id][place]
    tasks = Tasks.of(compared).times
    solver = next(name for name, own in compared.solvers.items() if runs[0] in own)
    assert tasks[solver][0] == compared.times[runs[0].run_id][place]

    ids = ",".join(run.run_id for run in runs)
    capsys.readouterr()
    assert main([f"+compare=[{ids}]", "compare.cost=gradients"]) == 0
    assert "gradient evaluations to each threshold" in capsys.readouterr().out
    line = [f"+compare=[{ids}]", "compare.cost=evaluations", "compare.thresholds=[1.0]"]
    assert main([*line, "output=json"]) == 0
    answer: Any = json.loads(capsys.readouterr().out)
    assert answer["cost"] == EVALUATIONS
    row = next(
        each
        for each in answer["thresholds"]
        if each["run_id"] == runs[0].run_id and each["threshold"] == 1.0
    )
    assert row["hitting_time"] == compared.times[runs[0].run_id][place]
    assert main([f"+compare=[{ids}]", "compare.cost=steps"]) == 2
    assert "compare.cost=steps: choose from evaluations" in capsys.readouterr().err

    without = {key: value for key, value in runs[0].metrics.items() if "gradient" not in key}
    object.__setattr__(runs[0], "metrics", without)
    with pytest.raises(BadInput, match="has not recorded its gradient evaluations"):
        gdexp.compare(runs, cost=GRADIENTS)
