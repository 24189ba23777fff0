"""`sweep.continue_to`: longer traces, a complete table, and nothing else that changes."""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np
import pytest

from gdexp import Runs, TrackedRun, load_runs
from gdexp.cli.main import main
from gdexp.sweeps.study.trial_record import TrialRecord
from tests.sweeps.test_goals import records
from tests.sweeps.test_resume import finished, told

pytestmark = pytest.mark.slow

GRID = ["-m", "optimizer.lr=4.4,9.5", "stopping.threshold=1e-2,1e-4", "sweep.name=s"]
GOAL = "sweep.continue_to=1e-8"
OWN = ("updates", "seconds", "hitting_seconds", "loss")
"""Metrics that differ between two such runs, or that only one of them has."""


def without_own(run: TrackedRun) -> dict[str, float]:
    """The metrics that are equal where a trace only became longer."""
    return {name: value for name, value in run.metrics.items() if name not in OWN}


def outcome(record: TrialRecord) -> tuple[object, ...]:
    """What a continuation must not change."""
    return (
        record.status,
        record.iterations,
        record.hitting_time,
        record.final_loss,
        record.counts,
        record.successes,
        record.saved,
    )


def final_bits(run: TrackedRun) -> bytes:
    return np.asarray(run.final).tobytes()


def swept(folder: Path, *lines: str) -> Runs:
    """A sweep made in a folder of its own, which stays the current one; its descents."""
    folder.mkdir(exist_ok=True)
    os.chdir(folder)
    assert main(list(lines)) == 0
    return load_runs()


def table(said: str) -> str:
    return said.partition("reached by")[2].partition("recorded")[0]


def test_only_traces_become_longer_and_the_table_complete(
    here: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    plain = swept(here / "plain", *GRID)
    hidden = capsys.readouterr().out
    assert "sweep.continue_to=1e-08 completes the table" in " ".join(hidden.split())
    whole = swept(here / "whole", *GRID, GOAL)
    said = capsys.readouterr().out
    assert "not continued" not in table(said)
    assert "go on to 1e-08 where a trial converged" in said
    pair = [here / "plain", here / "whole"]
    assert told(finished(pair[0])) == told(finished(pair[1]))
    assert [*map(outcome, records(pair[0]))] == [*map(outcome, records(pair[1]))]
    for one, other in zip(plain, whole, strict=True):
        assert (one.status, one.iterations) == (other.status, other.iterations)
        assert final_bits(one) == final_bits(other)
        assert other.trace[: one.updates + 1].tobytes() == one.trace.tobytes()
        assert without_own(other) == without_own(one)
        assert other.metrics["updates"] == other.updates == len(other.trace) - 1
        if one.converged:
            assert other.updates == other.iterations_to(1e-8)
            assert one.hitting_time(1e-8) is None
            assert one.at_least(1e-8) == one.iterations + 1
            assert other.at_least(1e-8) is None
        else:
            assert one.at_least(1e-8) is other.at_least(1e-8) is None
    # Every longer trace is replayed to its end.
    assert main(["+rerun", "rerun_all=true", "rerun.record=false"]) == 0
    assert "4 identical" in " ".join(capsys.readouterr().out.split())
    # Another sweep takes them whole.
    assert main([*GRID[:-1], GOAL, "sweep.name=t", "sweep.reuse=true"]) == 0
    assert [(r.steps, r.reused) for r in records(here / "whole", "t")] == [(0, 1)] * 4
    assert [r.updates for r in load_runs()] == [r.updates for r in whole]


def test_a_study_with_rows_seeds_and_a_cap_goes_on_to_the_goal(
    here: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    line = ["-m", "optimizer.lr=4.4,1,4,0.2", "stopping.threshold=1e-3", "sweep.seeds=3"]
    line += ["sweep.name=s", "sweep.cap=1", "tracking.children=best:1", "sweep.batch=2"]
    swept(here / "plain", *line)
    os.makedirs(here / "whole")
    os.chdir(here / "whole")
    assert main([*line, GOAL, "sweep.n_trials=2"]) == 0
    whole = swept(here / "whole", *line, GOAL)
    assert [*map(outcome, records(here / "plain"))] == [*map(outcome, records(here / "whole"))]
    ended = {record.status for record in records(here / "whole")}
    assert ended == {"converged", "capped"}
    for run in whole:
        assert run.converged == (run.updates > run.iterations)
        assert run.at_least(1e-8) == (None if run.converged else run.iterations + 1)
    assert records(here / "whole")[0].trace_updates == sum(r.updates for r in whole[:3])
    capsys.readouterr()
    assert main([f"+rerun={whole[0].short}", "rerun.record=false"]) == 0
    assert "identical" in capsys.readouterr().out


def test_a_goal_that_no_trial_goes_on_to_is_refused(
    here: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    for goal in ("1e-2", "-1"):
        assert main([*GRID, f"sweep.continue_to={goal}"]) == 2
        said = capsys.readouterr().err
        assert "sweep.continue_to" in said
        assert len(said.strip().splitlines()) == 1
    assert list(here.iterdir()) == []
