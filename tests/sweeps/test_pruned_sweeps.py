"""Sweeps with a pruner or with other objectives than the hitting time, from the command line."""

from __future__ import annotations

import csv
import math
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from optuna.trial import FrozenTrial, TrialState

from gdexp.cli.main import main
from gdexp.sweeps.study import READINGS, TrialRecord, readings_of
from gdexp.tracking.settings import TrackingSettings
from gdexp.tracking.store import Store
from tests.sweeps.test_resume import check_whole, finished, load

pytestmark = pytest.mark.slow

RATES = "optimizer.lr=tag(log,interval(0.005,20))"
BASE = ["+sweep", "sweep.name=s", RATES, "stopping.threshold=1e-5", "stopping.every=5"]
PRUNED = [*BASE, "sweep.pruner={name: median, n_startup_trials: 3}"]


def records(folder: Path, name: str = "s") -> list[TrialRecord]:
    return [TrialRecord.of(trial) for trial in finished(folder, name)]


def outcomes(folder: Path) -> list[Any]:
    """What must be equal when two sweeps are: parameters, values, statuses and readings."""
    return [
        (t.params, t.values, TrialRecord.of(t).status, t.user_attrs[READINGS])
        for t in finished(folder)
    ]


def rows(folder: Path, name: str = "trials.csv") -> list[dict[str, str]]:
    parent = load(folder).user_attrs["gdexp.parent"]
    store = Store(TrackingSettings(uri=f"sqlite:///{folder / 'mlflow.db'}"))
    path = store.client.download_artifacts(parent, name)
    return list(csv.DictReader(Path(path).read_text().splitlines()))


def test_parts_and_whole_prune_alike_and_runs_repeat(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    parts, straight = tmp_path / "parts", tmp_path / "straight"
    for folder, counts in ((parts, (5, 11)), (straight, (11,))):
        folder.mkdir()
        monkeypatch.chdir(folder)
        for count in counts:
            assert main([*PRUNED, f"sweep.n_trials={count}"]) == 0
    assert outcomes(parts) == outcomes(straight)
    found = records(straight)
    pruned = [each for each in found if each.status == "pruned"]
    assert 0 < len(pruned) < len(found) - 3
    for trial, record in zip(finished(straight), found, strict=True):
        assert trial.state is TrialState.COMPLETE
        readings = readings_of(trial)
        assert readings[-1].step == record.iterations
        if record.status == "pruned":
            before = [each.told(1)[0] for each in found[: trial.number] if not each.is_estimate]
            assert trial.values == [max(record.hitting_time, *before)]
            assert record.iterations % 5 == 0
            assert record.at_thresholds(1).bounds[-1] == record.iterations + 1  # censored
        else:
            assert trial.values == [record.hitting_time]
    said = capsys.readouterr().out
    assert f"{len(pruned)} pruned" in said
    assert "or by the pruner" in said
    best = min((each for each in found if each.can_win), key=lambda each: each.hitting_time)
    assert f"({best.run_id[:8]})" in said
    # A pruned trial keeps its trace, and is repeated to where it ended, bit for bit.
    run = Store(TrackingSettings()).client.get_run(pruned[0].run_id)
    assert run.data.tags["gdexp.status"] == "pruned"
    assert run.data.metrics["hitting_seconds"] > 0
    assert main([f"+rerun={pruned[0].run_id}"]) == 0
    assert "identical" in capsys.readouterr().out


def test_seeds_of_a_trial_end_together(here: Path) -> None:
    lines = ["sweep.seeds=3", "sweep.n_trials=9"]
    assert main([*PRUNED, *lines]) == 0
    found = finished(here)
    pruned = [t for t in found if TrialRecord.of(t).status == "pruned"]
    assert pruned
    for trial in found:
        steps = [each.step for each in readings_of(trial)]
        assert len(steps) == len(set(steps))  # each step once
        record = TrialRecord.of(trial)
        assert (len(record.counts) == 3) or record.status == "pruned"
    store = Store(TrackingSettings())
    for trial in pruned:
        runs = store.children(TrialRecord.of(trial).run_id)
        assert len([run for run in runs if run.status == "FINISHED"]) == len(
            TrialRecord.of(trial).counts
        )
        assert not [run for run in runs if run.status == "RUNNING"]


def test_wilcoxon_compares_seeds(here: Path) -> None:
    lines = ["sweep.seeds=6", "sweep.n_trials=5", "sweep.pruner=wilcoxon"]
    assert main([*BASE, *lines, "stopping.max_iterations=300"]) == 0
    found = records(here)
    assert any(each.status == "pruned" and len(each.counts) < 6 for each in found)
    assert any(each.can_win and len(each.counts) == 6 for each in found)
    for trial in finished(here):
        assert [each.step for each in readings_of(trial)] == list(
            range(1, len(TrialRecord.of(trial).counts) + 1)
        )


def test_workers_share_the_readings(here: Path) -> None:
    assert main([*PRUNED, "sweep.n_trials=10", "sweep.workers=2", "sweep.sampler=random"]) == 0
    check_pruned = [t for t in finished(here) if TrialRecord.of(t).status == "pruned"]
    assert len(finished(here)) == 10
    assert check_pruned
    assert all(READINGS in t.user_attrs for t in finished(here))


VALUED = ["+sweep", "sweep.name=s", RATES, "sweep.n_trials=4"]


@pytest.mark.parametrize(
    ("objective", "column"),
    [("best", "best_loss"), ("last", "last_loss"), ("value_at:20", "loss_at_20")],
)
def test_a_value_within_a_budget(
    here: Path, objective: str, column: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main([*VALUED, f"sweep.objective={objective}", "sweep.budget=30"]) == 0
    found = finished(here)
    assert "stopping.threshold" not in found[0].params  # it plays no part
    store = Store(TrackingSettings())
    values = {}
    for trial in found:
        record = TrialRecord.of(trial)
        trace = np.load(store.client.download_artifacts(record.run_id, "trace.npy"))
        if record.status == "diverged" or (objective == "value_at:20" and len(trace) <= 20):
            assert objective == "best" or trial.values == [math.inf]
            continue
        own = {"best": min(trace), "last": trace[-1]}.get(objective, trace[min(20, len(trace) - 1)])
        assert trial.values == [own]
        values[own] = trial.number, record.status
    said = capsys.readouterr().out
    best = min(values)
    number, status = values[best]
    assert f"(trial {number}, {status})" in said
    assert f"The best trials by {column.replace('_', ' ')}" in said
    assert "converged" not in said
    by_number = {int(row["trial"]): row[column] for row in rows(here)}
    assert float(by_number[number]) == best
    parent = store.client.get_run(load(here).user_attrs["gdexp.parent"])
    assert parent.data.metrics[column] == best
    assert parent.data.tags["gdexp.status"] == status
    assert parent.data.params["sweep.objective"] == objective


def test_the_largest_value_wins_where_it_is_asked(here: Path) -> None:
    lines = ["sweep.objective=last", "sweep.direction=maximize", "sweep.budget=9"]
    assert main([*VALUED, *lines]) == 0
    found = finished(here)
    best = max((t for t in found if math.isfinite(t.values[0])), key=lambda t: t.values[0])
    parent = Store(TrackingSettings()).client.get_run(load(here).user_attrs["gdexp.parent"])
    assert parent.data.tags["gdexp.best_trial"] == str(best.number)
    assert all(t.values == [-math.inf] for t in found if TrialRecord.of(t).status == "diverged")


def test_several_objectives_have_a_front(here: Path, capsys: pytest.CaptureFixture[str]) -> None:
    lines = ["sweep.objective=[hitting_time,best]", "stopping.threshold=1e-4"]
    assert main([*VALUED, *lines]) == 0
    able = [t for t in finished(here) if TrialRecord.of(t).can_win]
    front = {
        t.number
        for t in able
        if not any(
            o.values != t.values and all(a <= b for a, b in zip(o.values, t.values, strict=True))
            for o in able
        )
    }
    assert {int(row["trial"]) for row in rows(here, "front.csv")} == front
    assert "No trial is better than these in all of hitting time, best loss" in (
        capsys.readouterr().out
    )


def test_seconds_to_the_threshold(here: Path) -> None:
    assert main([*VALUED, "stopping.threshold=1e-4", "sweep.objective=seconds"]) == 0
    store = Store(TrackingSettings())
    for trial, record in zip(finished(here), records(here), strict=True):
        metrics = store.client.get_run(record.run_id).data.metrics
        assert trial.values == [metrics["hitting_seconds"]]


def test_nothing_converged_is_a_failure_of_counts_alone(here: Path) -> None:
    few = ["stopping.max_iterations=2", "sweep.n_trials=1", RATES, "stopping.threshold=1e-7"]
    assert main(["+sweep", "sweep.name=a", *few]) == 1
    assert main(["+sweep", "sweep.name=b", "sweep.objective=best", *few]) == 0


@pytest.mark.parametrize(
    ("lines", "words"),
    [
        (["+sweep=pareto", "sweep.pruner=median"], "compares one number of each trial"),
        (["+sweep", "sweep.objective=[best,last]", "sweep.pruner=median"], "has 2; give one"),
        (["+sweep", "sweep.pruner=wilcoxon"], "sweep.seeds must be at least 2"),
        (["+sweep", "sweep.pruner=median", "sweep.batch=4"], "must be 1 with a pruner"),
        (["+sweep", "sweep.objective=best", "sweep.cap=1"], "must be null with"),
        (["+sweep", "sweep.objective=best", "sweep.continue_to=1e-9"], "needs a threshold"),
        (["+sweep", "sweep.objective=best", "sweep.metric=acc"], "sweep.direction=null: must be"),
        (
            ["+sweep", "sweep.objective=best", "sweep.metric=acc", "sweep.direction=maximize"],
            "sweep.metric=acc: must be loss",
        ),
        (["+sweep", "sweep.objective=value_at:99", "sweep.budget=9"], "is never reached"),
        (["+sweep", "sweep.budget=3epochs"], "only a training has epochs"),
        (
            ["+sweep", "sweep.budget=9", "stopping.max_iterations=range(1,9)"],
            "which is swept",
        ),
        (["stopping.max_epochs=3"], "only a training has epochs"),
        (["stopping.patience=0"], "stopping.patience=0: must be an integer from 1"),
    ],
)
def test_what_is_refused_before_anything_is_written(
    here: Path, lines: list[str], words: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(lines) == 2
    error = capsys.readouterr().err.strip()
    assert words in error
    assert "\n" not in error
    assert not list(here.iterdir())


def test_a_single_run_ends_by_patience_and_time(
    here: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    every = "stopping.every=10"
    plateau = ["stopping.patience=3", "stopping.min_delta=0.02"]
    assert main(["optimizer.lr=0.01", every, *plateau]) == 0
    said = capsys.readouterr().out
    assert "plateau: the readings did not improve" in said
    assert "theory" not in said  # it did not fail: it was ended
    timed = ["stopping.max_seconds=0.05", "stopping.threshold=1e-7", "problem=rosenbrock"]
    assert main([every, *timed, "optimizer.lr=1e-8", "stopping.max_iterations=1000000000"]) == 0
    assert "out_of_time" in capsys.readouterr().out
    for run in Store(TrackingSettings()).client.search_runs(["1"]):
        assert main([f"+rerun={run.info.run_id}"]) == 0
        assert "identical" in capsys.readouterr().out


def trial_states(folder: Path) -> list[FrozenTrial]:
    return load(folder).get_trials()


def test_what_was_made_without_a_pruner_is_kept(here: Path) -> None:
    assert main([*BASE, "sweep.n_trials=2"]) == 0
    check_whole(here, 2)
    assert not any(READINGS in t.user_attrs for t in trial_states(here))
    assert not any(
        {"values", "estimated"} & t.user_attrs["gdexp.record"].keys() for t in trial_states(here)
    )
    assert main([*PRUNED, "sweep.n_trials=5"]) == 2  # another definition
