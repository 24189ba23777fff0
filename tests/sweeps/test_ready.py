"""The ready sweeps, every file of `conf/sweep/`, and sweeps of one's own, run to their end."""

from __future__ import annotations

import csv
from pathlib import Path

import pytest

from gdexp import config
from gdexp.cli.main import main
from gdexp.tracking.settings import TrackingSettings
from gdexp.tracking.store import Store
from tests.sweeps.test_resume import check_whole, finished, load

pytestmark = pytest.mark.slow

CLUSTER = {"slurm"}
"""What needs a cluster; that it composes is seen below."""

ELSEWHERE = {"ray"}
"""What needs an environment of its own, and is tested there."""

SHIPPED = {path.stem for path in (config.shipped() / "sweep").glob("*.yaml")}
READY = sorted(SHIPPED - CLUSTER - ELSEWHERE)
FEW = ["sweep.name=s", "sweep.n_trials=4"]


@pytest.mark.parametrize("name", READY)
def test_every_ready_sweep_runs_to_its_end(
    here: Path, name: str, capsys: pytest.CaptureFixture[str]
) -> None:
    swept = ["optimizer.lr=interval(1,5)"] if name == "manual" else []
    most = 30_000 if name == "grid" else 200  # its first learning rates are the smallest
    assert main([f"+sweep={name}", *FEW, f"stopping.max_iterations={most}", *swept]) == 0
    check_whole(here, 4)
    said = capsys.readouterr().out
    assert "4/4 trials" in said
    assert "repeat it with" in said
    store = Store(TrackingSettings())
    parent = load(here).user_attrs["gdexp.parent"]
    for table in ("trials.csv", "thresholds.csv", "front.csv"):
        path = store.client.download_artifacts(parent, table)
        rows = list(csv.DictReader(Path(path).read_text().splitlines()))
        assert len(rows) == {"trials.csv": 4, "thresholds.csv": 8}.get(table, len(rows)) > 0


OWN = """
# @package _global_
defaults:
  - /sweep/manual@sweep
  - _self_
sweep:
  n_trials: 12
  sampler: random
  space:
    optimizer: choice(gd, momentum, adam)
    optimizer.gd.lr: interval(4, 5)
    optimizer.momentum.lr: interval(2, 3)
    optimizer.adam.lr: tag(log, interval(0.01, 0.1))
"""
RANGES = {"gd": (4, 5), "momentum": (2, 3), "adam": (0.01, 0.1)}


@pytest.mark.parametrize("place", ["file", "command line"])
def test_each_rule_is_swept_over_learning_rates_of_its_own(here: Path, place: str) -> None:
    if place == "file":
        (here / "mine" / "sweep").mkdir(parents=True)
        (here / "mine" / "sweep" / "three.yaml").write_text(OWN)
        line = ["--config-dir", "mine", "+sweep=three"]
    else:
        line = [
            *("+sweep=manual", "optimizer=choice(gd, momentum, adam)", "sweep.sampler=random"),
            *("optimizer.gd.lr=interval(4, 5)", "optimizer.momentum.lr=interval(2, 3)"),
            *("optimizer.adam.lr=tag(log, interval(0.01, 0.1))",),
        ]
    given = ["sweep.name=s", "sweep.n_trials=12", "stopping.max_iterations=100"]
    assert main([*line, *given]) == 0
    check_whole(here, 12)
    rules = set()
    store = Store(TrackingSettings())
    runs = {run.run_id: run for run in store.children(load(here).user_attrs["gdexp.parent"])}
    for trial in finished(here):
        rule = trial.params["optimizer"]
        assert set(trial.params) == {"optimizer", f"optimizer.{rule}.lr"}
        low, high = RANGES[rule]
        assert low <= trial.params[f"optimizer.{rule}.lr"] <= high
        run = store.client.get_run(runs[trial.user_attrs["gdexp.record"]["run_id"]].run_id)
        assert run.data.params["optimizer.name"] == rule
        assert float(run.data.params["optimizer.lr"]) == trial.params[f"optimizer.{rule}.lr"]
        rules.add(rule)
    assert rules == set(RANGES)


@pytest.mark.parametrize("name", sorted(CLUSTER))
def test_a_sweep_for_a_cluster_composes_its_launcher(
    here: Path, name: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main([f"+sweep={name}", "--cfg", "all", "hydra.launcher.partition=short"]) == 0
    said = capsys.readouterr().out
    assert "SlurmLauncher" in said
    assert "partition: short" in said
    assert list(here.iterdir()) == []
