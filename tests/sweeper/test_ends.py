"""What ends a trial or a sweep early, and that what is printed of it holds for what ran."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from tests.support.applications import application, study_of, sweep

pytestmark = pytest.mark.slow

REPORTS = """
import hydra
from hydra.core.config_store import ConfigStore

import gdexp

ConfigStore.instance().store(name="config", node={"lr": 0.1, "x": 1})


@hydra.main(version_base="1.3", config_path=None, config_name="config")
def main(cfg):
    if cfg.x == 3:
        return float("nan")
    accuracy = 0.0
    for epoch in range(1, 16):
        accuracy += (1 - accuracy) * cfg.lr
        gdexp.report(epoch, accuracy=accuracy)
    return cfg.x


if __name__ == "__main__":
    main()
"""

GRID = ["x=1,2,3,4,5,6", "hydra/sweeper/sampler=grid", "hydra.sweeper.job_dirs=false"]

METRIC = ["hydra.sweeper.metric=accuracy", "hydra.sweeper.mode=max"]
GOAL = [
    *("lr=tag(log,interval(0.01,0.9))", "hydra/sweeper/sampler=random", "hydra.sweeper.n_trials=8"),
    *(*METRIC, "hydra.sweeper.threshold=0.9", "hydra.sweeper.job_dirs=false"),
]


def records(study: Any) -> list[dict[str, Any]]:
    """What gdexp wrote of each trial."""
    return [trial.user_attrs["gdexp.record"] for trial in study.trials]


def test_one_failure_is_one_failed_trial_or_ends_the_sweep_where_none_may_fail(
    tmp_path: Path,
) -> None:
    states = ["COMPLETE", "COMPLETE", "FAIL", "COMPLETE", "COMPLETE", "COMPLETE"]
    script = application(tmp_path, REPORTS)
    first = sweep(script, *GRID, "hydra.sweeper.max_failure_rate=0.0", expect=1)
    assert first.stderr.splitlines()[-1].endswith(
        ": 1 of 3 trials failed (hydra.sweeper.max_failure_rate), the last with: it returned nan"
    )
    assert [trial.state.name for trial in study_of(tmp_path).trials] == states[:3]
    done = sweep(script, *GRID)  # the same trials go on where failures are allowed
    assert "Continuing: 3 of 6 trials are there." in done.stdout
    study = study_of(tmp_path)
    assert [trial.state.name for trial in study.trials] == states
    assert study.trials[2].user_attrs["gdexp.record"]["reason"] == "it returned nan"
    assert "trials  6: 1 failed, 5 finished" in done.stdout
    assert study.best_value == 1


def test_a_preview_shows_the_trials_that_run_and_a_cap_keeps_the_winner(tmp_path: Path) -> None:
    script = application(tmp_path, REPORTS)
    shown = sweep(script, *GOAL, "hydra.sweeper.cap=1", "hydra.sweeper.preview=true")
    assert "Without hydra.sweeper.preview=true the sweep begins." in shown.stdout
    assert "a trial at 1 × the fewest reported steps so far" in shown.stdout
    assert "engine" not in shown.stdout
    assert not list(tmp_path.glob("sweeps*"))
    assert not list(tmp_path.glob("multirun*"))
    sweep(script, *GOAL, "hydra.sweeper.cap=1")
    capped = study_of(tmp_path)
    rows = [line.split() for line in shown.stdout.splitlines()]
    for trial in capped.trials:
        (value,) = [row[1] for row in rows if row[:1] == [str(trial.number)]]
        assert float(value) == pytest.approx(trial.params["lr"], rel=1e-4)

    alone = tmp_path / "alone"
    alone.mkdir()
    sweep(application(alone, REPORTS), *GOAL)
    whole = study_of(alone)
    assert [each.params for each in whole.trials] == [each.params for each in capped.trials]
    assert (capped.best_trial.number, capped.best_value) == (
        whole.best_trial.number,
        whole.best_value,
    )
    counts = [[record["iterations"] for record in records(each)] for each in (capped, whole)]
    assert all(few <= many for few, many in zip(*counts, strict=True))
    statuses = [record["status"] for record in records(capped)]
    assert "capped" in statuses
    assert all(
        status != "capped" or few < many
        for status, few, many in zip(statuses, *counts, strict=True)
    )


def test_a_sweep_ends_after_so_many_trials_without_improvement(tmp_path: Path) -> None:
    done = sweep(application(tmp_path, REPORTS), *GOAL, "hydra.sweeper.patience=2")
    study = study_of(tmp_path)
    values = [trial.value for trial in study.trials]
    best = [min(values[: at + 1]) for at in range(len(values))]
    waited = [at - best.index(best[at]) for at in range(len(values))]
    assert len(values) < 8
    assert (waited[-1], max(waited[:-1])) == (2, 1)
    assert (
        f"Ended after {len(values)} of 8 trials: none of the last 2 was an improvement "
        "(hydra.sweeper.patience)."
    ) in " ".join(done.stdout.split())
