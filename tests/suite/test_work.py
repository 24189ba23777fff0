"""A benchmark goes on where it was ended, and its parts do not depend on how it is run."""

from __future__ import annotations

import json
import os
import signal
from pathlib import Path

import pytest

from gdexp import Adam, Bbob, Stopping, descend_batch
from gdexp.core import BadInput, Interrupted, StudyInUse
from gdexp.engine import Plans
from gdexp.suite.cells import RateSweep, common_rate, rate_at
from gdexp.suite.driver import Benchmark
from gdexp.suite.outcome import Outcome
from gdexp.suite.settings import BenchmarkSettings
from tests.suite.conftest import made_in, quiet

Small = tuple[Benchmark, Outcome]

SECONDS = "seconds"


def cells_of(folder: Path) -> dict[str, object]:
    """What the cells hold, but for the time that they took."""
    files = sorted([*folder.glob("rates/*.json"), *folder.glob("cells/*.json")])
    read = {f"{file.parent.name}/{file.stem}": json.loads(file.read_text()) for file in files}
    return {name: {k: v for k, v in each.items() if k != SECONDS} for name, each in read.items()}


@pytest.mark.slow
def test_a_benchmark_that_was_ended_goes_on_with_what_is_missing(
    small: Small, tmp_path: Path
) -> None:
    benchmark = made_in(tmp_path, functions=(1,))

    def end(part: str, done: int, total: int) -> None:
        if part == "cells" and done == 2:
            raise Interrupted(signal.SIGTERM)

    with pytest.raises(Interrupted):
        benchmark.run(end)
    kept = {file: file.stat().st_mtime_ns for file in benchmark.folder.path.glob("*/*.json")}
    assert len(kept) == 2 + 2
    told: list[tuple[str, int, int]] = []
    again = made_in(tmp_path, functions=(1,))
    again.run(lambda *words: told.append(words))
    assert told == [("cells", 1, 2), ("cells", 2, 2)]
    assert {file: file.stat().st_mtime_ns for file in kept} == kept
    assert not list(benchmark.folder.path.glob("**/.*"))
    # The rate of the function itself does not depend on the other functions.
    whole, part = cells_of(small[0].folder.path), cells_of(benchmark.folder.path)
    for name in ("cells/gd-f1-d2", "cells/armijo_lr_1_-f1-d2"):
        own = [each for each in part[name]["descents"] if each[2] == part[name]["rate"]]  # type: ignore[index]
        theirs = [each for each in whole[name]["descents"] if each[2] == whole[name]["rate"]]  # type: ignore[index]
        assert own == theirs


def test_a_cell_that_is_damaged_is_made_again(tmp_path: Path) -> None:
    changes = {"functions": (1,), "dimensions": (2,), "rules": ("gd",)}
    benchmark = made_in(tmp_path, **changes)
    benchmark.run(quiet)
    file = benchmark.folder.path / "cells" / "gd-f1-d2.json"
    before = json.loads(file.read_text())
    file.write_text(file.read_text()[:50])
    made_in(tmp_path, **changes).run(quiet)
    after = json.loads(file.read_text())
    assert after["descents"] == before["descents"]


@pytest.mark.slow
def test_several_processes_make_the_same(small: Small, tmp_path: Path) -> None:
    benchmark = made_in(tmp_path, workers=2)
    benchmark.run(quiet)
    assert cells_of(benchmark.folder.path) == cells_of(small[0].folder.path)
    for name in ("cells.csv", "running_times.csv", "solvers.csv"):
        theirs = (small[0].folder.path / name).read_bytes()
        assert (benchmark.folder.path / name).read_bytes() == theirs


def test_a_folder_is_for_one_benchmark_and_one_process(small: Small, tmp_path: Path) -> None:
    benchmark = made_in(tmp_path, name="mine")
    with benchmark.folder.locked():
        benchmark.folder.create(benchmark.definition)
        with pytest.raises(StudyInUse, match=f"name=mine: process {os.getpid()} works on this"):
            made_in(tmp_path, name="mine").run(quiet)
    with pytest.raises(BadInput, match=r"is another benchmark \(budget, starts differ\)"):
        made_in(tmp_path, name="mine", starts=3, budget=60)
    (tmp_path / "benchmarks" / "other").mkdir()
    (tmp_path / "benchmarks" / "other" / "notes.txt").write_text("mine")
    with pytest.raises(BadInput, match="holds no benchmark"):
        made_in(tmp_path, name="other")
    assert made_in(tmp_path).name == small[0].name


def test_code_that_is_made_soon_gives_the_same_bits() -> None:
    problem, rules = Bbob(8, 1, 3), [Adam(lr=0.01 * k) for k in range(1, 9)]
    given = (problem, rules, Stopping(threshold=1e-8, max_iterations=300))
    fast = descend_batch(*given, dtype="float64", engine="portable")
    soon = descend_batch(
        *given, dtype="float64", engine="portable", plans=Plans(known=True, optimise=False)
    )
    assert fast.traces is not None
    assert soon.traces is not None
    assert fast.traces.values.tobytes() == soon.traces.values.tobytes()


def test_rates_are_the_same_numbers_everywhere() -> None:
    assert [rate_at(k) for k in (-8, -4, 0, 1, 4, 8)] == [0.1, 0.316, 1.0, 1.33, 3.16, 10.0]


def test_one_rate_has_the_least_mean_of_all_functions() -> None:
    steep = RateSweep(0.1, ((0.1, 1.0), (1.0, 3.0), (10.0, 4.0)))
    flat = RateSweep(10.0, ((0.1, 4.0), (1.0, 1.5), (10.0, 1.0)))
    assert common_rate([steep, flat]) == 1.0


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"functions": (0,)}, "functions=0: must be an integer from 1 to 24"),
        ({"functions": 8}, "functions=8: must be a list that is not empty"),
        ({"dimensions": (1,)}, "dimensions=1: must be an integer from 2 to 1000"),
        ({"instances": (1, 1)}, "must have no number twice"),
        ({"instances": (101,)}, "must not hold 101, which is in instances"),
        ({"budget": 0}, "budget=0: must be an integer from 1"),
        ({"rules": ("adm",)}, "rules.name=adm: .*did you mean adam"),
        ({"rules": ({"name": "adam", "beta": 1},)}, "rules.beta=1: unknown key"),
        ({"rules": ("gd", "gd")}, "rules=gd: is given twice"),
        ({"rate_low": 1.0, "rate_high": 0.1}, "rate_high=0.1: must be >= rate_low=1"),
        ({"name": "../x"}, "must be of letters, digits"),
        ({"rates": "best"}, "rates=best: "),
    ],
)
def test_settings_that_cannot_be_used_are_refused(changes: dict[str, object], message: str) -> None:
    with pytest.raises(BadInput, match=message):
        BenchmarkSettings(**changes)  # type: ignore[arg-type]
