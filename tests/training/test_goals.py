"""Objectives, pruners and early ends of trainings: metrics of `evaluate`, and patience."""

from __future__ import annotations

import math
import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from gdexp.cli.main import main
from gdexp.descent import EndsAt, Status, Stopping
from gdexp.experiment import Experiment
from gdexp.sweeps.study import TrialRecord, readings_of
from gdexp.tracking.settings import TrackingSettings
from gdexp.tracking.store import Store
from tests.support.commands import composed
from tests.sweeps.test_resume import finished

RUN = [
    "problem=training",
    "problem.path=small.Small",
    "optimizer=adam",
    "stopping.max_iterations=40",
    "stopping.every=5",
]
SWEEP = ["+sweep", "sweep.name=s", *RUN, "optimizer.lr=tag(log,interval(1e-4,0.3))"]


@pytest.fixture
def small(here: Path) -> Path:
    """A folder with the user's module."""
    shutil.copy(Path(__file__).parent / "small_training.py", here / "small.py")
    return here


def run(*lines: str, **given: Any) -> Any:
    made = Experiment.from_config(composed(*RUN, *lines), ["small.Small"])
    return made.run(**given)


class Heard:
    """A monitor that keeps what it hears."""

    def __init__(self) -> None:
        self.readings: list[tuple[int, dict[str, float]]] = []

    def reading(
        self, iteration: int, metrics: Mapping[str, float], seconds: float
    ) -> Status | None:
        self.readings.append((iteration, dict(metrics)))
        return None


@pytest.mark.slow
def test_a_monitor_hears_all_metrics_and_ends_a_training(small: Path) -> None:
    for lines in (
        ["stopping.threshold=null"],
        ["stopping.metric=accuracy", "stopping.threshold=2"],
    ):
        heard = Heard()
        whole = run(*lines, monitor=heard)
        assert whole.status is Status.MAX_ITERATIONS
        steps = [iteration for iteration, _ in heard.readings]
        assert steps == sorted(set(steps))
        assert steps[:8] == list(range(0, 40, 5))
        for name in ("accuracy", "val_loss"):
            values = dict(whole.curve(name).tolist())
            for iteration, metrics in heard.readings:
                assert metrics[name] == values[iteration]
        ended = run(*lines, monitor=EndsAt(15, Status.PRUNED))
        assert (ended.status, ended.iterations) == (Status.PRUNED, 15)
        assert np.array_equal(ended.trace[:15], whole.trace[:15])
        assert np.array_equal(ended.curve("accuracy"), whole.curve("accuracy")[:4])


@pytest.mark.slow
def test_patience_epochs_and_time_end_a_training(small: Path) -> None:
    goal = ["stopping.metric=accuracy", "stopping.threshold=2", "stopping.max_iterations=900"]
    patient = run(*goal, "stopping.patience=3", "stopping.every=1", "optimizer.lr=1e-9")
    assert patient.status is Status.PLATEAU
    values = patient.curve("accuracy")[:, 1]
    best = int(np.argmax(values))
    assert len(values) == best + 4
    assert all(values[best + 1 :] <= values[best])
    epochs = run(*goal, "stopping.max_epochs=3")
    assert (epochs.status, epochs.iterations, epochs.epochs) == (Status.MAX_EPOCHS, 15, 3)
    late = run(*goal, "stopping.max_seconds=0.2", "stopping.max_iterations=1000000")
    assert late.status is Status.OUT_OF_TIME
    assert 0.2 <= late.seconds < 2


@pytest.mark.slow
def test_a_training_is_projected_towards_its_metrics_threshold(small: Path) -> None:
    goal = ["stopping.metric=accuracy", "stopping.threshold=0.95", "optimizer.lr=0.02"]
    ended = run(*goal, "stopping.max_iterations=10")
    longer = run(*goal, "stopping.max_iterations=300")
    assert ended.status is Status.MAX_ITERATIONS
    assert longer.converged
    assert 11 <= ended.hitting_time <= 100
    early = run(*goal, monitor=EndsAt(10, Status.PRUNED))
    assert early.iterations + 1 <= early.hitting_time < 400
    assert Stopping(0.5, absolute=True, metric="m", mode="max").level == -0.5


@pytest.mark.slow
def test_the_best_accuracy_is_found_with_a_pruner(
    small: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    lines = ["sweep.objective=best", "stopping.metric=accuracy", "sweep.n_trials=6"]
    pruner = "sweep.pruner={name: percentile, percentile: 60, n_startup_trials: 2}"
    assert main([*SWEEP, *lines, pruner]) == 0
    said = capsys.readouterr().out
    assert "the largest accuracy in 6 trials" in said  # the class says that max is best
    found = [(trial, TrialRecord.of(trial)) for trial in finished(small)]
    assert {record.status for _, record in found} == {"max_iterations", "pruned"}
    store = Store(TrackingSettings())
    whole = [(t, r) for t, r in found if r.status != "pruned"]
    for trial, record in found:
        metrics = store.client.get_run(record.run_id).data.metrics
        own = max(reading.value for reading in readings_of(trial))
        if record.status == "pruned":
            before = [t.values[0] for t, _ in whole if t.number < trial.number]
            assert trial.values == [min(own, *before)]
        else:
            assert trial.values == [metrics["best/accuracy"]] == [own]
    best, _ = max(whole, key=lambda each: each[0].values[0])
    assert f"(trial {best.number}, max_iterations)" in said
    pruned = next(record for _, record in found if record.status == "pruned")
    trust = "trust=[small.Small]"
    assert main([f"+rerun={pruned.run_id}", trust]) == 0
    assert "identical" in capsys.readouterr().out


@pytest.mark.slow
@pytest.mark.parametrize(
    ("lines", "words"),
    [
        (["sweep.objective=best", "sweep.metric=acuracy", "sweep.direction=maximize"],
         "sweep.metric=acuracy: did you mean accuracy?"),
        (["sweep.objective=best", "sweep.metric=f1"],
         "sweep.direction=null: must be minimize or maximize for the metric f1"),
        (["sweep.pruner=median", "sweep.metric=acc"], "sweep.metric=acc: choose from accuracy"),
        (["sweep.objective=value_at:7", "sweep.metric=accuracy"], "a multiple of stopping.every=5"),
        (["stopping.metric=acc", "stopping.mode=max"], "stopping.metric=acc: choose from"),
    ],
)  # fmt: skip
def test_metrics_that_no_evaluation_returns(
    small: Path, lines: list[str], words: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main([*SWEEP, *lines]) == 2
    assert words in capsys.readouterr().err
    assert not (small / "mlflow.db").exists()


def test_values_of_metrics(small: Path) -> None:
    made = run("stopping.threshold=null")
    from gdexp.sweeps.objective import Objective

    accuracy = made.curve("accuracy")[:, 1]
    assert Objective("best", "accuracy", maximize=True).of_result(made) == accuracy.max()
    assert Objective("last", "accuracy", maximize=True).of_result(made) == accuracy[-1]
    assert Objective("value_at", "accuracy", at=10).of_result(made) == accuracy[2]
    assert math.isnan(Objective("value_at", "accuracy", at=7).of_result(made))
