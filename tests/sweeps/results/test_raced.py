"""A sweep with a race: contenders get more seeds, within the descents of equal seeds."""

from __future__ import annotations

import csv
import io
import json
from collections import Counter
from pathlib import Path
from typing import Any

import pytest

from gdexp import load_runs
from gdexp.cli.main import main
from gdexp.sweeps.study.attributes import RACED
from tests.support.recorded_apart import recorded_apart

LINE = ["+sweep=manual", "sweep.sampler=random", "tracking.points=10"]
LINE += ["optimizer.lr=tag(log,interval(1,4))", "stopping.threshold=1e-3", "sweep.race=true"]


def raced(folder: Path) -> list[tuple[int, int]]:
    """Trial and seed of each descent that a race added, those that are FINISHED."""
    return sorted(
        (trial, int(seed)) for trial, seed in recorded_apart(folder, "gdexp.races", "gdexp.seed")
    )


def answer(capsys: pytest.CaptureFixture[str], *line: str) -> dict[str, Any]:
    capsys.readouterr()
    assert main([*LINE, *line, "output=json"]) == 0
    found: dict[str, Any] = json.loads(capsys.readouterr().out)
    return found


def seeds_of(found: dict[str, Any]) -> dict[int, int]:
    return {each["trial"]: each["seeds"] for each in found["race"]["trials"]}


@pytest.mark.slow
def test_contenders_get_more_seeds_within_the_budget_and_are_recorded_apart(
    here: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    found = answer(capsys, "sweep.n_trials=6", "sweep.seeds=6")
    race, made = found["race"], raced(here)
    assert race["budget"] == 6 * 3
    assert len(made) == len(set(made)) == race["spent"] <= race["budget"]
    seeds = seeds_of(found)
    counted = Counter(trial for trial, _ in made)
    assert {trial: 3 + counted[trial] for trial in seeds} == seeds
    assert all(seed in range(3, seeds[trial]) for trial, seed in made)
    best = found["best"]
    assert best["trial"] == race["trials"][0]["trial"]
    assert best["iterations"] == race["trials"][0]["expected"]
    assert f"range(0,{seeds[best['trial']]})" in best["repeat"]
    assert found["evidence"]["seeds"] == seeds[best["trial"]]
    assert len(load_runs(found["run_id"])) == 6 * 3  # the trials alone
    assert answer(capsys, "sweep.n_trials=6", "sweep.seeds=6")["race"] == race
    assert raced(here) == made
    more = answer(capsys, "sweep.n_trials=9", "sweep.seeds=6")
    assert set(made) < set(raced(here))
    assert len(raced(here)) <= 9 * 3
    assert set(seeds_of(more)) == set(range(9))


@pytest.mark.slow
def test_a_killed_race_goes_on_as_it_was(
    here: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    import optuna

    write, left = optuna.Study.set_user_attr, [2]

    def killed(study: optuna.Study, key: str, value: object) -> None:
        if key.startswith(RACED) and value:
            left[0] -= 1
            if left[0] < 0:
                raise KeyboardInterrupt
        write(study, key, value)

    line = ["sweep.n_trials=6", "sweep.seeds=6"]
    with monkeypatch.context() as patched:
        patched.setattr(optuna.Study, "set_user_attr", killed)
        with pytest.raises((KeyboardInterrupt, SystemExit)):
            raise SystemExit(main([*LINE, *line]))
    before = raced(here)
    assert before
    found = answer(capsys, *line)
    made = raced(here)
    assert set(before) < set(made)
    assert len(made) == len(set(made)) == found["race"]["spent"]
    assert answer(capsys, *line, "sweep.name=whole")["race"] == found["race"]


@pytest.mark.slow
def test_it_is_the_same_with_workers_and_with_rows(
    here: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    line = ["sweep.n_trials=4", "sweep.seeds=6"]
    ways = ["sweep.workers=2", "tracking.children=best:1"]
    races = [answer(capsys, *line, way, f"sweep.name=s{at}")["race"] for at, way in enumerate(ways)]
    assert races[0] == races[1]


@pytest.mark.slow
def test_the_report_says_who_was_stopped_and_the_table_who_has_how_many_seeds(
    here: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main([*LINE, "sweep.n_trials=6", "sweep.seeds=6", "sweep.confirm=5"]) == 0
    text = " ".join(capsys.readouterr().out.split())
    assert "18 further descents for the trials that can still win" in text
    assert "stopped early: " in text
    assert "over the 3 seeds of every trial" in text
    (table,) = here.glob("mlartifacts/**/race.csv")
    rows = list(csv.DictReader(io.StringIO(table.read_text())))
    longest = max(int(row["seeds"]) for row in rows)
    assert f"over 5 further seeds from {longest} on" in text


@pytest.mark.slow
@pytest.mark.parametrize(
    ("line", "words"),
    [
        (["sweep.seeds=3"], "sweep.race=true: needs sweep.seeds of at least 4"),
        (["sweep.seeds=6", "sweep.objective=seconds"], "must be false with sweep.objective"),
    ],
)
def test_a_race_that_cannot_be_is_refused(
    here: Path, capsys: pytest.CaptureFixture[str], line: list[str], words: str
) -> None:
    assert main([*LINE, *line]) == 2
    assert words in capsys.readouterr().err
    assert not list(here.iterdir())
