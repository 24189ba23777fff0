"""Several commands at once: on one study, on one database, on none yet."""

from __future__ import annotations

import shutil
import time
from pathlib import Path

from scripts.benchmarks.audit import audit
from tests.integration.conditions import HERE
from tests.support.fork_server import ForkServer

QUICK = ["sweep.n_trials=5", "stopping.max_iterations=300"]


def test_a_second_sweep_on_a_study_is_told_who_holds_it_and_harms_nothing(
    ready: ForkServer, tmp_path: Path, new_database: Path
) -> None:
    shutil.copy(new_database, tmp_path / "mlflow.db")
    line = ["+sweep", "sweep.name=s", *QUICK]
    slow = ["gdexp.tracking.sql_writer:SqlWriter.write", 2, 0, 4]  # signal 0 is none
    first = ready.start(*line, cwd=tmp_path, before=f"{HERE}:signalled", given=slow)
    held = tmp_path / "sweeps/s/.study.journal.held"
    while not (held.exists() and held.read_text()):
        time.sleep(0.01)
    second = ready.run(*line, cwd=tmp_path)
    assert second.status == 75
    assert f"process {first.pid} holds this study" in second.err
    assert second.err.count("\n") == 1
    done = first.wait()
    assert done.status == 0, done.err
    assert audit(tmp_path / "sweeps/s/study.journal", tmp_path / "mlflow.db", 5).whole


def test_four_first_sweeps_at_once_into_a_database_that_is_not_there_are_all_complete(
    ready: ForkServer, tmp_path: Path
) -> None:
    names = ["a", "b", "c", "d"]
    going = [ready.start("+sweep", f"sweep.name={n}", *QUICK, cwd=tmp_path) for n in names]
    for each in going:
        done = each.wait()
        assert done.status == 0, done.err
    for name in names:
        found = audit(tmp_path / f"sweeps/{name}/study.journal", tmp_path / "mlflow.db", 5, name)
        assert found.whole, found
