"""What a benchmark finds is what single descents find, and what COCO's own programs read."""

from __future__ import annotations

import json
import math
import os
import subprocess
import sys
from pathlib import Path

import pytest

from gdexp import Bbob, Stopping, descend
from gdexp.comparison import performance_profile, profile_score
from gdexp.optimizers import build_rule
from gdexp.suite.cells import Cell
from gdexp.suite.driver import Benchmark
from gdexp.suite.outcome import Outcome, Task
from gdexp.suite.profile_bands import Profiles
from gdexp.suite.running_times import distribution, running_times, share_met
from gdexp.suite.tables import running_time_rows, solver_rows
from gdexp.suite.targets import DECADES, TARGETS, evaluations_to

Small = tuple[Benchmark, Outcome]

READER = """
import json, sys, warnings
warnings.simplefilter("ignore")
from cocopp import pproc
found = {}
for data in pproc.DataSetList([sys.argv[1]]):
    times = [float(t) for t in data.detERT(json.loads(sys.argv[2]))]
    found[f"{data.funcId} {data.dim}"] = [times, list(map(int, data.instancenumbers))]
print("found", json.dumps(found))
"""


def test_the_targets_are_cocos() -> None:
    assert len(TARGETS) == 51
    assert (TARGETS[0], TARGETS[-1]) == (100.0, 1e-8)
    assert list(TARGETS) == pytest.approx([10 ** (2 - k / 5) for k in range(51)], rel=1e-9)
    assert tuple(float(f"1e{k}") for k in range(2, -9, -1)) == DECADES


@pytest.mark.slow
def test_what_is_kept_of_a_descent_is_what_the_descent_alone_shows(small: Small) -> None:
    _, outcome = small
    compared = 0
    for solver, task, attempts in outcome.cells():
        name = solver.rule.partition("(")[0]
        for kept in attempts.descents[:1]:
            problem = Bbob(task.function, kept.instance, task.dimension)
            rule = build_rule({"name": name, "lr": kept.rate or 1.0})
            stopping = Stopping(threshold=1e-8, max_iterations=50 * task.dimension - 1)
            alone = descend(problem, rule, stopping, seed=kept.seed, dtype="float64")
            spent = alone.evaluations
            for target in TARGETS:
                hit = alone.iterations_to(target)
                made = math.inf if hit is None else hit + 1 if spent is None else spent[hit]
                wanted = made if made <= 50 * task.dimension else math.inf
                assert evaluations_to(kept.events, target) == wanted
            if spent is None:
                assert (kept.status, kept.evaluations) == (alone.status, alone.iterations + 1)
                assert kept.best == alone.min_loss - alone.f_star
            assert kept.evaluations <= 50 * task.dimension
            compared += 1
    assert compared == 12


def test_a_line_search_pays_for_its_trials(small: Small) -> None:
    _, outcome = small
    armijo = outcome.solvers[-1]
    assert armijo.rule == "armijo(lr=1)"
    attempts = armijo.tasks[Task(5, 8)]
    first = attempts.descents[0]
    assert first.events[1][0] > 2  # Rosenbrock's function from a far start: lr 1 is too large
    assert first.by_iterates.events[1][0] < first.events[1][0]
    alone = descend(
        Bbob(8, first.instance, 5),
        build_rule({"name": "armijo", "lr": 1.0}),
        Stopping(threshold=1e-8, max_iterations=50 * 5 - 1),
        seed=first.seed,
        dtype="float64",
    )
    assert alone.evaluations is not None
    within = int((alone.evaluations <= 50 * 5).sum())
    assert first.by_iterates.evaluations == within < first.evaluations
    row = next(each for each in solver_rows(outcome) if each["solver"] == armijo.name)
    assert row["evaluations_per_iterate"] > 1
    assert attempts.by_iterates.times([1e2])[0, 0] < attempts.times([1e2])[0, 0]


def test_iterates_of_a_rule_without_trials_are_its_evaluations(small: Small) -> None:
    _, outcome = small
    gd = outcome.solvers[0].tasks[Task(5, 8)]
    assert gd.by_iterates == gd


def test_cells_that_do_not_know_their_iterates_are_made_again(small: Small) -> None:
    benchmark, _ = small
    cell = Cell("armijo(lr=1)", 1, 2)
    file = benchmark.folder.path / "cells" / "armijo_lr_1_-f1-d2.json"
    kept = file.read_bytes()
    data = json.loads(kept)
    assert benchmark.work.missing("cells") == []
    data["descents"] = [each[:7] for each in data["descents"]]
    file.write_text(json.dumps(data))
    assert benchmark.work.missing("cells") == [cell]
    file.write_bytes(kept)


def test_expected_running_times_are_those_of_their_definition(small: Small) -> None:
    _, outcome = small
    attempts = outcome.solvers[0].tasks[Task(2, 1)]
    (found,) = running_times(attempts, [1e-8])
    assert found.successes == found.descents == 4
    mean = sum(evaluations_to(each.events, 1e-8) for each in attempts.descents) / 4
    assert found.evaluations.value == pytest.approx(mean)
    assert found.evaluations.low <= mean <= found.evaluations.high
    missed = outcome.solvers[0].tasks[Task(5, 8)]
    (never,) = running_times(missed, [1e-8])
    assert (never.successes, never.evaluations) == (0, (math.inf, math.inf, math.inf))


def test_the_distribution_ends_at_the_share_of_targets_that_were_met(small: Small) -> None:
    _, outcome = small
    for solver in outcome.solvers:
        attempts = solver.of_dimension(5)
        found, met = distribution(attempts, 5, outcome.budget), share_met(attempts)
        assert found.share[-1] == pytest.approx(met.value)
        assert (found.low <= found.share + 1e-12).all()
        assert (found.share <= found.high + 1e-12).all()
        assert (found.share[1:] >= found.share[:-1]).all()
        counted = [evaluations_to(d.events, t) for a in attempts.values()
                   for d in a.descents for t in TARGETS]  # fmt: skip
        assert met.value == pytest.approx(sum(map(math.isfinite, counted)) / len(counted))


@pytest.mark.slow
def test_cocos_own_post_processor_reads_the_same_running_times(
    small: Small, tmp_path: Path
) -> None:
    benchmark, outcome = small
    solver = outcome.solvers[0]
    done = subprocess.run(
        [sys.executable, "-c", READER, str(benchmark.folder.path / "coco" / "gd"),
         json.dumps(list(DECADES))],
        capture_output=True, text=True, check=True, cwd=tmp_path,
        env={**os.environ, "HOME": str(tmp_path), "MPLBACKEND": "Agg"},
    )  # fmt: skip
    (line,) = [each for each in done.stdout.splitlines() if each.startswith("found ")]
    found = json.loads(line.removeprefix("found "))
    assert len(found) == len(solver.tasks) == 4
    for task, attempts in solver.tasks.items():
        times, instances = found[f"{task.function} {task.dimension}"]
        ours = [each.evaluations.value for each in running_times(attempts, DECADES)]
        assert times == pytest.approx(ours, rel=1e-12)
        assert instances == [each.instance for each in attempts.descents]


def test_iohanalyzers_files_hold_every_descent(small: Small) -> None:
    benchmark, outcome = small
    folder = benchmark.folder.path / "iohanalyzer" / "gd-one-rate"
    solver = next(each for each in outcome.solvers if each.name == "gd, one rate")
    described = json.loads((folder / "IOHprofiler_f8_RosenbrockOriginal.json").read_text())
    assert described["algorithm"]["name"] == solver.name
    assert [each["dimension"] for each in described["scenarios"]] == [2, 5]
    for scenario in described["scenarios"]:
        descents = solver.tasks[Task(scenario["dimension"], 8)].descents
        assert [run["evals"] for run in scenario["runs"]] == [d.evaluations for d in descents]
        assert [run["best"]["y"] for run in scenario["runs"]] == [d.best for d in descents]
        blocks = (folder / scenario["path"]).read_text().split("evaluations raw_y\n")
        assert blocks.pop(0) == ""
        for block, descent in zip(blocks, descents, strict=True):
            rows = [line.split() for line in block.splitlines()]
            read = [(int(count), float(gap)) for count, gap in rows]
            assert tuple(read[: len(descent.events)]) == descent.events
            assert read[-1] == (descent.evaluations, descent.best)


def test_the_files_hold_what_the_terminal_shows(small: Small) -> None:
    benchmark, outcome = small
    whole = json.loads((benchmark.folder.path / "benchmark.json").read_text())
    assert whole["solvers"] == solver_rows(outcome)
    assert whole["running_times"] == running_time_rows(outcome)
    lines = (benchmark.folder.path / "running_times.csv").read_text().splitlines()
    assert len(lines) == 1 + 3 * 4 * len(DECADES)
    page = (benchmark.folder.path / "report.html").read_text()
    assert all(solver.name in page for solver in outcome.solvers)
    assert "src=" not in page.split("<script>")[0]


def test_a_descent_can_be_repeated_by_its_command(small: Small) -> None:
    _, outcome = small
    descent = outcome.solvers[0].tasks[Task(2, 8)].descents[3]
    assert outcome.command(Cell("gd", 8, 2), descent) == (
        "python -m gdexp problem=bbob problem.function=8 problem.instance=2 problem.dimension=2 "
        f"optimizer=gd optimizer.lr={descent.rate:g} seed=8 stopping.threshold=1e-8 "
        "stopping.max_iterations=99"
    )


def test_profiles_and_scores_are_those_of_the_expected_running_times(small: Small) -> None:
    _, outcome = small
    profiles = Profiles(outcome, 2)
    times = {
        solver.name: [
            found.evaluations.value
            for attempts in solver.of_dimension(2).values()
            for found in running_times(attempts, DECADES[1:])
        ]
        for solver in outcome.solvers
    }
    alone = performance_profile(times)
    performance, scores, data = profiles.performance(), profiles.scores(), profiles.data()
    for name, steps in alone.items():
        band, score = performance[name], scores[name]
        assert band.share == pytest.approx([steps(x * (1 + 1e-9)) for x in band.x])
        assert score.value == profile_score(steps)
        assert score.low <= score.value <= score.high
        reached = sum(map(math.isfinite, times[name])) / len(times[name])
        assert data[name].share[-1] == pytest.approx(reached)
        assert (data[name].low <= data[name].high).all()
