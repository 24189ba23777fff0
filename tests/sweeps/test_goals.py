"""What is told to Optuna and what ends a sweep: objectives, seeds, batches, reuse, patience."""

from __future__ import annotations

import csv
import itertools
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from mlflow.entities import Run

from gdexp import GradientDescent, Matrix, Result, Stopping, descend
from gdexp.cli.main import main
from gdexp.sweeps.early_trials import first_trials
from gdexp.sweeps.study.trial_record import TrialRecord
from gdexp.tracking.settings import TrackingSettings
from gdexp.tracking.store import Store
from tests.sweeps.space.test_space import planned
from tests.sweeps.test_resume import check_whole, finished, load, told

pytestmark = pytest.mark.slow


def parent(folder: Path, name: str = "s") -> Run:
    """The sweep's own run."""
    return store().client.get_run(load(folder, name).user_attrs["gdexp.parent"])


def store() -> Store:
    """The store of the current directory."""
    return Store(TrackingSettings())


def children(run_id: str) -> list[Run]:
    """The child runs of a run, as MLflow gives them."""
    return [store().client.get_run(run.run_id) for run in store().children(run_id)]


def rows(run: Run, name: str) -> list[dict[str, str]]:
    """A table of the sweep's run."""
    path = store().client.download_artifacts(run.info.run_id, name)
    return list(csv.DictReader(Path(path).read_text().splitlines()))


def records(folder: Path, name: str = "s") -> list[TrialRecord]:
    """What the study keeps of each finished trial."""
    return [TrialRecord.of(trial) for trial in finished(folder, name)]


def test_pareto_minimises_hitting_time_and_threshold(here: Path) -> None:
    assert main(["+sweep=pareto", "sweep.name=s", "sweep.n_trials=14"]) == 0
    check_values = []
    for trial, record in zip(finished(here), records(here), strict=True):
        assert trial.values == [record.hitting_time, trial.params["stopping.threshold"]]
        lr, threshold = trial.params["optimizer.lr"], trial.params["stopping.threshold"]
        result = descend(Matrix(), GradientDescent(lr), Stopping(threshold))
        assert result.hitting_time == record.hitting_time
        check_values.append((threshold, record.hitting_time, trial.number))
    beaten = {
        c
        for a, b, c in check_values
        for x, y, _ in check_values
        if x <= a and y <= b and (x, y) != (a, b)
    }
    front = [(t, h, str(n)) for t, h, n in sorted(check_values) if n not in beaten]
    shown = rows(parent(here), "front.csv")
    assert [
        (float(r["stopping.threshold"]), float(r["hitting_time"]), r["trial"]) for r in shown
    ] == front


SEEDED = ["stopping.max_iterations=19", "sweep.seeds=4", "seed=7"]


def from_each_seed(lr: float) -> list[Result]:
    """The four descents of a trial of `SEEDED`, made without a sweep."""
    return [
        descend(Matrix(), GradientDescent(lr), Stopping(1e-5, 19), seed=7 + i) for i in range(4)
    ]


def test_with_several_seeds_the_expected_running_time_is_minimised(here: Path) -> None:
    rates = [1.0, 1.05, 0.5]
    listed = ",".join(map(str, rates))
    assert main(["-m", f"optimizer.lr={listed}", "sweep.name=s", *SEEDED]) == 0
    successes = []
    for rate, trial, record in zip(rates, finished(here), records(here), strict=True):
        results = from_each_seed(rate)
        reached = sum(result.converged for result in results)
        spent = sum(result.iterations for result in results)
        successes.append(reached)
        expected = spent / reached if reached else sum(r.hitting_time for r in results)
        assert trial.value == expected
        assert record.successes == reached
        (run,) = [
            run for run in children(parent(here).info.run_id) if run.info.run_id == record.run_id
        ]
        assert run.data.tags["gdexp.kind"] == "trial"
        assert run.data.metrics["expected_running_time"] == expected
        of_seeds = children(run.info.run_id)
        assert {r.data.tags["gdexp.kind"] for r in of_seeds} == {"seed"}
        by_seed = {int(r.data.params["seed"]): r for r in of_seeds}
        assert sorted(by_seed) == [7, 8, 9, 10]
        for i, result in enumerate(results):
            child = by_seed[7 + i]
            assert child.info.status == "FINISHED"
            assert child.data.metrics["iterations"] == result.iterations
            assert child.data.tags["gdexp.status"] == result.status
            trace = store().stored_files(child.info.run_id).arrays["trace.npy"]
            assert trace.tobytes() == result.trace.tobytes()
    assert successes[0] in (1, 2, 3)  # some seeds fail, as they should here
    assert successes[2] == 0


def test_with_several_seeds_a_capped_trial_stops_where_the_allowance_ends(here: Path) -> None:
    line = ["-m", "optimizer.lr=4,1,4.4,0.2", "sweep.seeds=3"]
    for cap in ("null", "1"):
        assert main([*line, f"sweep.cap={cap}", f"sweep.name=cap{cap}"]) == 0
    free, capped = records(here, "capnull"), records(here, "cap1")
    best = [min(range(4), key=lambda i, of=of: of[i].hitting_time) for of in (free, capped)]
    assert best == [2, 2]
    assert [record.status for record in capped] == [
        "converged", "capped", "converged", "capped",
    ]  # fmt: skip
    for at, before in ((1, 0), (3, 2)):
        made = np.cumsum(capped[at].counts)
        allowed = np.cumsum(capped[before].counts)[: len(made)] + 1
        assert (made <= allowed).all()
        assert made[-1] == allowed[-1]
        assert capped[at].hitting_time > capped[best[1]].hitting_time
    assert sum(r.steps for r in capped) < sum(r.steps for r in free) / 5


def test_what_random_trials_find_does_not_depend_on_the_batch(here: Path) -> None:
    line = ["+sweep", "sweep.sampler=random", "sweep.n_trials=12", "stopping.max_iterations=3000"]
    for cap in ("null", "1"):
        found = []
        for batch in ("1", "5", "null"):
            name = f"b{batch}-{cap}"
            given = [f"sweep.batch={batch}", f"sweep.cap={cap}", f"sweep.name={name}"]
            assert main([*line, *given]) == 0
            check_whole(here, 12, name)
            assert [t.number for t in finished(here, name)] == list(range(12))
            kept = [
                (r.status, r.counts, r.final_loss, r.hits, r.saved) for r in records(here, name)
            ]
            found.append((told(finished(here, name)), kept))
        assert all(each == found[0] for each in found)


def test_tpe_asks_batches_of_trials_that_differ(here: Path) -> None:
    line = ["+sweep", "sweep.batch=5", "sweep.n_trials=17", "sweep.name=s"]
    assert main([*line, "sweep.sampler={name: tpe, n_startup_trials: 5}"]) == 0
    check_whole(here, 17)
    trials = finished(here)
    assert len({t.params["optimizer.lr"] for t in trials}) == 17
    # Asked together: each of a batch began before any of them was told.
    for begin in (0, 5, 10):
        batch = trials[begin : begin + 5]
        began = max(t.datetime_start for t in batch if t.datetime_start)
        assert all(t.datetime_complete and t.datetime_complete >= began for t in batch)


def test_what_was_run_before_is_taken_and_said_to_be(
    here: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["-m", "optimizer.lr=1,2,4", "sweep.name=a"]) == 0
    known = {r.data.params["optimizer.lr"]: r for r in children(parent(here, "a").info.run_id)}
    capsys.readouterr()
    with monkeypatch.context() as patched:
        # Nothing is descended again: it could not be.
        patched.setattr("gdexp.sweeps.worker.evaluate.descend_batch", None)
        patched.setattr("gdexp.experiment.experiment.Experiment.run", None)
        assert main(["-m", "optimizer.lr=2,4", "sweep.name=b", "sweep.reuse=true"]) == 0
    assert "2 descents taken from earlier runs" in " ".join(capsys.readouterr().out.split())
    check_whole(here, 2, "b")
    assert told(finished(here, "b")) == told(finished(here, "a"))[1:]
    assert [(r.steps, r.reused) for r in records(here, "b")] == [(0, 1), (0, 1)]
    for run in children(parent(here, "b").info.run_id):
        source = known[run.data.params["optimizer.lr"]]
        assert run.data.tags["gdexp.reused_from"] == source.info.run_id
        ours, theirs = (store().stored_files(r.info.run_id).arrays for r in (run, source))
        assert all(ours[name].tobytes() == theirs[name].tobytes() for name in theirs)


def test_a_damaged_run_is_not_taken(here: Path) -> None:
    assert main(["-m", "optimizer.lr=1,2", "sweep.name=a"]) == 0
    run_id = records(here, "a")[0].run_id
    (trace,) = here.glob(f"mlartifacts/**/{run_id}/**/trace.npy")
    content = bytearray(trace.read_bytes())
    content[-1] ^= 1
    trace.write_bytes(content)
    assert main(["-m", "optimizer.lr=1,2", "sweep.name=b", "sweep.reuse=true"]) == 0
    assert [r.reused for r in records(here, "b")] == [0, 1]
    assert told(finished(here, "b")) == told(finished(here, "a"))


def test_when_the_time_is_over_no_trial_is_begun_and_the_same_command_continues(
    here: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    line = ["+sweep", "sweep.name=s", "sweep.n_trials=3", "sweep.sampler=random", "sweep.batch=1"]
    assert main([*line, "sweep.timeout=1e-9"]) == 0
    assert "Ended after 0 of 3 trials" in capsys.readouterr().out
    assert finished(here) == []
    assert main(line) == 0
    check_whole(here, 3)


@pytest.mark.parametrize("batch", ["null", "1", "4"])
def test_patience_ends_a_sweep_after_so_many_trials_without_improvement(
    here: Path, capsys: pytest.CaptureFixture[str], batch: str
) -> None:
    rates = "optimizer.lr=0.5,1,2,1.9,1.8,4,3.9,3.8,3.7,4.5"
    line = ["-m", rates, "sweep.name=s", "sweep.patience=3", f"sweep.batch={batch}"]
    assert main(line) == 0
    check_whole(here, 9)
    said = capsys.readouterr().out
    assert "Ended after 9 of 10 trials: none of the last 3 was an improvement" in said
    if batch != "null":
        return
    assert main(line) == 0  # it has ended; nothing is added
    check_whole(here, 9)
    assert main([*line[:-2], "sweep.patience=4", line[-1]]) == 0
    check_whole(here, 10)


def test_a_looser_threshold_that_needs_less_is_an_improvement_of_the_front_only(here: Path) -> None:
    """Equal learning rates with ever tighter thresholds: each is on the front, one is the best."""
    thresholds = "stopping.threshold=1e-2,1e-3,1e-4,1e-5,1e-6"
    for objective, count in (("hitting_time", 3), ("pareto", 5)):
        line = ["-m", thresholds, f"sweep.objective={objective}", f"sweep.name={objective}"]
        assert main([*line, "sweep.patience=2"]) == 0
        assert len(finished(here, objective)) == count


@pytest.mark.parametrize(
    "line",
    [
        ["+sweep"],
        ["+sweep", "sweep.sampler=tpe"],
        ["+sweep", "sweep.sampler=qmc"],
        ["+sweep=rules"],
        ["+sweep=thresholds"],
        ["+sweep=pareto", "sweep.sampler=random", "seed=5"],
    ],
    ids=" ".join,
)
def test_the_preview_shows_the_trials_that_are_run(
    here: Path, line: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    given = [*line, "sweep.name=s", "sweep.n_trials=6", "stopping.max_iterations=100"]
    expanded = [
        word.replace("+sweep", "+sweep=default") if word == "+sweep" else word for word in given
    ]
    shown = first_trials(planned(*expanded), 6)
    assert main([*given, "sweep.preview=true"]) == 0
    assert list(here.iterdir()) == []
    said = capsys.readouterr().out
    assert main(given) == 0
    tried = [trial.params for trial in finished(here)]
    # gdexp's own sampler learns from the third trial on.
    assert (tried[:2] if line == ["+sweep"] else tried) == shown
    for parameters in shown:
        for value in parameters.values():
            assert (f"{value:.6g}" if isinstance(value, float) else str(value)) in said


def combinations(count: int) -> list[tuple[Any, ...]]:
    """Learning rates and rules of a small grid in its order."""
    return list(itertools.product(("gd", "momentum"), (1.0, 2.0)))[:count]


def test_a_grid_of_files_is_run_point_by_point_and_continues(here: Path) -> None:
    line = ["-m", "optimizer=gd,momentum", "optimizer.lr=1.0,2.0", "sweep.name=s"]
    for count in (3, 4):
        assert main([*line, f"sweep.n_trials={count}"]) == 0
        tried = [(t.params["optimizer"], t.params["optimizer.lr"]) for t in finished(here)]
        assert tried == combinations(count)
