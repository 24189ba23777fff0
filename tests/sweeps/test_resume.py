"""Continuing a sweep: after its end, after an interruption, after a kill at any write."""

from __future__ import annotations

import os
import signal
import time
from pathlib import Path
from typing import Any

import optuna
import pytest
from optuna.storages.journal import JournalFileBackend
from optuna.trial import FrozenTrial, TrialState

from gdexp.cli.main import main
from gdexp.sweeps.study.trial_record import RECORD, TrialRecord
from gdexp.tracking.settings import TrackingSettings
from gdexp.tracking.store import Store
from tests.support.commands import gdexp, start
from tests.sweeps.ends import Order, carry_out

pytestmark = pytest.mark.slow

SWEEP = ["+sweep", "sweep.name=s", "optimizer.lr=tag(log, interval(0.5, 20))"]
QUICK = ["stopping.max_iterations=300"]


def load(folder: Path, name: str = "s") -> optuna.Study:
    """The study, read with Optuna alone."""
    storage = optuna.storages.JournalStorage(
        JournalFileBackend(str(folder / "sweeps" / name / "study.journal"))
    )
    return optuna.load_study(study_name=name, storage=storage)


def finished(folder: Path, name: str = "s") -> list[FrozenTrial]:
    """Its finished trials."""
    return load(folder, name).get_trials(states=(TrialState.COMPLETE,))


def told(trials: list[FrozenTrial]) -> list[tuple[dict[str, Any], list[float]]]:
    """What must be equal when two sweeps are."""
    return [(trial.params, trial.values) for trial in trials]


def check_whole(folder: Path, n: int, name: str = "s") -> None:
    """n finished trials, each with exactly one finished child run; nothing left running."""
    check_trials(load(folder, name), f"sqlite:///{folder / 'mlflow.db'}", n)


def check_trials(study: optuna.Study, store_uri: str, n: int) -> None:
    """The same of any study and store."""
    trials = study.get_trials()
    done = [t for t in trials if t.state is TrialState.COMPLETE]
    assert len(done) == n
    assert not [t for t in trials if t.state in (TrialState.RUNNING, TrialState.WAITING)]
    store = Store(TrackingSettings(uri=store_uri))
    children = store.children(study.user_attrs["gdexp.parent"])
    assert not [run for run in children if run.status == "RUNNING"]
    whole = {int(r.tags["gdexp.trial"]): r for r in children if r.status == "FINISHED"}
    assert sorted(whole) == sorted(t.number for t in done)
    assert len([r for r in children if r.status == "FINISHED"]) == n
    for trial in done:
        run = store.client.get_run(whole[trial.number].run_id)
        record = TrialRecord.of(trial)
        assert record.run_id == run.info.run_id
        assert run.data.metrics["hitting_time"] == record.hitting_time
        assert trial.values == list(record.told(len(trial.values)))
    parent = store.client.get_run(study.user_attrs["gdexp.parent"])
    assert parent.info.status == "FINISHED"


def test_seven_trials_and_five_more_are_twelve_straight(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    parts, straight = tmp_path / "parts", tmp_path / "straight"
    for folder, counts in ((parts, (7, 12)), (straight, (12,))):
        folder.mkdir()
        monkeypatch.chdir(folder)
        for count in counts:
            assert main([*SWEEP, *QUICK, f"sweep.n_trials={count}"]) == 0
        check_whole(folder, 12)
    assert told(finished(parts)) == told(finished(straight))


def test_the_same_command_after_the_end_adds_nothing(
    here: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    for _ in range(2):
        assert main([*SWEEP, *QUICK, "sweep.n_trials=3"]) == 0
    check_whole(here, 3)
    assert "All 3 trials are there" in capsys.readouterr().out


@pytest.mark.parametrize(
    "change",
    [
        "problem.target=[1.0]",
        "problem=booth",
        "seed=1",
        "optimizer.lr=interval(1,2)",
        "sweep.sampler=random",
        "sweep.objective=pareto",
        "sweep.seeds=2",
        "sweep.cap=1",
    ],
)
def test_a_study_made_for_something_else_is_refused_with_the_difference(
    here: Path, capsys: pytest.CaptureFixture[str], change: str
) -> None:
    assert main([*SWEEP, *QUICK, "sweep.n_trials=2"]) == 0
    before = (here / "sweeps/s/study.journal").read_bytes()
    kept = [line for line in SWEEP if line.partition("=")[0] != change.partition("=")[0]]
    assert main([*kept, *QUICK, change, "sweep.n_trials=2"]) == 2
    said = capsys.readouterr().err
    assert "this study was made with" in said
    assert change.partition("=")[0].partition(".")[2].split("[")[0] in said
    assert (here / "sweeps/s/study.journal").read_bytes() == before


TRIALS = 8
LINE = [*SWEEP, *QUICK, f"sweep.n_trials={TRIALS}"]
LINE += ["sweep.sampler={name: tpe, n_startup_trials: 3}"]  # three at once, then one by one
KILLS = [
    ("sweep's run shown", 1), ("asked", 2), ("asked", 5), ("recorded in the study", 2),
    ("files written", 2), ("rows written", 9), ("runs written", 2), ("runs written", 3),
    ("before telling", 2), ("told", 2), ("told", 5), ("answers worked out", 1),
]  # fmt: skip


@pytest.fixture(scope="module")
def killed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a sweep for each of `KILLS`, killed there, begun again and run to its end.

    And one, `straight`, that was left alone.
    """
    folder = tmp_path_factory.mktemp("killed")
    orders = [Order(str(folder / "straight"), LINE)]
    for point, count in KILLS:
        each = str(folder / f"{point} {count}")
        orders += [Order(each, LINE, point, count), Order(each, LINE)]
    statuses = carry_out(orders)
    assert statuses == [0] + [-signal.SIGKILL, 0] * len(KILLS)
    return folder


@pytest.mark.parametrize(("point", "count"), KILLS)
def test_a_kill_between_any_two_writes_loses_and_repeats_nothing(
    killed: Path, point: str, count: int
) -> None:
    check_whole(killed / f"{point} {count}", TRIALS)
    assert told(finished(killed / f"{point} {count}")) == told(finished(killed / "straight"))


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_a_signal_ends_a_sweep_in_order_and_the_same_command_completes_it(
    tmp_path: Path, number: signal.Signals
) -> None:
    line = ["+sweep", "sweep.name=s", "optimizer.lr=interval(0.003,0.004)", "sweep.n_trials=6"]
    line += ["sweep.batch=1"]
    running = start(*line, cwd=tmp_path)
    wait_for_trials(tmp_path, 2)
    running.send_signal(number)
    out, err = running.communicate(timeout=60)
    assert running.returncode == 128 + number
    assert "the same command continues" in out
    assert err.strip() == f"gdexp: interrupted: {signal.Signals(number).name}"
    before = len(finished(tmp_path))
    assert before < 6
    study = load(tmp_path)
    store = Store(TrackingSettings(uri=f"sqlite:///{tmp_path / 'mlflow.db'}"))
    parent = study.user_attrs["gdexp.parent"]
    assert store.client.get_run(parent).info.status == "KILLED"
    assert not store.children(parent, running=True)
    assert not study.get_trials(states=(TrialState.RUNNING,))
    done = gdexp(*line, cwd=tmp_path)
    assert f"Continuing: {before} of 6" in done.stdout
    check_whole(tmp_path, 6)


def test_a_second_sweep_on_one_study_is_told_who_holds_it(tmp_path: Path) -> None:
    line = ["+sweep", "sweep.name=s", "optimizer.lr=interval(0.003,0.004)", "sweep.n_trials=50"]
    running = start(*line, cwd=tmp_path)
    try:
        wait_for_trials(tmp_path, 1)
        second = gdexp(*line, cwd=tmp_path, expect=75)
        assert f"process {running.pid} holds this study" in second.stderr
    finally:
        running.kill()
        running.communicate()


def test_a_torn_last_line_of_the_journal_is_cut_off(here: Path) -> None:
    line = [*SWEEP, *QUICK]
    assert main([*line, "sweep.n_trials=3"]) == 0
    with (here / "sweeps/s/study.journal").open("ab") as file:
        file.write(b'{"op_code": 5, "worker')
    assert main([*line, "sweep.n_trials=5"]) == 0
    check_whole(here, 5)


def test_a_file_that_is_no_journal_is_refused_and_left_alone(
    here: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (here / "mine.txt").write_text("my thesis")
    assert main([*SWEEP, "sweep.storage=mine.txt"]) == 2
    assert "no Optuna journal" in capsys.readouterr().err
    assert [path.name for path in here.iterdir()] == ["mine.txt"]
    assert (here / "mine.txt").read_text() == "my thesis"


def wait_for_trials(folder: Path, count: int, seconds: float = 120) -> None:
    """Until the study has so many finished trials."""
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        journal = folder / "sweeps/s/study.journal"
        if journal.exists() and journal.read_text().count(RECORD) >= count:
            return
        time.sleep(0.05)
    raise TimeoutError(f"no {count} trials after {seconds} s in {os.listdir(folder)}")


BOOM = """
from pathlib import Path


def loss(x):
    value = (x**2).sum()
    if value > 1e3 and Path("unplugged").exists():
        raise RuntimeError("the disk with the data is not there")
    return value
"""


def test_a_sweep_ended_by_a_failed_trial_goes_on_when_the_cause_is_gone(tmp_path: Path) -> None:
    problem = ["problem=custom", "problem.path=boom.loss", "problem.x0=[3.0,3.0]"]
    rates = "optimizer.lr=choice(0.1,0.2,1.5,0.3,0.4)"
    line = ["+sweep=grid", "sweep.name=s", "sweep.batch=1", rates, *problem]
    (tmp_path / "boom.py").write_text(BOOM)
    cause = tmp_path / "unplugged"
    cause.touch()
    failed = gdexp(*line, "sweep.max_failures=1", cwd=tmp_path, expect=1)
    said = "problem=boom.loss: its code failed: RuntimeError: the disk with the data is not there"
    assert said in " ".join(failed.stderr.split())
    assert "3: 2 converged, 1 failed" in " ".join(failed.stdout.split())
    assert len(finished(tmp_path)) == 3
    cause.unlink()
    gdexp(*line, cwd=tmp_path)
    check_whole(tmp_path, 5)


def test_a_study_whose_runs_are_gone_is_refused_with_what_to_do(
    here: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main([*SWEEP, *QUICK, "sweep.n_trials=2"]) == 0
    for path in here.glob("mlflow.db*"):
        path.unlink()
    assert main([*SWEEP, *QUICK, "sweep.n_trials=3"]) == 2
    said = capsys.readouterr().err
    assert "does not hold the runs of study s" in said
    assert "remove sweeps/s/study.journal" in said
    assert not (here / "mlflow.db").exists()
    assert main([*SWEEP, *QUICK, "sweep.n_trials=3", "tracking.uri=sqlite:///two.db"]) == 2
    assert not (here / "two.db").exists()


def test_a_study_stays_in_its_experiment(here: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main([*SWEEP, *QUICK, "sweep.n_trials=2"]) == 0
    assert main([*SWEEP, *QUICK, "sweep.n_trials=3", "tracking.experiment=other"]) == 2
    assert "tracking.experiment=gdexp, not other" in capsys.readouterr().err
