"""INT, TERM and HUP: runs and sweeps end in order, say what became of them, and go on."""

from __future__ import annotations

import shutil
import signal
import sqlite3
from collections.abc import Sequence
from contextlib import closing
from pathlib import Path

import pytest

from gdexp.tracking.settings import TrackingSettings
from gdexp.ui.server import Server
from scripts.benchmarks.audit import audit
from tests.integration.conditions import HERE
from tests.support.fork_server import CompletedCommand, ForkServer
from tests.support.long_form import share
from tests.support.ports import free_port

SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
TRIALS = 4
LIMITS = ["sweep.name=s", f"sweep.n_trials={TRIALS}", "stopping.max_iterations=30000"]
LIMITS += ["engine=torch"]  # whose iterations are slow enough for a signal to come between
LONG = ["+sweep", "optimizer.lr=interval(0.003,0.004)", "sweep.batch=1", *LIMITS]
TOGETHER = ["+sweep", "sweep.sampler=random", "sweep.batch=3", *LIMITS]
MANY = ["+sweep", "sweep.sampler=random", "sweep.batch=3", "sweep.name=s"]
MANY += ["sweep.n_trials=9", "stopping.max_iterations=300"]
LOOK = "gdexp.sweeps.display.progress:Progress.show_descent"
ROWS = "gdexp.tracking.sql_writer:SqlWriter._insert"
SWEEPS = {
    "in a long descent": (LONG, TRIALS, LOOK, 2),
    "in a batch": (TOGETHER, TRIALS, LOOK, 1),
    "between the rows of a trial": (MANY, 9, ROWS, 12),
    "before a file is safe on disk": (MANY, 9, "os:fsync", 5),
}
"""What is typed, for how many trials, what is called when the signal comes, at which call."""


@pytest.fixture
def folder(tmp_path: Path, new_database: Path) -> Path:
    """A folder with a database that has no run yet."""
    shutil.copy(new_database, tmp_path / "mlflow.db")
    return tmp_path


def statuses(database: Path, kind: str) -> list[str]:
    """Of the runs of a kind, the oldest first."""
    query = "SELECT status FROM runs JOIN tags USING(run_uuid) WHERE key = 'gdexp.kind'"
    with closing(sqlite3.connect(database)) as connection:
        found = connection.execute(f"{query} AND value = ? ORDER BY start_time", (kind,))
        return [row[0] for row in found]


def check_said(done: CompletedCommand, number: signal.Signals, words: str) -> None:
    """Exit status 128 + N, one line on stderr, and one that says what to do."""
    assert done.status == 128 + number, (done.out, done.err)
    assert done.err == f"gdexp: interrupted: {number.name}\n"
    assert words in done.out


def signalled(
    ready: ForkServer, folder: Path, line: Sequence[str], *given: object
) -> CompletedCommand:
    """A command to which a signal comes."""
    return ready.run(*line, cwd=folder, before=f"{HERE}:signalled", given=list(given))


@pytest.mark.parametrize("when", SWEEPS)
def test_each_signal_ends_a_sweep_in_order_and_the_same_command_completes_it(
    ready: ForkServer, folder: Path, when: str
) -> None:
    line, trials, place, count = SWEEPS[when]
    at = [*SWEEPS].index(when)
    # Each of them in a long descent; elsewhere one after the other, in the long form each too.
    for number in SIGNALS if at == 0 else (SIGNALS + SIGNALS)[at % 3 :][: share(3, 3)]:
        done = signalled(ready, folder, line, place, count, number)
        check_said(done, number, "the same command continues")
        left = statuses(folder / "mlflow.db", "sweep"), statuses(folder / "mlflow.db", "trial")
        assert "RUNNING" not in [*left[0], *left[1]]
    done = ready.run(*line, cwd=folder)
    assert done.status == 0, done.err
    after = audit(folder / "sweeps/s/study.journal", folder / "mlflow.db", trials)
    assert after.whole, after


@pytest.mark.parametrize(
    ("place", "count", "state"),
    [("gdexp.display.loss_lines:LossPrinter.__call__", 3, "KILLED"), (ROWS, 4, "FINISHED")],
    ids=["in the descent", "in its last write, which is made whole first"],
)
def test_each_signal_ends_a_run_that_says_what_became_of_it(
    ready: ForkServer, folder: Path, place: str, count: int, state: str
) -> None:
    line = ["optimizer.lr=0.001", "stopping.max_iterations=2000"]
    for number in SIGNALS:
        check_said(signalled(ready, folder, line, place, count, number), number, f"is {state}")
    assert statuses(folder / "mlflow.db", "run") == [state] * len(SIGNALS)


def test_an_interrupt_ends_a_long_loop_of_native_code(ready: ForkServer, folder: Path) -> None:
    """It may make a billion iterations, and the signal comes between two calls of Python."""
    line = ["problem=rosenbrock", "optimizer.lr=1e-9", "engine=portable", "dtype=float64"]
    place = "gdexp.display.loss_lines:LossPrinter.__call__"
    done = ready.run(
        *(*line, "stopping.max_iterations=1000000000"),
        cwd=folder,
        before=f"{HERE}:signalled_meanwhile",
        given=[place, 30, signal.SIGINT, 0.2],
    )
    check_said(done, signal.SIGINT, "is KILLED")
    assert "1,000,000,000  " not in done.out
    assert statuses(folder / "mlflow.db", "run") == ["KILLED"]


def test_a_second_signal_ends_a_sweep_at_once_and_nothing_is_lost(
    ready: ForkServer, folder: Path
) -> None:
    given = [
        ["signalled", [LOOK, 2, signal.SIGINT]],
        ["signalled", ["gdexp.sweeps.cleanup:recover_trials", 1, signal.SIGINT, 3600]],
    ]
    done = ready.run(*LONG, cwd=folder, before=f"{HERE}:all_of", given=given)
    assert done.status == 128 + signal.SIGINT, done.err
    assert "a second signal, SIGINT, ended it at once" in done.err
    assert "continues" not in done.out
    assert ready.run(*LONG, cwd=folder).status == 0
    after = audit(folder / "sweeps/s/study.journal", folder / "mlflow.db", TRIALS)
    assert after.whole, after


def test_a_signal_ends_a_sweep_into_a_server_in_order(
    ready: ForkServer, folder: Path, tmp_path_factory: pytest.TempPathFactory
) -> None:
    here = tmp_path_factory.mktemp("here")
    database = folder / "mlflow.db"
    with Server(TrackingSettings(f"sqlite:///{database}"), free_port()) as server:
        line = [*TOGETHER, f"tracking.uri={server.address}"]
        for number in SIGNALS[-share(3, 3) :]:
            place = "gdexp.tracking.client_writer:ClientWriter.log_values"
            done = signalled(ready, here, line, place, 2, number)
            check_said(done, number, "the same command continues")
            left = statuses(database, "sweep"), statuses(database, "trial")
            assert "RUNNING" not in [*left[0], *left[1]]
        done = ready.run(*line, cwd=here)
    assert done.status == 0, done.err
    after = audit(here / "sweeps/s/study.journal", database, TRIALS)
    assert after.whole, after
