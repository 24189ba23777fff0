"""Sweeps with trials that fail, and sweeps without a winner."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

import pytest

from gdexp import load_runs
from gdexp.sweeps.failure import FailureLimit
from tests.support.commands import start

if TYPE_CHECKING:
    from mlflow.entities import Run

LOSSES = """
import os
import torch


class Ended(BaseException):
    def __str__(self):
        raise TypeError("it has no text")


def picky(x):
    loss = (x * x).sum()
    if 2024 < loss < 2026:  # of the rate 2
        raise Ended
    if loss > 1e3:
        raise ArithmeticError(f"no loss beyond {loss:.3g}; see https://bob:hunter2@host/x")
    return loss


def rows(x):
    loss = (x * x).sum(-1)
    assert (loss < 1e3).all(), "too large"
    return loss


def row_problem():
    from gdexp import FunctionProblem
    return FunctionProblem(rows, x0=[3.0, 4.0], batchable=True, f_star=0.0)


def pit(x):
    return (x * x).sum() - 13


def deadly(x):
    loss = (x * x).sum()
    if loss > 1e3:
        os.kill(os.getpid(), 9)
    return loss
"""

OWN = ("problem=custom", "problem.x0=[3.0,4.0]", "problem.f_star=0")
RATES = "optimizer.lr=choice(0.1,0.2,1.5,0.3,2.0,0.4)"
UNNAMED = ("+sweep=grid", RATES, "stopping.max_iterations=100")
GRID = (*UNNAMED, "sweep.name=own")


Command = Callable[..., "Outcome"]


class Outcome(NamedTuple):
    """What a command left."""

    status: int
    out: str
    err: str

    @property
    def text(self) -> str:
        """The output with runs of blanks as one."""
        return " ".join(self.out.split())


@pytest.fixture
def folder(here: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A folder with losses of the user's own."""
    import sys

    (here / "own_losses.py").write_text(LOSSES)
    monkeypatch.syspath_prepend(str(here))
    monkeypatch.setenv("COLUMNS", "200")
    sys.modules.pop("own_losses", None)
    yield here
    sys.modules.pop("own_losses", None)


@pytest.fixture
def run(folder: Path, capsys: pytest.CaptureFixture[str]) -> Command:
    def command(*arguments: str) -> Outcome:
        from gdexp.cli.main import main

        capsys.readouterr()
        status = main(list(arguments))
        return Outcome(status, *capsys.readouterr())

    return command


def runs(folder: Path, kind: str = "trial") -> list[Run]:
    from mlflow import MlflowClient

    client = MlflowClient(f"sqlite:///{folder}/mlflow.db")
    return client.search_runs(["1"], f"tags.`gdexp.kind` = '{kind}'", order_by=["start_time"])


@pytest.mark.slow
def test_a_trial_that_raises_is_recorded_as_failed_and_the_sweep_goes_on(
    folder: Path, run: Command
) -> None:
    done = run(*GRID, *OWN, "problem.path=own_losses.picky")
    assert done.status == 0, done
    assert "6: 4 converged, 2 failed" in done.text
    assert "failed" in done.text
    assert "ArithmeticError: no loss beyond" in done.text
    found = {run.data.params["optimizer.lr"]: run for run in runs(folder)}
    assert len(found) == 6
    for rate, each in found.items():
        assert each.info.status == "FINISHED"
        tags = each.data.tags
        assert (tags["gdexp.status"] == "failed") is (float(rate) > 1)
        if float(rate) > 1:
            name = "Ended: no message" if float(rate) == 2 else "ArithmeticError"
            assert f"own_losses.picky: its code failed: {name}" in tags["gdexp.reason"]
            assert each.data.metrics["hitting_time"] == 1000
            kept = Path(each.info.artifact_uri.removeprefix("file://"))
            assert "in picky" in (kept / "traceback.txt").read_text()
    files = [path for path in folder.rglob("*") if path.is_file() and path.suffix != ".pyc"]
    everything = b"".join(path.read_bytes() for path in files)
    secret = "hunter2"
    assert everything.count(secret.encode()) == LOSSES.count(secret)  # in the user's own file
    assert secret not in done.out + done.err
    again = run(*GRID, *OWN, "problem.path=own_losses.picky")
    assert "All 6 trials are there." in again.text
    [trial] = [each for each in runs(folder) if each.data.params["optimizer.lr"] == "1.5"]
    rerun = run(f"+rerun={trial.info.run_id}", "trust=[own_losses.picky]")
    assert rerun.status == 3, rerun
    found = load_runs()
    assert sorted(each.status for each in found) == ["converged"] * 4 + ["failed"] * 2
    assert len(found.frame()) == 6


@pytest.mark.slow
@pytest.mark.parametrize(("cap", "children"), [("null", "best:1"), ("1", "all")])
def test_rows_that_fail_leave_the_others_of_their_batch(
    folder: Path, run: Command, cap: str, children: str
) -> None:
    own = ("problem=custom", "problem.path=own_losses.row_problem", f"sweep.cap={cap}")
    done = run(*GRID, *own, f"tracking.children={children}")
    assert done.status == 0, done
    assert "2 failed" in done.text
    statuses = trial_statuses(folder)
    assert [statuses[i] for i in (2, 4)] == ["failed", "failed"]
    assert statuses.count("converged") == (4 if cap == "null" else statuses.count("converged"))
    assert set(statuses) <= {"converged", "capped", "failed"}


@pytest.mark.slow
def test_one_seed_that_fails_fails_its_trial(folder: Path, run: Command) -> None:
    own = ("problem=custom", "problem.path=own_losses.picky", "problem.shape=[2]")
    done = run(*GRID, *own, "sweep.seeds=2", "problem.f_star=0")
    assert done.status == 0, done
    assert "2 failed" in done.text
    assert trial_statuses(folder).count("failed") == 2


def trial_statuses(folder: Path) -> list[str]:
    """The status of each trial in the study."""
    lines = (folder / "sweeps/own/study.journal").read_text().splitlines()
    records = [json.loads(line).get("user_attr", {}).get("gdexp.record") for line in lines]
    return [record["status"] for record in records if record]


@pytest.mark.slow
def test_too_many_failures_end_a_sweep_with_what_failed(folder: Path, run: Command) -> None:
    rates = "optimizer.lr=choice(" + ",".join(["0.1", *(f"2.{i:02d}" for i in range(30)), "0.2"])
    own = (*OWN, "problem.path=own_losses.picky", "sweep.batch=1")
    done = run(GRID[0], f"{rates})", *GRID[2:], *own)
    assert done.status == 1, done
    assert "10 trials in a row failed (sweep.max_failures)" in done.err
    assert "own_losses.picky: its code failed: " in done.err
    assert "11: 1 converged, 10 failed" in done.text
    given = run(*UNNAMED, *own, "sweep.max_failures=1")
    assert given.status == 1
    assert "1 of 3 trials failed (sweep.max_failures)" in given.err
    refused = run(*GRID, *own, "sweep.max_failures=0")
    assert refused.status == 2
    assert "sweep.max_failures=0" in refused.err


class Ended(NamedTuple):
    """A trial as `FailureLimit` reads it."""

    status: str
    reason: str = "why"


def test_the_limit_of_failures() -> None:
    def ends_after(statuses: str, most: int | None = None) -> int | None:
        limit = FailureLimit(most)
        for i, letter in enumerate(statuses, 1):
            limit.add(Ended("failed" if letter == "f" else "diverged"))
            if limit.exceeded:
                return i
        return None

    assert ends_after("f" * 10) == 10
    assert ends_after(("f" * 9 + "c") * 2) == 20
    assert ends_after("cf" * 30) == 20
    assert ends_after("ccf" * 100) is None
    assert ends_after("cfcf", most=2) == 4


@pytest.mark.slow
def test_a_sweep_in_which_nothing_converged_has_no_winner(folder: Path, run: Command) -> None:
    own = (*OWN, "problem.path=own_losses.picky", "stopping.max_iterations=3")
    done = run("+sweep=grid", "optimizer.lr=choice(0.001,0.01)", *own)
    assert done.status == 1, done
    assert done.err == ""
    assert "none: 0 of 2 converged" in done.text
    assert "nearest trial 1: loss 22.1" in done.text
    assert "a larger stopping.max_iterations than 3" in done.text
    assert "repeat it with" not in done.text
    [sweep] = runs(folder, "sweep")
    assert "gdexp.best_run" not in sweep.data.tags
    assert "0 of 2 converged" in sweep.data.tags["mlflow.note.content"]
    assert "iterations" not in sweep.data.metrics


@pytest.mark.slow
def test_a_loss_below_an_unknown_minimum_never_wins(folder: Path, run: Command) -> None:
    own = ("problem=custom", "problem.path=own_losses.pit", "problem.x0=[3.0,4.0]")
    done = run(*GRID, *own)
    assert done.status == 1, done
    assert "below_minimum" in done.text
    assert "declare problem.f_star" in done.text
    assert not any(line.split()[1:2] == ["0"] for line in done.out.splitlines() if "1e-0" in line)
    absolute = ("problem.f_star=absolute", "stopping.threshold=-12.5")
    done = run(*UNNAMED, *own, *absolute)
    assert done.status == 0, done
    assert "4 converged" in done.text
    single = run(*own, *absolute, "optimizer.lr=0.1")
    assert "loss <= -12.5 (of the loss itself; hitting times are linear)" in single.text
    assert run("+rerun", "trust=[own_losses.pit]").status == 0
    refused = run(*own, "stopping.threshold=-12.5")
    assert refused.status == 2
    single = run(*own, "optimizer.lr=0.1")
    assert single.status == 0
    assert "below_minimum: loss" in single.text


@pytest.mark.slow
def test_a_trial_on_which_two_workers_die_is_given_up(folder: Path) -> None:
    own = (*OWN, "problem.path=own_losses.deadly", "sweep.workers=2", "sweep.name=own")
    rates = "optimizer.lr=choice(0.1,0.3,1.5)"
    done = start("+sweep=grid", rates, *own, cwd=folder).wait()
    assert sorted(trial_statuses(folder)) == ["converged", "converged", "failed"], done
    assert done.status == 0, done
    assert "3: 2 converged, 1 failed" in " ".join(done.out.split())
    assert "two workers ended without a word" in " ".join(done.out.split())
