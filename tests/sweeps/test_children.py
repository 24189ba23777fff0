"""`tracking.children=best:N`: trials as rows of shards are the same trials, and none is lost."""

from __future__ import annotations

import math
import os
import re
import shutil
import signal
from collections.abc import Callable
from pathlib import Path

import numpy as np
import optuna
import pytest
from mlflow.entities import Run
from optuna.trial import TrialState
from pyarrow import parquet as pq

from gdexp import Runs, TrackedRun, load_runs
from gdexp.cli import compare
from gdexp.cli.main import main
from gdexp.sweeps.results.best_trial_runs import LEAST_SAMPLE
from gdexp.tracking.settings import TrackingSettings
from gdexp.tracking.shard_file import UNFINISHED, read_shard
from gdexp.tracking.store import Store
from tests.sweeps.ends import Order, carry_out
from tests.sweeps.test_resume import finished, load, told

pytestmark = pytest.mark.slow

SWEEP = ["+sweep", "sweep.name=s", "optimizer.lr=tag(log, interval(0.05, 20))"]
SWEEP += ["stopping.max_iterations=300"]
DRAWN = [*SWEEP, "sweep.sampler=random"]
RANDOM = [*DRAWN, "sweep.batch=4", "sweep.n_trials=14"]
TPE = [*SWEEP, "sweep.sampler={name: tpe, n_startup_trials: 3}"]
BEST = "tracking.children=best:2"


def store() -> Store:
    """The store of the current directory."""
    return Store(TrackingSettings())


def children(parent: str) -> list[Run]:
    """The runs of the sweep's trials."""
    return [store().client.get_run(run.run_id) for run in store().children(parent)]


def folder_of(parent: str) -> Path:
    """Where the shards of a sweep lie."""
    return Path("mlartifacts", "gdexp", parent, "artifacts", "shards")


def swept(folder: Path, *lines: str) -> Runs:
    """A sweep made in a folder of its own, which stays the current one; its descents."""
    folder.mkdir(exist_ok=True)
    os.chdir(folder)
    assert main(list(lines)) == 0
    return load_runs()


def outcome(run: TrackedRun) -> tuple[object, ...]:
    """What two runs of one trial have in common however they are kept, bit for bit."""
    params = {key: value for key, value in run.params.items() if key != "stopping.cap"}
    metrics = ("iterations", "hitting_time")
    return (
        *(run.trial, run.kind, run.name, run.state, run.status, params, run.config),
        *(run.tags["gdexp.signature"], [run.metrics[key] for key in metrics]),
        *(each.tobytes() for each in (run.trace, run.initial, run.final)),
    )


def check_whole(folder: Path, n: int) -> None:
    """n finished trials, each exactly one row, those that are the best runs too; nothing left."""
    os.chdir(folder)
    study = load(folder)
    trials = study.get_trials()
    done = [trial for trial in trials if trial.state is TrialState.COMPLETE]
    assert len(done) == n
    assert not [t for t in trials if t.state in (TrialState.RUNNING, TrialState.WAITING)]
    parent = str(study.user_attrs["gdexp.parent"])
    shards = sorted(folder_of(parent).iterdir())
    assert not [path for path in shards if path.name.endswith(UNFINISHED)]
    rows = [row for path in shards for row in read_shard(path)]
    assert sorted(row.trial for row in rows) == sorted(trial.number for trial in done)
    values = {trial.number: trial.values[0] for trial in done}
    assert all(row.record.metrics["hitting_time"] == values[row.trial] for row in rows)
    found = load_runs(parent)
    assert [run.trial for run in found] == [trial.number for trial in done]
    assert [run.recorded_time for run in found] == [trial.values[0] for trial in done]
    runs = children(parent)
    assert not [run for run in runs if run.info.status == "RUNNING"]
    whole = [int(r.data.tags["gdexp.trial"]) for r in runs if r.info.status == "FINISHED"]
    # A trial that has a run keeps it when the sweep is continued and others become the best.
    assert len(whole) == len(set(whole)) <= 2 * (2 + LEAST_SAMPLE)
    own = store().client.get_run(parent)
    assert own.info.status == "FINISHED"
    best = min(done, key=lambda trial: trial.values[0])
    assert own.data.tags["gdexp.best_trial"] == str(best.number)
    assert best.number in whole


@pytest.fixture(scope="module")
def pair(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """Two folders with the same sweep, of which one has every trial as a run, the other rows."""
    folder = tmp_path_factory.mktemp("pair")
    before = Path.cwd()
    try:
        swept(folder / "all", *RANDOM)
        swept(folder / "best", *RANDOM, BEST)
    finally:
        os.chdir(before)
    return folder / "all", folder / "best"


@pytest.fixture
def rows(pair: tuple[Path, Path], monkeypatch: pytest.MonkeyPatch) -> Runs:
    """The descents of the sweep whose trials are rows, in its folder."""
    monkeypatch.chdir(pair[1])
    return load_runs()


def row(found: Runs, at: int = 0) -> TrackedRun:
    """One of the trials that have no run of their own."""
    return [run for run in found if "/" in run.run_id][at]


def test_rows_hold_what_runs_hold_bit_for_bit(
    pair: tuple[Path, Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    assert told(finished(pair[0])) == told(finished(pair[1]))
    found = []
    for folder in pair:
        monkeypatch.chdir(folder)
        found.append([outcome(run) for run in load_runs()])
    assert found[0] == found[1]
    check_whole(pair[1], 14)


def test_the_best_and_a_sample_are_runs_with_pages_and_the_others_rows(rows: Runs) -> None:
    assert rows.sweep is not None
    runs = [run for run in rows if "/" not in run.run_id]
    ranked = sorted(rows, key=lambda run: run.recorded_time)
    assert {run.trial for run in ranked[:2]} <= {run.trial for run in runs}
    assert {0, 13} <= {run.trial for run in runs}
    assert len(rows) == 14 > len(runs)
    for run in runs:
        assert run.run_id in run.tags["mlflow.note.content"]
        assert run.parent == rows.sweep.run_id
    assert rows.best is not None
    assert rows.sweep.tags["gdexp.best_run"] == rows.best.run_id
    assert row(rows).short == f"{rows.sweep.short}/{row(rows).trial}"
    assert list(rows.frame()["trial"]) == list(range(14))


def test_no_link_leads_to_a_run_that_is_not_there(
    pair: tuple[Path, Path], capsys: pytest.CaptureFixture[str]
) -> None:
    os.chdir(pair[1])
    assert main([*RANDOM, BEST]) == 0
    said = capsys.readouterr().out
    sweep = load_runs().sweep
    assert sweep is not None
    assert f"+rerun={sweep.short}/NUMBER" in said
    known = {run.info.run_id[:8] for run in children(sweep.run_id)}
    table = said.partition("reached by")[2].partition("recorded")[0]
    named = re.findall(r"\(([0-9a-f]{8})\)", table)
    assert named
    assert set(named) <= known


@pytest.mark.parametrize("command", ["+rerun", "+export"])
def test_a_trial_without_a_run_is_named_by_sweep_and_number(
    rows: Runs, command: str, capsys: pytest.CaptureFixture[str]
) -> None:
    run = row(rows)
    assert main([f"{command}={run.short}"]) == 0
    said = capsys.readouterr().out
    if command == "+rerun":
        assert "identical" in said
        return
    assert main([f"+rerun={Path('export', run.short.replace('/', '-'))}"]) == 0
    assert "identical" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("number", "words"), [("99", "no finished trial"), ("1/1", "no finished trial"), ("x", "")]
)
def test_a_trial_that_is_not_there_is_bad_input(
    rows: Runs, number: str, words: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert rows.sweep is not None
    assert main([f"+rerun={rows.sweep.short}/{number}"]) == 2
    said = capsys.readouterr().err
    assert words in said
    assert said.count("\n") == 1


def test_a_trial_with_a_run_is_named_by_sweep_and_number_too(
    pair: tuple[Path, Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    for folder in pair:
        monkeypatch.chdir(folder)
        sweep = load_runs().sweep
        assert sweep is not None
        (run,) = load_runs(f"{sweep.run_id}/13")
        assert run.trial == 13
        assert "/" not in run.run_id


def test_all_rows_are_compared_and_of_many_the_best(
    rows: Runs, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    assert rows.sweep is not None
    assert main([f"+compare={rows.sweep.run_id}"]) == 0
    said = capsys.readouterr().out
    assert "14: " in said
    assert row(rows).short in said
    monkeypatch.setattr(compare, "MOST_COMPARED", 5)
    assert main([f"+compare={rows.sweep.run_id}"]) == 0
    said = capsys.readouterr().out
    assert "the best 5 of 14 runs" in said
    assert rows.best is not None
    assert rows.best.short in said
    assert Path(folder_of(rows.sweep.run_id).parent, "compare", "report.html").exists()


def damaged(path: Path, change: Callable[[bytearray], None]) -> None:
    """Change a file's bytes."""
    content = bytearray(path.read_bytes())
    change(content)
    path.write_bytes(content)


def test_a_damaged_shard_is_named_in_one_line(
    pair: tuple[Path, Path], here: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    shutil.copytree(pair[1], here, dirs_exist_ok=True)
    found = load_runs()
    assert found.sweep is not None
    (shard,) = folder_of(found.sweep.run_id).iterdir()
    whole, run = shard.read_bytes(), row(found)
    assert run.trial is not None
    with pq.ParquetFile(shard) as file:
        group = file.metadata.row_group(0)
        columns = {group.column(i).path_in_schema: i for i in range(group.num_columns)}
        traces = group.column(columns["trace.list.element"])
        place = traces.data_page_offset + traces.total_compressed_size // 2

    def flip(content: bytearray) -> None:
        content[place] ^= 1

    damaged(shard, flip)
    assert main([f"+rerun={run.short}"]) == 4
    assert shard.name in capsys.readouterr().err
    assert main([f"+compare={found.sweep.short}"]) == 0
    assert "cannot be read" in capsys.readouterr().out
    shard.write_bytes(whole[:-100])
    for line in ([f"+compare={found.sweep.short}"], [f"+rerun={run.short}"]):
        assert main(line) == 74
        said = capsys.readouterr().err
        assert said.count("\n") == 1
        assert shard.name in said
    assert main([*DRAWN, BEST, "sweep.n_trials=16"]) == 74
    assert shard.name in capsys.readouterr().err
    shard.write_bytes(whole)
    assert main([*DRAWN, BEST, "sweep.n_trials=16"]) == 0
    check_whole(here, 16)


def test_a_sweep_of_rows_that_is_continued_is_the_same_as_one_left_alone(
    here: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    for count in (4, 6):
        swept(here / "parts", *TPE, BEST, f"sweep.n_trials={count}")
        check_whole(here / "parts", count)
    straight = swept(here / "straight", *TPE, BEST, "sweep.n_trials=6")
    assert told(finished(here / "parts")) == told(finished(here / "straight"))
    # The rows of one trial at a time are appended to a file; at the end they are one shard.
    assert straight.sweep is not None
    assert len(list(folder_of(straight.sweep.run_id).iterdir())) == 1


def test_runs_and_rows_of_one_sweep_are_listed_once(here: Path) -> None:
    swept(here, *DRAWN, "sweep.n_trials=5")
    swept(here, *DRAWN, BEST, "sweep.n_trials=9")
    found = swept(here, *DRAWN, "sweep.n_trials=12")
    assert [run.trial for run in found] == list(range(12))
    assert ["/" in run.run_id for run in found[:5]] == [False] * 5
    assert "/" not in found[11].run_id
    assert row(found).trial in range(5, 9)


def test_several_seeds_are_rows_of_their_own(here: Path) -> None:
    lines = [*DRAWN, "sweep.n_trials=5", "sweep.seeds=2"]
    found = [
        swept(here / "all", *lines),
        swept(here / "best", *lines, "tracking.children=best:1"),
    ]
    assert [outcome(run) for run in found[0]] == [outcome(run) for run in found[1]]
    assert told(finished(here / "all")) == told(finished(here / "best"))
    run = row(found[1])
    assert run.run_id.count("/") == 2
    assert main([f"+rerun={run.short}"]) == 0
    best = min(finished(here / "best"), key=lambda trial: trial.values[0])
    seeds = [each for each in found[1] if each.trial == best.number]
    assert len({each.parent for each in seeds}) == 1
    assert [each.kind for each in seeds] == ["seed", "seed"]
    assert not any("/" in each.run_id for each in seeds)


def test_trials_of_several_workers_are_each_one_row(here: Path) -> None:
    swept(here, *DRAWN, BEST, "sweep.n_trials=14", "sweep.workers=2", "sweep.batch=3")
    check_whole(here, 14)


TRIALS = 8
LINE = [*TPE, f"sweep.n_trials={TRIALS}", BEST]
KILLS = [
    ("recorded in the study", 2), ("rows not appended", 3), ("rows appended", 4),
    ("shard unnamed", 1), ("shard written", 1), ("shards joined", 1), ("runs written", 1),
    ("answers worked out", 1),
]  # fmt: skip
"""The first shard is the one that the rows are joined to, while their file is still there."""


@pytest.fixture(scope="module")
def killed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a sweep for each of `KILLS`, killed there, begun again and run to its end."""
    folder = tmp_path_factory.mktemp("killed")
    orders = [Order(str(folder / "straight"), LINE)]
    for point, count in KILLS:
        each = str(folder / f"{point} {count}")
        orders += [Order(each, LINE, point, count), Order(each, LINE)]
    assert carry_out(orders) == [0] + [-signal.SIGKILL, 0] * len(KILLS)
    return folder


@pytest.mark.parametrize(("point", "count"), KILLS)
def test_a_kill_at_any_write_of_shards_loses_and_repeats_nothing(
    killed: Path, point: str, count: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(killed)
    again = killed / f"{point} {count}"
    check_whole(again, TRIALS)
    assert told(finished(again)) == told(finished(killed / "straight"))
    traces = []
    for folder in (again, killed / "straight"):
        monkeypatch.chdir(folder)
        traces.append([run.trace.tobytes() for run in load_runs()])
    assert traces[0] == traces[1]


def test_the_study_holds_no_array(pair: tuple[Path, Path]) -> None:
    storage = optuna.storages.journal.JournalFileBackend(str(pair[1] / "sweeps/s/study.journal"))
    longest = max(len(str(log)) for log in storage.read_logs(0))
    assert longest < 10_000
    assert math.isfinite(np.float64(longest))
