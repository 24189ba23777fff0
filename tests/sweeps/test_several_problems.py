"""One setting for several problems: trials that run on each, and a winner on held-out ones."""

from __future__ import annotations

import csv
import io
import json
import math
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

import gdexp
from gdexp.cli.main import main
from gdexp.sweeps.means import geometric_mean
from tests.support.recorded_apart import recorded_apart

LIST = "sweep.problems=[matrix,{name: quadratic, mu: 0.1},booth]"
LINE = ["+sweep=grid", "optimizer.lr=0.02,0.05,0.1,0.3", "stopping.threshold=1e-2"]
LINE += ["tracking.points=10"]


def answer(capsys: pytest.CaptureFixture[str], *line: str, status: int = 0) -> dict[str, Any]:
    capsys.readouterr()
    assert main([*LINE, *line, "output=json"]) == status
    found: dict[str, Any] = json.loads(capsys.readouterr().out)
    return found


def iterations(problem: object, lr: float) -> int:
    stopping = gdexp.Stopping(1e-2)
    return gdexp.descend(problem, gdexp.GradientDescent(lr=lr), stopping).iterations


def held_out(folder: Path) -> list[tuple[int, str]]:
    """Trial and problem of each FINISHED descent on a held-out problem."""
    return recorded_apart(folder, "gdexp.held_out", "gdexp.problem")


def confirmed(folder: Path) -> list[tuple[int, str]]:
    """Trial and problem of each FINISHED descent of a confirmation."""
    return recorded_apart(folder, "gdexp.confirms", "gdexp.problem")


def test_a_count_below_one_does_not_make_a_mean_zero() -> None:
    assert geometric_mean([0.0, 4.0]) == 2
    assert geometric_mean([2.0, 8.0]) == pytest.approx(4)
    assert geometric_mean([1e-3, 4e-3], 1e-9) == pytest.approx(2e-3)


@pytest.mark.slow
def test_the_winner_has_the_smallest_geometric_mean_of_single_descents(
    here: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    found = answer(capsys, LIST, "sweep.held_out=[matyas,{name: quadratic, mu: 0.2}]")
    problems = [gdexp.Matrix(), gdexp.Quadratic(mu=0.1), gdexp.Booth()]
    counts = {lr: [iterations(each, lr) for each in problems] for lr in (0.02, 0.05, 0.1)}
    means = {lr: math.prod(each) ** (1 / 3) for lr, each in counts.items()}
    best = min(means, key=lambda lr: means[lr])  # 0.3 diverges on booth, and cannot win
    assert found["best"]["parameters"] == {"optimizer.lr": best}
    assert found["best"]["iterations"] == pytest.approx(means[best])
    assert found["statuses"] == {"converged": 3, "diverged": 1}
    rows = found["problems"]
    assert [row["problem"] for row in rows] == ["matrix", "quadratic mu=0.1", "booth"]
    assert [row["iterations"] for row in rows] == counts[best]
    assert rows[0]["fewest"] == iterations(problems[0], 0.3)
    known = [row["best_known"] for row in rows]
    assert known[0] == iterations(problems[0], 4.5) == 1  # every mode of matrix is 2 / 9
    assert rows[0]["best_known_from"] == "closed form"
    assert all(row["best_known"] <= row["fewest"] for row in rows)
    ratios = [count / least for count, least in zip(counts[best], known, strict=True)]
    assert [row["ratio"] for row in rows] == ratios
    assert found["mean_ratio"] == pytest.approx(math.prod(ratios) ** (1 / 3))
    apart = found["held_out"]
    own = [iterations(each, best) for each in (gdexp.Matyas(), gdexp.Quadratic(mu=0.2))]
    assert [row["iterations"] for row in apart["problems"]] == own
    assert apart["mean"] == pytest.approx(math.prod(own) ** 0.5)
    least = math.prod(row["best_known"] for row in apart["problems"])
    assert apart["mean_ratio"] == pytest.approx((math.prod(own) / least) ** 0.5)
    winner = found["best"]["trial"]
    assert held_out(here) == [(winner, "matyas"), (winner, "quadratic mu=0.2")]
    assert len(found["best"]["repeat"].splitlines()) == 3
    runs = gdexp.load_runs(found["run_id"])
    assert len(runs) == 4 * 3  # the trials alone
    again = answer(capsys, LIST, "sweep.held_out=[matyas,{name: quadratic, mu: 0.2}]")
    assert again["held_out"] == apart
    assert len(held_out(here)) == 2
    parent = runs[0].parent
    capsys.readouterr()
    assert main([f"+rerun={parent}", "output=json"]) == 0
    assert len(json.loads(capsys.readouterr().out)["runs"]) == 3


@pytest.mark.slow
def test_with_workers_rows_and_seeds_it_is_the_same_and_each_problem_has_all_seeds(
    here: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    line = ["sweep.problems=[matrix,{name: quadratic, mu: 0.1}]", "sweep.seeds=2"]
    ways = ["sweep.workers=2", "tracking.children=best:1"]
    found = [answer(capsys, *line, way, f"sweep.name=s{at}") for at, way in enumerate(ways)]
    for each in found[1:]:
        assert each["problems"] == found[0]["problems"]
        assert each["thresholds"][-1]["reached"] == found[0]["thresholds"][-1]["reached"]
    assert [row["successes"] for row in found[0]["problems"]] == [2, 2]
    table = next(here.glob("mlartifacts/**/problems.csv"))
    rows = list(csv.DictReader(io.StringIO(table.read_text())))
    assert len(rows) == 4 * 2
    stopping = gdexp.Stopping(1e-2)
    rule = gdexp.GradientDescent(lr=0.02)
    own = [gdexp.descend(gdexp.Matrix(), rule, stopping, seed=seed).iterations for seed in (0, 1)]
    assert float(rows[0]["iterations"]) == sum(own) / 2


@pytest.mark.slow
def test_seeds_tell_trials_apart_and_a_confirmation_runs_on_every_problem(
    here: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    line = ["sweep.problems=[matrix,{name: booth, best_known: 12}]", "sweep.confirm=5"]
    line += ["sweep.held_out=[{name: quadratic, mu: 1e-3}]", "stopping.max_iterations=300"]
    found = answer(capsys, *line)
    assert found["evidence"]["text"].startswith("2 problems cannot tell trials apart")
    shown = found["confirmation"]
    assert (shown["method"], shown["seeds"]) == ("sign test", 5)
    assert [each["is_worse"] for each in shown["others"]] == [True, True]
    assert [each["wins"] for each in shown["others"]] == [5, 5]  # of seeds, with both problems
    assert "(one-sided sign test of 5 seeds on 2 problems" in shown["text"]
    rows = {row["problem"]: row for row in found["problems"]}
    assert rows["booth"]["best_known_from"] == "given"
    assert rows["booth"]["ratio"] == rows["booth"]["iterations"] / 12
    assert math.isclose(
        found["best"]["iterations"],
        geometric_mean([row["iterations"] for row in found["problems"]]),
    )
    made = confirmed(here)
    trials = [shown["best"]["trial"], *(each["trial"] for each in shown["others"])]
    assert sorted(made) == sorted((t, p) for t in trials for p in ("matrix", "booth") * 5)
    (apart,) = found["held_out"]["problems"]
    assert apart["iterations"] is None
    assert (apart["status"], apart["at_least"]) == ("max_iterations", 301)
    again = answer(capsys, *line)
    assert again["confirmation"] == shown
    assert confirmed(here) == made


@pytest.mark.slow
def test_a_race_gives_contenders_more_seeds_on_all_problems(
    here: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    line = ["sweep.problems=[matrix,{name: quadratic, mu: 0.1}]", "sweep.seeds=5"]
    found = answer(capsys, *line, "sweep.race=true")
    race = found["race"]
    assert race["budget"] == 4 * 2 * (5 - 3)
    made = recorded_apart(here, "gdexp.races", "gdexp.problem")
    assert len(made) == race["spent"] <= race["budget"]
    seeds = {each["trial"]: each["seeds"] for each in race["trials"]}
    assert sum(2 * (count - 3) for count in seeds.values()) == race["spent"]
    best = found["best"]
    assert best["iterations"] == race["trials"][0]["expected"]
    assert [row["successes"] for row in found["problems"]] == [seeds[best["trial"]]] * 2
    assert f"range(0,{seeds[best['trial']]})" in best["repeat"]


@pytest.mark.slow
def test_the_same_sweep_from_python(here: Path) -> None:
    study = gdexp.sweep(
        problems=["matrix", gdexp.Quadratic(mu=0.1), {"name": "booth"}],
        held_out=[gdexp.Matyas()],
        space={"optimizer.lr": [0.05, 0.1]},
        stopping=gdexp.Stopping(1e-2),
        n_trials=None,
    )
    assert study.best is not None
    problems = [gdexp.Matrix(), gdexp.Quadratic(mu=0.1), gdexp.Booth()]
    counts = [iterations(each, float(study.best.params["optimizer.lr"])) for each in problems]
    assert study.best.iterations == pytest.approx(math.prod(counts) ** (1 / 3))
    assert [name for _, name in held_out(here)] == ["matyas"]


@pytest.mark.slow
@pytest.mark.parametrize(
    ("line", "words"),
    [
        (["sweep.problems=matrix"], "sweep.problems=matrix: must be a list of problems"),
        (["sweep.problems=[{name: quadratic, condition: 10}]"], "problem.condition"),
        (
            ["sweep.problems=[{name: quadratic, muu: 1}]"],
            "sweep.problems=quadratic muu=1: problem.muu: unknown key; did you mean problem.mu?",
        ),
        (["sweep.problems=[matrx]"], "sweep.problems=matrx: no such choice; did you mean matrix?"),
        (["sweep.held_out=[{mu: 1}]"], "sweep.held_out={mu:1}: needs a name beside the keys"),
        (["sweep.problems=[matrix,{name: matrix}]"], "is there twice"),
        ([LIST, "problem=matrix"], "problem=matrix: must be left out"),
        ([LIST, "sweep.cap=1"], "sweep.cap=1: must be null with sweep.problems"),
        ([LIST, "sweep.pruner=median"], "lower stopping.max_iterations instead"),
        (["sweep.problems=[{name: booth, best_known: 0}]"], "sweep.problems.best_known=0: must be"),
        ([LIST, "stopping.measure=relative"], "must be gap or gradient_norm"),
        (["sweep.held_out=[{name: matrix, x0: [1]}]"], "problem.x0"),
        (["experiment=digits", "sweep.held_out=[matrix]"], "must be null where trainings"),
    ],
)
def test_lists_that_cannot_be_are_refused_before_anything_is_written(
    here: Path, capsys: pytest.CaptureFixture[str], line: Sequence[str], words: str
) -> None:
    assert main([*LINE, *line]) == 2
    error = capsys.readouterr().err
    assert words in error
    assert error.count("\n") == 1
    assert not list(here.iterdir())
