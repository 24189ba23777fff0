"""The winner and its contenders run again from seeds that chose nothing."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from gdexp import load_runs
from gdexp.cli.main import main
from gdexp.sweeps.evidence import SeedCounts, confirmation, contenders, evidence_of
from gdexp.sweeps.study.attributes import FURTHER
from tests.support.recorded_apart import recorded_apart

LINE = ["+sweep=grid", "sweep.name=s", "optimizer.lr=4,4.4,4.41,6", "tracking.points=10"]


def counts(trial: int, mean: int, seeds: int = 12) -> SeedCounts:
    return SeedCounts(trial, [mean + seed % 3 for seed in range(seeds)], [True] * seeds)


def confirmed(folder: Path) -> list[tuple[int, int]]:
    """Trial and seed of each run of a confirmation, those that are FINISHED."""
    return sorted(
        (trial, int(seed)) for trial, seed in recorded_apart(folder, "gdexp.confirms", "gdexp.seed")
    )


def answer(capsys: pytest.CaptureFixture[str], *line: str) -> dict[str, Any]:
    capsys.readouterr()
    assert main([*LINE, *line, "output=json"]) == 0
    found: dict[str, Any] = json.loads(capsys.readouterr().out)
    return found


def test_contenders_are_those_that_are_not_told_apart() -> None:
    found = evidence_of(counts(0, 50), [counts(3, 50), counts(7, 90)])
    assert contenders(found, [3, 7]) == [3]
    assert contenders(None, [9, 8, 7, 6, 5, 4]) == [9, 8, 7, 6]
    few = evidence_of(counts(0, 50, 3), [counts(3, 50, 3)])
    assert contenders(few, [3, 7]) == [3, 7]


def test_a_lucky_winner_is_found_out() -> None:
    """It needed 10 in its trial; from further seeds it needs 60, and another 40."""
    further = {0: counts(0, 60), 3: counts(3, 40), 5: None}
    found = confirmation(0, [3, 5], 10.0, 12, lambda number: further[number])
    assert found is not None
    assert found.better == [3]
    text = " ".join(found.lines)
    assert "trial 0 needs 61 over 12 further seeds from 12 on, 10 in its trial" in text
    assert "fewer iterations here: trial 3" in text
    assert "not compared, as a descent failed: 5" in text
    assert confirmation(5, [3], 10.0, 12, lambda number: further[number]) is None


@pytest.mark.slow
def test_further_seeds_are_recorded_apart_and_made_once(
    here: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    found = answer(capsys, "sweep.seeds=6", "sweep.confirm=5")
    shown = found["confirmation"]
    trials = [shown["best"]["trial"], *(each["trial"] for each in shown["others"])]
    seeds = list(range(6, 11))
    assert confirmed(here) == sorted((trial, seed) for trial in trials for seed in seeds)
    assert shown["first_seed"] == 6
    assert shown["seeds"] == 5
    assert len(load_runs(found["run_id"])) == 4 * 6  # the trials alone
    more = answer(capsys, "sweep.seeds=6", "sweep.confirm=7")["confirmation"]
    assert more["seeds"] == 7
    assert len(confirmed(here)) == len(trials) * 7
    again = answer(capsys, "sweep.seeds=6", "sweep.confirm=5")
    assert again["confirmation"] == shown
    assert len(confirmed(here)) == len(trials) * 7


@pytest.mark.slow
def test_a_kill_before_the_study_knows_of_a_run_makes_it_no_second_time(
    here: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    import optuna

    write = optuna.Study.set_user_attr

    def killed(study: optuna.Study, key: str, value: object) -> None:
        if key.startswith(FURTHER) and value:
            raise KeyboardInterrupt
        write(study, key, value)

    line = ["sweep.seeds=6", "sweep.confirm=5"]
    with monkeypatch.context() as patched:
        patched.setattr(optuna.Study, "set_user_attr", killed)
        with pytest.raises((KeyboardInterrupt, SystemExit)):
            raise SystemExit(main([*LINE, *line]))
    made = confirmed(here)
    assert len(made) == 5
    found = answer(capsys, *line)["confirmation"]
    assert len(confirmed(here)) == 5 * (1 + len(found["others"]))
    assert set(made) < set(confirmed(here)) or not found["others"]


@pytest.mark.slow
@pytest.mark.parametrize("more", ["sweep.workers=2", "tracking.children=best:1", "sweep.seeds=1"])
def test_it_is_the_same_with_workers_with_rows_and_after_one_seed(
    here: Path, capsys: pytest.CaptureFixture[str], more: str
) -> None:
    found = answer(capsys, more, "sweep.confirm=5")
    shown = found["confirmation"]
    assert shown["seeds"] == 5
    assert shown["best"]["trial"] == found["best"]["trial"]
    assert len(confirmed(here)) == 5 * (1 + len(shown["others"]))


@pytest.mark.slow
@pytest.mark.parametrize(
    ("line", "words"),
    [
        (["sweep.confirm=0"], "sweep.confirm=0"),
        (["sweep.confirm=5", "sweep.objective=seconds"], "must be null with sweep.objective"),
        (["sweep.confirm=5", "seed=range(0,3)"], "must be null where seed itself is swept"),
    ],
)
def test_what_cannot_be_confirmed_is_refused(
    here: Path, capsys: pytest.CaptureFixture[str], line: list[str], words: str
) -> None:
    assert main([*LINE, *line]) == 2
    assert words in capsys.readouterr().err
    assert not list(here.iterdir())
